import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseClientKey } from '../../noise/client-key.ts';
import { openLoad, requestFromText, type Latency, type Rounds } from './load.ts';
import { openRedisRounds } from './redis.ts';

/** Who is asked, and what: the requests are taken in turn. */
export interface Target {
  readonly name: string;
  readonly socketPath: string;
  readonly protocol: 'hushd' | 'redis';
  /** The text of the key file of the enrolled client that asks; left out, whoever runs the bench does. */
  readonly clientKey?: string;
  /** How many connections ask: one a round where requests go one at a time, else all together. Left out, one. */
  readonly connections?: number;
  /** As `requestToText` gives them; Redis is asked for its one value. */
  readonly requests: readonly string[];
}

/** What the process of `runRounds` does: rounds that go from target to target, first one at a time, then in flight. */
export interface RoundsJob {
  readonly targets: readonly Target[];
  readonly rounds: number;
  /** Requests before the first round, of each target, in each manner. */
  readonly warmUp: number;
  /** Requests of one round of one target; 0 leaves that manner out. */
  readonly oneAtATime: number;
  readonly pipelined: number;
  readonly inFlight: number;
}

/** What one target gave, round by round: microseconds of a round trip, replies per second. */
export interface RoundsResult {
  readonly name: string;
  readonly latencies: Latency[];
  readonly rates: number[];
}

const thisFile = fileURLToPath(import.meta.url);

/** Runs the rounds in a process of its own, so that the caller's work does not slow them. Rejects on any error reply. */
export async function runRounds(job: RoundsJob): Promise<RoundsResult[]> {
  const child = spawn(process.execPath, [thisFile], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(job));
  const [output, exit] = await Promise.all([text(child.stdout), exited]);
  if (exit[0] !== 0) throw new Error('the load process failed');
  // Written by the lines at the end of this file.
  return JSON.parse(output) as RoundsResult[];
}

/** What came of rounds, by the name of the target: round by round. */
export interface Measured {
  /** Microseconds of the median round trip. */
  readonly p50: (name: string) => readonly number[];
  readonly p99: (name: string) => readonly number[];
  /** Replies per second. */
  readonly rates: (name: string) => readonly number[];
}

/** The results by the name of their target; asking for one that is not there throws. */
export function figuresOf(results: readonly RoundsResult[]): Measured {
  const of = (name: string): RoundsResult => {
    const found = results.find((result) => result.name === name);
    if (found === undefined) throw new Error(`${name} was not measured`);
    return found;
  };
  return {
    p50: (name) => of(name).latencies.map(({ p50 }) => p50),
    p99: (name) => of(name).latencies.map(({ p99 }) => p99),
    rates: (name) => of(name).rates,
  };
}

interface OpenTarget {
  readonly requests: ReturnType<typeof requestFromText>[];
  readonly connection: Rounds;
  readonly result: RoundsResult;
}

/** Several connections as one: one at a time each takes a round in turn, in flight they share the requests. */
function shared(all: readonly Rounds[]): Rounds {
  let round = 0;
  const part = (whole: number): number => Math.ceil(whole / all.length);
  return {
    oneAtATime: (requests, count) => {
      const next = all[round % all.length];
      round += 1;
      if (next === undefined) throw new Error('a target needs a connection');
      return next.oneAtATime(requests, count);
    },
    pipelined: async (requests, count, open) => {
      const startedAt = performance.now();
      await Promise.all(all.map((one) => one.pipelined(requests, part(count), part(open))));
      return (part(count) * all.length) / ((performance.now() - startedAt) / 1000);
    },
    close: () => {
      for (const one of all) one.close();
    },
  };
}

async function openTarget(target: Target): Promise<OpenTarget> {
  const { name, socketPath, protocol, clientKey, connections = 1, requests } = target;
  const key = clientKey === undefined ? undefined : parseClientKey(new TextEncoder().encode(clientKey));
  const open = (): Promise<Rounds> =>
    protocol === 'redis' ? openRedisRounds(socketPath) : openLoad(socketPath, key);
  const all = await Promise.all(Array.from({ length: connections }, open));
  return {
    requests: requests.map(requestFromText),
    connection: all.length === 1 && all[0] !== undefined ? all[0] : shared(all),
    result: { name, latencies: [], rates: [] },
  };
}

/** Goes through all targets `rounds` times, beginning each round with the next one, so that none is always first. */
async function eachInTurn<T>(
  rounds: number,
  targets: readonly T[],
  visit: (target: T) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const first = round % targets.length;
    for (const target of [...targets.slice(first), ...targets.slice(0, first)]) await visit(target);
  }
}

async function work(job: RoundsJob): Promise<RoundsResult[]> {
  const targets = await Promise.all(job.targets.map(openTarget));
  if (job.oneAtATime > 0) {
    for (const { connection, requests } of targets) await connection.oneAtATime(requests, job.warmUp);
    await eachInTurn(job.rounds, targets, async ({ connection, requests, result }) => {
      result.latencies.push(await connection.oneAtATime(requests, job.oneAtATime));
    });
  }
  if (job.pipelined > 0) {
    for (const { connection, requests } of targets)
      await connection.pipelined(requests, job.warmUp, job.inFlight);
    await eachInTurn(job.rounds, targets, async ({ connection, requests, result }) => {
      result.rates.push(await connection.pipelined(requests, job.pipelined, job.inFlight));
    });
  }
  for (const { connection } of targets) connection.close();
  return targets.map(({ result }) => result);
}

if (process.argv[1] === thisFile) {
  // Written by runRounds above.
  const job = JSON.parse(await text(process.stdin)) as RoundsJob;
  process.stdout.write(JSON.stringify(await work(job)));
}
