import type * as childProcess from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { pipe } from '../../native/descriptors.ts';
import { printable } from '../../protocol/printable.ts';
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

/** Starts the child. Signals that reach us reach it, until it has ended. */
export function startChild({ command, env, masker }: ChildOptions): Child {
  const [file = '', ...args] = command;
  const pipes = masker === undefined ? [] : [openPipe(process.stdout), openPipe(process.stderr)];
  const [output = 'inherit', errors = 'inherit'] = pipes.map(({ writeEnd }) => writeEnd);
  // A signal that came before there was somebody to pass it on would leave the child behind.
  const started: childProcess.ChildProcess[] = [];
  const kill = (signal: NodeJS.Signals): void => void started[0]?.kill(signal);
  const stop = passSignals(kill);
  const child = loadSpawn().spawn(file, args, { env, stdio: ['inherit', output, errors] });
  started.push(child);
  const exited = exitOf(child, file);
  const copied = pipes.map(({ writeEnd, source, target }) => {
    closeSync(writeEnd);
    return copy(source, target, masker);
  });
  const ended = Promise.all([exited, ...copied]).then(([code]) => code);
  return { ended: ended.finally(stop), terminate: () => kill('SIGTERM') };
}

/** A way for output through us. Node's own would be sockets, which programs cannot open as /dev/stdout. */
interface Pipe {
  readonly writeEnd: number;
  readonly source: Socket;
  readonly target: NodeJS.WriteStream;
}

function openPipe(target: NodeJS.WriteStream): Pipe {
  const net = process.getBuiltinModule('node:net');
  const { readEnd, writeEnd } = pipe();
  return { writeEnd, source: new net.Socket({ fd: readEnd, readable: true, writable: false }), target };
}

async function exitOf(child: childProcess.ChildProcess, file: string): Promise<number> {
  try {
    // The event has an exit code, or the signal that ended the child.
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    process.stderr.write(`hush: error: cannot run ${printable(file)}: ${reasonOf(code)}\n`);
    return code === 'ENOENT' ? notFound : notRunnable;
  }
}

function reasonOf(code: string): string {
  if (code === 'ENOENT') return 'there is no such program';
  if (code === 'EACCES') return 'it may not be run';
  if (code === 'E2BIG') return 'its arguments and variables are together larger than the system allows';
  return code;
}

/** Copies the child's output to ours, masked; ends quietly when nobody reads ours any more, as the child then will. */
async function copy(
  source: Socket,
  target: NodeJS.WriteStream,
  open: (() => Masker) | undefined,
): Promise<void> {
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
