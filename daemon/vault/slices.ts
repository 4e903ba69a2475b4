import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long work in the background may keep others waiting at a time, in milliseconds. */
const sliceMs = 0.25;

/** Runs a step again and again until it says false, and lets others have a turn of the event loop in between. */
export async function inSlices(step: () => boolean): Promise<void> {
  for (;;) {
    const end = performance.now() + sliceMs;
    do {
      if (!step()) return;
    } while (performance.now() < end);
    await nextTurn();
  }
}
