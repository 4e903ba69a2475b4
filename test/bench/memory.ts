import { setTimeout as delay } from 'node:timers/promises';
import type { BenchDaemon } from './daemons.ts';
import { differenceFigure, plainFigure, type Figure } from './figures.ts';
import { getRequests, hushTarget } from './requests.ts';
import { runRounds } from './rounds.ts';
import { counted, inFlight, type Scale } from './scale.ts';

const megabyte = 1_000_000;

/** How long a daemon that nobody asks anything is left alone before its memory is looked at, in milliseconds. */
const idleMs = 10_000;

/** Resident memory of a daemon that has only been unlocked, and what very many requests make of it. */
export async function memoryFigures(daemon: BenchDaemon, { requests }: Scale): Promise<Figure[]> {
  await delay(idleMs);
  const before = daemon.residentBytes() / megabyte;
  await runRounds({
    targets: [hushTarget('get', daemon.socketPath, getRequests)],
    rounds: 1,
    warmUp: 1,
    oneAtATime: 0,
    pipelined: requests,
    inFlight,
  });
  await delay(idleMs);
  const after = daemon.residentBytes() / megabyte;
  const other = { name: 'before them', values: [before] };
  return [
    plainFigure('resident memory, unlocked and idle', 'MB', [before], { most: 110 }),
    differenceFigure(`resident memory after ${counted(requests)} requests`, 'MB', [after], other, {
      most: 10,
    }),
  ];
}
