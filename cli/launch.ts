import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { checkDirectory, openSafeFile } from '../daemon/home/safety.ts';
import type { HomePaths } from '../daemon/home/paths.ts';
import { newBytes } from '../protocol/bytes.ts';
import { errorOf, errorTable, HushError, isErrorCode, type ErrorCode } from '../protocol/errors.ts';
import { shellWord } from '../protocol/shell-word.ts';
import { daemonProgram } from './package.ts';

/** How long the daemon may take until it listens; an unlock at its start is part of that. */
const patienceMs = 60_000;

/** How much of the log's end is looked at for the reason of a failure. */
const tailBytes = 16 * 1024;

const listening = z.object({
  event: z.literal('listening'),
  pid: z.number().int().positive(),
  unlock: z
    .object({
      profile: z.string(),
      outcome: z.string(),
      code: z.string().optional(),
      message: z.string().optional(),
      hint: z.string().optional(),
    })
    .optional(),
});

const failed = z.object({
  event: z.literal('failed'),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }),
});

/** What the daemon says on standard output once it listens. */
export type Listening = z.output<typeof listening>;

/** How the daemon is to run. */
export interface LaunchOptions {
  readonly paths: HomePaths;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Starts hushd in the background, its standard error appended to the log, and waits until it says that it listens.
 * If it ends before that, throws what its last lines say, under a code that has its exit code. Throws DEADLINE after a
 * minute; the daemon is then stopped.
 */
export async function launchDaemon({ paths, args, env }: LaunchOptions): Promise<Listening> {
  checkDirectory(paths.home);
  const log = openSafeFile(paths.log, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT);
  try {
    const logStart = fstatSync(log).size;
    const child = spawn(process.execPath, [daemonProgram(), ...args], {
      cwd: '/',
      detached: true,
      env: { ...env, ...absolute(paths, env) },
      stdio: ['ignore', 'pipe', log],
    });
    const ended = await Promise.race([firstEvent(child), patience()]);
    if (ended instanceof HushError) throw ended;
    if (typeof ended === 'object') return release(child, ended);
    if (ended === 'late') child.kill('SIGKILL');
    throw ended === 'late' ? tooLate(paths) : failureOf(ended, tailOf(log, logStart), paths);
  } finally {
    closeSync(log);
  }
}

/** The daemon's folder is `/`, so that it keeps no file system busy: relative paths of ours would lead elsewhere. */
function absolute(paths: HomePaths, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...(env['HUSH_HOME'] ? { HUSH_HOME: paths.home } : {}),
    ...(env['HUSH_CONFIG'] ? { HUSH_CONFIG: paths.config } : {}),
    ...(env['HUSH_SOCKET'] ? { HUSH_SOCKET: paths.socket } : {}),
  };
}

/** What the daemon says first: that it listens, or the error that ends it; its exit code where it says neither. */
async function firstEvent(child: ChildProcess): Promise<Listening | HushError | number> {
  const end = endOf(child);
  if (child.stdout === null) return end;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = jsonOf(line);
    const told = listening.safeParse(event);
    if (told.success) return told.data;
    const failure = failed.safeParse(event);
    if (failure.success) return errorOf(failure.data.error);
  }
  return end;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The exit code of the child once it has ended; one that a signal ended counts as 1. */
function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? 1);
    child.once('error', (error) =>
      reject(new HushError('UNAVAILABLE', `cannot start hushd: ${error.message}`)),
    );
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function patience(): Promise<'late'> {
  return new Promise((resolve) => setTimeout(resolve, patienceMs, 'late' as const).unref());
}

function release(child: ChildProcess, event: Listening): Listening {
  child.stdout?.destroy();
  child.unref();
  return event;
}

function tailOf(log: number, logStart: number): string {
  const size = fstatSync(log).size;
  const from = Math.max(logStart, size - tailBytes);
  const bytes = newBytes(Math.max(0, size - from));
  const length = readSync(log, bytes, 0, bytes.length, from);
  return new TextDecoder().decode(bytes.subarray(0, length));
}

/**
 * The error that the daemon's last lines tell of: `hushd: error: …`, and `hushd: hint: …` if it gave one; else what
 * Node said of the error that ended it.
 */
function failureOf(exitCode: number, tail: string, paths: HomePaths): HushError {
  const lines = tail.split('\n');
  const last = (mark: string): string | undefined =>
    lines.findLast((line) => line.startsWith(mark))?.slice(mark.length);
  const reason = last('hushd: error: ') ?? lines.findLast((line) => /^\w*Error\b/.test(line));
  return new HushError(
    codeFor(exitCode),
    `the daemon did not start: ${reason ?? `it ended with ${exitCode}`}`,
    {
      hint: last('hushd: hint: ') ?? `tail ${shellWord(paths.log)}`,
    },
  );
}

/** The code that stands for all of an exit code, where the daemon's own code is not known. */
function codeFor(exitCode: number): ErrorCode {
  const typical: readonly ErrorCode[] = ['UNAVAILABLE', 'BAD_REQUEST', 'DAMAGED', 'WRONG_KEY', 'UNSAFE_MODE'];
  return typical.find((code) => errorTable[code].exit === exitCode) ?? 'UNAVAILABLE';
}

function tooLate(paths: HomePaths): HushError {
  return new HushError('DEADLINE', 'the daemon did not listen within a minute, and was stopped', {
    hint: `tail ${shellWord(paths.log)}`,
  });
}

/** The error of the unlock that the daemon tried at its start, or undefined if that went well or was not asked for. */
export function unlockFailure({ unlock }: Listening): HushError | undefined {
  if (unlock?.code === undefined) return undefined;
  const code = isErrorCode(unlock.code) ? unlock.code : 'UNAVAILABLE';
  const reason = unlock.message ?? errorTable[code].message;
  return new HushError(code, `the daemon runs, and profile ${unlock.profile} stays locked: ${reason}`, {
    ...(unlock.hint === undefined ? {} : { hint: unlock.hint }),
  });
}
