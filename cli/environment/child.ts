import type * as childProcess from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { pipe } from '../../native/descriptors.ts';
import { printable } from '../../protocol/printable.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { outliveReaders } from '../output.ts';
import { passSignals } from './signals.ts';
import type { Masker } from './masker.ts';

/** What is to run, and how. */
export interface ChildOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Makes the masker of one stream of its output; without it the child has our own streams. */
  readonly masker?: (() => Masker) | undefined;
}

/** A child that runs, or has ended. */
export interface Child {
  /** Its exit code, 128 + n where signal n ended it, 126 or 127 where it could not be run; once its output has ended too. */
  readonly ended: Promise<number>;
  /** Asks it to end (SIGTERM). */
  terminate(): void;
  /** The signals that have come to us for it, since this was asked last. */
  signals(): ReadonlySet<NodeJS.Signals>;
}

/** As shells have it: there is such a program but it cannot be run, there is none. */
const notRunnable = 126;
const notFound = 127;

/**
 * Loads what starts a child, if that was not done. It takes milliseconds, in which the daemon can read the values.
 */
export const loadSpawn = (): typeof childProcess => process.getBuiltinModule('node:child_process');

/** Loads the larger part of that. */
export const loadStreams = (): void => void process.getBuiltinModule('node:net');

/**
 * Starts the child. Signals that reach us reach it, until it has ended: they are ours again where its output goes on, in the
 * hands of what it has left behind.
 */
export function startChild({ command, env, masker }: ChildOptions): Child {
  const [file = '', ...args] = command;
  const pipes = masker === undefined ? [] : [pipe(), pipe()];
  const [output = 'inherit', errors = 'inherit'] = pipes.map(({ writeEnd }) => writeEnd);
  // A signal that came before there was somebody to pass it on would leave the child behind.
  const started: childProcess.ChildProcess[] = [];
  const kill = (signal: NodeJS.Signals): void => void started[0]?.kill(signal);
  let came = new Set<NodeJS.Signals>();
  const stop = passSignals(kill, (signal) => void came.add(signal));
  const start = (): childProcess.ChildProcess => {
    const child = loadSpawn().spawn(file, args, { env, stdio: ['inherit', output, errors] });
    started.push(child);
    return child;
  };
  const exited = exitOf(start, file).finally(stop);
  // Our own streams take milliseconds to make: the child runs by now.
  if (masker !== undefined) outliveReaders();
  const copied = pipes.map(({ readEnd, writeEnd }, index) => {
    closeSync(writeEnd);
    return copy(readEnd, index === 0 ? process.stdout : process.stderr, masker);
  });
  const ended = Promise.all([exited, ...copied]).then(([code]) => code);
  const signals = (): ReadonlySet<NodeJS.Signals> => {
    const latest = came;
    came = new Set();
    return latest;
  };
  return { ended, terminate: () => kill('SIGTERM'), signals };
}

async function exitOf(start: () => childProcess.ChildProcess, file: string): Promise<number> {
  try {
    // Some faults are thrown at once. The event has an exit code, or the signal that ended the child.
    const [code, signal] = (await once(start(), 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    const told = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const code = file === '' ? 'ENOENT' : told;
    const { reason, hint } = faultOf(code, file);
    process.stderr.write(
      `hush: error: cannot run ${printable(file)}: ${reason}\nhush: hint: ${printable(hint)}\n`,
    );
    return code === 'ENOENT' ? notFound : notRunnable;
  }
}

/** Why a program could not be started, and what to do. */
function faultOf(code: string, file: string): { readonly reason: string; readonly hint: string } {
  const look = `ls -ld ${shellWord(file)}`;
  if (code === 'ENOENT') {
    // A line of shell in quotes is one word, and no program has such a name.
    const hint = /\s/.test(file)
      ? `hush run -- sh -c ${shellWord(file)}`
      : 'name a program of PATH, or its path';
    return { reason: 'there is no such program', hint };
  }
  if (code === 'EACCES') return { reason: 'it may not be run', hint: look };
  if (code === 'ENOTDIR') return { reason: 'its path leads through a file that is no folder', hint: look };
  if (code === 'E2BIG') {
    return {
      reason: 'its arguments and variables are together larger than the system allows',
      hint: 'choose fewer variables with --only, or give some as a file: hush inject',
    };
  }
  return { reason: code, hint: look };
}

/** Copies the child's output to ours, masked; ends quietly when nobody reads ours any more, as the child then will. */
async function copy(
  readEnd: number,
  target: NodeJS.WriteStream,
  open: (() => Masker) | undefined,
): Promise<void> {
  const net = process.getBuiltinModule('node:net');
  const source = new net.Socket({ fd: readEnd, readable: true, writable: false });
  let masker: Masker | undefined;
  try {
    for await (const chunk of source) {
      masker ??= open?.();
      // Without an encoding the stream gives buffers.
      await write(target, masker?.push(chunk as Buffer));
    }
    await write(target, masker?.end());
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'EPIPE') return;
    process.stderr.write(`hush: error: cannot write the output of the command: ${code}\n`);
  } finally {
    // It wipes what it has held back.
    masker?.end();
    source.destroy();
  }
}

function write(stream: NodeJS.WriteStream, bytes: Uint8Array | undefined): Promise<void> {
  if (bytes === undefined || bytes.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
