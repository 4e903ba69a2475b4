import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../support/installed-package.ts';
import { makeBenchHome, secretPath, seed, startBenchDaemon, type BenchHome } from './daemons.ts';
import { plainFigure, ratioFigure, type Figure, type Target } from './figures.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** A program of Node's, from its start to its end. */
interface Start {
  readonly what: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** A command that tells the nanosecond since 1970 as soon as it runs; the program starts it, and is timed up to there. */
  readonly starts?: readonly [string, ...string[]];
  readonly target?: Target;
}

const gitAsks = 'protocol=https\nhost=bench.example\n';
const dockerAsks = 'bench.example';

/** What is started: the commands of the installed package, and the same of a checkout. */
function startsOf(installed: string, path: string): readonly Start[] {
  const bin = (name: string, folder = installed): string => join(folder, 'bin', `${name}.js`);
  const get = (folder: string): string[] => [bin('hush', folder), 'get', path, '--reveal'];
  return [
    { what: 'hush get --reveal, whole process', args: get(installed), target: { most: 1.6 } },
    {
      what: 'git-credential-hush get, whole process',
      args: [bin('git-credential-hush'), 'get'],
      input: gitAsks,
      target: { most: 1.6 },
    },
    {
      what: 'docker-credential-hush get, whole process',
      args: [bin('docker-credential-hush'), 'get'],
      input: dockerAsks,
      target: { most: 1.6 },
    },
    {
      what: 'hush run, what it adds before its child runs',
      args: [bin('hush'), 'run', '--'],
      starts: ['date', '+%s%N'],
      target: { most: 1.8 },
    },
    { what: 'hush get --reveal from a checkout', args: get(checkout) },
  ];
}

/** Keeps what the helpers are asked for. */
function prepare({ home }: BenchHome, installed: string): void {
  for (const [name, input] of [
    ['git-credential-hush', `${gitAsks}username=bench\npassword=bench\n`],
    ['docker-credential-hush', `{"ServerURL":"${dockerAsks}","Username":"bench","Secret":"bench"}`],
  ] as const) {
    const file = join(installed, 'bin', `${name}.js`);
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, 'store'], {
      env: home.env,
      input,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${name} store: ${stdout}${stderr}`);
  }
}

/** Milliseconds of one run; where it starts a command, without what that takes when nobody stands before it. */
async function milliseconds(
  { args, input = '', starts }: Omit<Start, 'what'>,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  if (starts === undefined) return (await timed(process.execPath, args, input, env)).exited;
  const [file, ...rest] = starts;
  const bare = await timed(file, rest, input, env);
  const whole = await timed(process.execPath, [...args, ...starts], input, env);
  return whole.told - bare.told;
}

/** Milliseconds from the start of a process to its exit, and to the time that it tells, if it tells any. */
async function timed(
  file: string,
  args: readonly string[],
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly exited: number; readonly told: number }> {
  const startedAt = performance.timeOrigin + performance.now();
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child, 'exit');
  const exitedAt = performance.timeOrigin + performance.now();
  await ended;
  if (child.exitCode !== 0) throw new Error(`${args.join(' ')}: ${said}`);
  return { exited: exitedAt - startedAt, told: Number(output) / 1e6 - startedAt };
}

/**
 * How long whole processes take, beside `node -e 0`, all in turns. The daemon of the home runs, and holds the secret of
 * that path.
 */
export async function startFigures(
  home: BenchHome,
  installed: string,
  path: string,
  rounds: number,
): Promise<Figure[]> {
  const { env } = home.home;
  prepare(home, installed);
  const bare: Start = { what: 'node -e 0', args: ['-e', '0'] };
  const starts = [bare, ...startsOf(installed, path)];
  const taken = new Map<Start, number[]>(starts.map((start) => [start, []]));
  // The first two fill the caches of compiled code.
  for (let round = -2; round < rounds; round++) {
    const first = (round + starts.length * 2) % starts.length;
    for (const start of [...starts.slice(first), ...starts.slice(0, first)]) {
      const time = await milliseconds(start, env);
      if (round >= 0) taken.get(start)?.push(time);
    }
  }
  const of = (start: Start): number[] => taken.get(start) ?? [];
  return [
    plainFigure(`${bare.what}, whole process`, 'ms', of(bare)),
    ...starts
      .slice(1)
      .map((start) =>
        ratioFigure(start.what, 'ms', of(start), { name: bare.what, values: of(bare) }, start.target),
      ),
  ];
}

/** `node test/bench/start.ts [ROUNDS]`: these figures alone. */
async function alone(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-start-'));
  const home = await makeBenchHome({ memoryKiB: 19 * 1024, passes: 2 });
  try {
    const installed = await installPackage(folder);
    const daemon = await startBenchDaemon(home, installed);
    try {
      await seed(daemon.load, 100, 200);
      for (const { what, hushd, ratio, target, met } of await startFigures(
        home,
        installed,
        secretPath(7),
        rounds,
      )) {
        const judged = target === undefined ? '' : `, at most ${target.most ?? NaN}: ${met ? 'yes' : 'no'}`;
        process.stdout.write(`${what}: ${hushd} ms${ratio === undefined ? '' : `, ${ratio} x${judged}`}\n`);
      }
    } finally {
      await daemon.stop();
    }
  } finally {
    home.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await alone(Number(process.argv[2] ?? 25));
