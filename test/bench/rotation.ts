import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { secretsOf } from '../faults/keys.ts';
import { passphraseCredential } from '../support/daemon.ts';
import { unlock, type BenchDaemon, type BenchHome } from './daemons.ts';
import { differenceFigure, median, ratioFigure, type Figure } from './figures.ts';
import type { BareReseal, BareResealed } from './floor/reseal.ts';
import { seedByImport } from './legacy-seed.ts';
import { requestToText } from './load.ts';
import { getRequests } from './requests.ts';
import { rotateUnderLoad } from './rotation-load.ts';
import { counted, valueBytes, type Scale } from './scale.ts';

const megabyte = 1_000_000;
const profile = 'default';
const bareLoop = fileURLToPath(new URL('floor/reseal.ts', import.meta.url));
/** As many as hushd itself writes in one commit. */
const rowsPerCommit = 1_024;
const pollMs = 50;

/** One rotation by the daemon, and how much memory it had at most meanwhile. */
interface Rotated {
  readonly perSecond: number;
  readonly mostBytes: number;
}

async function rotate({ load, residentBytes }: BenchDaemon): Promise<Rotated> {
  await load.call('keys.rotate', { profile });
  let mostBytes = 0;
  for (;;) {
    mostBytes = Math.max(mostBytes, residentBytes());
    // The reply has the shape that docs/protocol.md gives.
    const { state, moved, elapsedMs } = (await load.call('keys.resealing', { profile })) as {
      state: string;
      moved: number;
      elapsedMs: number;
    };
    if (state === 'stalled') throw new Error('the rotation stalled');
    if (state === 'idle') return { perSecond: moved / (elapsedMs / 1000), mostBytes };
    await delay(pollMs);
  }
}

/** The same work on a copy of the same rows, without a daemon. */
async function bare({ load }: BenchDaemon, { home }: BenchHome, folder: string): Promise<number> {
  const path = join(folder, 'bare.db');
  await load.call('lock', { profile });
  copyFileSync(home.profile().vault, path);
  const { vaultId, all } = await secretsOf(home.profile(), passphraseCredential());
  await unlock(load);
  const hex = (name: string): string => Buffer.from(all.get(name) ?? []).toString('hex');
  const versions = [...all.keys()].flatMap((name) => /^dek default\/ v(\d+)$/.exec(name)?.[1] ?? []);
  const job: BareReseal = {
    path,
    vaultId,
    fileKey: hex('vault file key'),
    deks: Object.fromEntries(versions.map((version) => [version, hex(`dek default/ v${version}`)])),
    rowsPerCommit,
  };
  const child = spawn(process.execPath, [bareLoop], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify(job));
  const [output] = await Promise.all([text(child.stdout), exited]);
  // Written by floor/reseal.ts.
  return (JSON.parse(output) as BareResealed).perSecond;
}

/** A rotation of a vault with many values: beside the bare loop, and what a reader notices of it. */
export async function rotationFigures(
  daemon: BenchDaemon,
  home: BenchHome,
  folder: string,
  { rotated, rotations, warmUp }: Scale,
): Promise<Figure[]> {
  await seedByImport(daemon.load, rotated, valueBytes);
  // From here on the values are what a `set` leaves, and the daemon has done once what is measured.
  await rotate(daemon);
  const rates: number[] = [];
  const bareRates: number[] = [];
  const before: number[] = [];
  const most: number[] = [];
  const rest: number[] = [];
  const during: number[] = [];
  for (let round = 0; round < rotations; round += 1) {
    bareRates.push(await bare(daemon, home, folder));
    before.push(daemon.residentBytes() / megabyte);
    const alone = await rotate(daemon);
    rates.push(alone.perSecond);
    most.push(alone.mostBytes / megabyte);
    const job = {
      socketPath: daemon.socketPath,
      requests: getRequests.map(requestToText),
      warmUp,
      batch: 2_000,
    };
    const latencies = await rotateUnderLoad(job);
    if (latencies.during.length === 0) continue;
    rest.push(median(latencies.rest.map(({ p99 }) => p99)));
    during.push(median(latencies.during.map(({ p99 }) => p99)));
  }
  const what = `rotation of ${counted(rotated)} values of ${valueBytes} bytes`;
  return [
    ratioFigure(what, '/s', rates, { name: 'bare loop', values: bareRates }, { least: 0.333 }),
    ratioFigure(
      `cached get of ${valueBytes} bytes during it, 99th percentile`,
      'µs',
      during,
      { name: 'at rest', values: rest },
      { most: 5 },
    ),
    differenceFigure(
      'resident memory during it, at most',
      'MB',
      most,
      { name: 'before', values: before },
      // The garbage of Node's heap, the same for twice as many rows.
      { most: 40 },
    ),
  ];
}
