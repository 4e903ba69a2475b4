import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { openLoad, requestFromText, type Latency } from './load.ts';

/** What is asked, one at a time, of a daemon at rest and then while its keys rotate. */
export interface RotationLoadJob {
  readonly socketPath: string;
  /** As `requestToText` gives them. */
  readonly requests: readonly string[];
  readonly warmUp: number;
  /** Requests of one measurement; there are as many as the rotation has time for. */
  readonly batch: number;
}

/** Round trips at rest, and those that lay within the rotation from their first to their last. */
export interface RotationLatencies {
  readonly rest: readonly Latency[];
  readonly during: readonly Latency[];
}

const thisFile = fileURLToPath(import.meta.url);
const profile = 'default';
const batchesAtRest = 5;

/** Rotates the keys of the profile `default` under this load, which runs in a process of its own. */
export async function rotateUnderLoad(job: RotationLoadJob): Promise<RotationLatencies> {
  const child = spawn(process.execPath, [thisFile], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(job));
  const [output, exit] = await Promise.all([text(child.stdout), exited]);
  if (exit[0] !== 0) throw new Error('the load process failed');
  // Written by the lines at the end of this file.
  return JSON.parse(output) as RotationLatencies;
}

async function work({ socketPath, requests, warmUp, batch }: RotationLoadJob): Promise<RotationLatencies> {
  const load = await openLoad(socketPath);
  const asked = requests.map(requestFromText);
  // The reply has the shape that docs/protocol.md gives.
  const isRunning = async (): Promise<boolean> =>
    ((await load.call('keys.resealing', { profile })) as { state: string }).state === 'running';
  await load.oneAtATime(asked, warmUp);
  const rest: Latency[] = [];
  for (let round = 0; round < batchesAtRest; round += 1) rest.push(await load.oneAtATime(asked, batch));
  const during: Latency[] = [];
  await load.call('keys.rotate', { profile });
  for (;;) {
    const latency = await load.oneAtATime(asked, batch);
    if (!(await isRunning())) break;
    during.push(latency);
  }
  load.close();
  return { rest, during };
}

if (process.argv[1] === thisFile) {
  // Written by rotateUnderLoad above.
  const job = JSON.parse(await text(process.stdin)) as RotationLoadJob;
  process.stdout.write(JSON.stringify(await work(job)));
}
