import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchDaemon, BenchHome } from './daemons.ts';
import { differenceFigure, ratioFigure, type Figure } from './figures.ts';
import { requestOf } from './load.ts';
import { hushTarget } from './requests.ts';
import { figuresOf, runRounds } from './rounds.ts';
import { counted, inFlight, valueBytes, type Scale } from './scale.ts';

/** Where the handles of a table are, and how it is rewrapped. */
interface Table {
  readonly daemon: BenchDaemon;
  readonly home: BenchHome;
  readonly installed: string;
  readonly folder: string;
}

const handles = 10_000;
const batchItems = 500;
const megabyte = 1_000_000;
const lookMs = 10;

const placeOf = (number: number) => ({ namespace: 'mail', key: `smtp-${number}` });

/** Seals the values of a table, and gives its handles. */
async function sealTable({ load }: BenchDaemon): Promise<object[]> {
  const sealed: object[] = [];
  const shared = { profile: 'default', keyring: 'default', plaintext: Buffer.alloc(valueBytes, 7) };
  while (sealed.length < handles) {
    const items = Array.from({ length: batchItems }, (_, at) => ({
      op: 'crypto.encrypt',
      params: { ...shared, ...placeOf(sealed.length + at) },
    }));
    // The reply has the shape that docs/protocol.md gives.
    const { results } = (await load.call('batch', { items })) as { results: { ok: { handle: object } }[] };
    sealed.push(...results.map(({ ok }) => ok.handle));
  }
  return sealed;
}

/** Runs `hush keys rewrap` over a file of lines; gives how long it took, start included, and its resident memory at most. */
async function rewrap(
  { home, installed, folder }: Table,
  file: string,
): Promise<{ readonly seconds: number; readonly mostBytes: number }> {
  const input = openSync(file, 'r');
  const output = openSync(join(folder, 'rewrapped.jsonl'), 'w');
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(installed, 'bin/hush.js'), 'keys', 'rewrap', '--stdin'], {
    env: home.home.env,
    stdio: [input, output, 'inherit'],
  });
  closeSync(input);
  closeSync(output);
  let endedAt = 0;
  const exited = once(child, 'exit').then(([code]) => {
    endedAt = performance.now();
    if (code !== 0) throw new Error(`hush keys rewrap ended with ${String(code)}`);
  });
  let mostBytes = 0;
  while (endedAt === 0 && child.exitCode === null) {
    mostBytes = Math.max(mostBytes, peakBytes(child.pid));
    await Promise.race([exited, delay(lookMs)]);
  }
  await exited;
  return { seconds: (endedAt - startedAt) / 1000, mostBytes };
}

/** The most resident memory that a process has had, in bytes; 0 once it has ended. */
function peakBytes(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/**
 * `hush keys rewrap` over 10,000 handles beside as many decrypts in flight, in turns, and what twice as many lines make
 * of the memory of both processes, once it has met its first 100,000.
 */
export async function rewrapFigures(table: Table, { rounds }: Scale): Promise<Figure[]> {
  const { daemon, folder } = table;
  const sealed = await sealTable(daemon);
  const file = join(folder, 'handles.jsonl');
  const text = sealed
    .map((handle, number) => `${JSON.stringify({ id: number, handle, ...placeOf(number) })}\n`)
    .join('');
  writeFileSync(file, text);
  const noFile = join(folder, 'no-handles.jsonl');
  writeFileSync(noFile, '');
  const requests = sealed.map((handle, number) =>
    requestOf('crypto.decrypt', { profile: 'default', keyring: 'default', ...placeOf(number), handle }),
  );

  const decrypts: number[] = [];
  const rewraps: number[] = [];
  const commands: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const results = await runRounds({
      targets: [hushTarget('decrypt', daemon.socketPath, requests)],
      rounds: 1,
      warmUp: handles,
      oneAtATime: 0,
      pipelined: handles,
      inFlight,
    });
    decrypts.push(...figuresOf(results).rates('decrypt'));
    const [start, whole] = [await rewrap(table, noFile), await rewrap(table, file)];
    commands.push(handles / whole.seconds);
    rewraps.push(handles / (whole.seconds - start.seconds));
  }

  const peaks: number[] = [];
  const resident: number[] = [];
  for (const times of [10, 20]) {
    writeFileSync(file, text.repeat(times));
    const { mostBytes } = await rewrap(table, file);
    peaks.push(mostBytes / megabyte);
    resident.push(daemon.residentBytes() / megabyte);
  }
  const lines = counted(handles);
  const [many, twice] = [counted(10 * handles), counted(20 * handles)];
  return [
    ratioFigure(
      `keys rewrap of ${lines} handles, once started`,
      '/s',
      rewraps,
      { name: 'decrypt in flight', values: decrypts },
      { least: 0.5 },
    ),
    ratioFigure(`keys rewrap of ${lines} handles, its start included`, '/s', commands, {
      name: 'decrypt in flight',
      values: decrypts,
    }),
    differenceFigure(
      `resident memory of keys rewrap at most, ${twice} handles`,
      'MB',
      peaks.slice(1),
      { name: `${many} handles`, values: peaks.slice(0, 1) },
      { most: 30 },
    ),
    differenceFigure(
      `resident memory of the daemon after ${twice} rewraps more`,
      'MB',
      resident.slice(1),
      { name: 'before them', values: resident.slice(0, 1) },
      { most: 20 },
    ),
  ];
}
