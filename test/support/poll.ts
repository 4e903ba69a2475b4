import { setTimeout as delay } from 'node:timers/promises';

/** Asks until the answer is one that `isEnough` takes. Rejects after a minute, with what was answered last. */
export async function untilAnswer<Answer>(
  ask: () => Promise<Answer>,
  isEnough: (answer: Answer) => boolean,
  pauseMs = 20,
): Promise<Answer> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (isEnough(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(answer)} after a minute`);
    await delay(pauseMs);
  }
}
