import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { errnoOf } from '../../daemon/home/disk-errors.ts';
import { HushError } from '../../protocol/errors.ts';
import type { Define } from '../commands.ts';
import { withDaemonIfRunning } from '../daemon.ts';

const patienceMs = 30_000;
const pauseMs = 20;

export const define: Define = (command, { output }) => {
  command
    .addHelpText(
      'after',
      `
The daemon finishes what runs, locks every profile, wipes its memory, and ends.

Examples:
  hush stop`,
    )
    .action(async () => {
      const stopping = await withDaemonIfRunning((daemon) => daemon.call('daemon.stop', {}));
      if (stopping === undefined) return output.facts({ already: true }, ['hushd was not running']);
      const { pid } = stopping;
      await ended(pid);
      await output.facts({ pid, already: false }, ['hushd has stopped']);
    });
};

/** Waits until the process is gone, and its socket before it. Node has no event for the end of another's child. */
async function ended(pid: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      throw new HushError('DEADLINE', `hushd (pid ${pid}) is still stopping`, { hint: 'hush status' });
    }
    await wait(pauseMs);
  }
}

/** Whether the process runs; one that has ended and waits for its parent to notice does not. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
