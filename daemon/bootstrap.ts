import { closeSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';

import { HushError } from '../protocol/errors.ts';
import { reportFailure, warn } from './failure.ts';
import { isLoaderVariable } from './forbidden-env.ts';
import { masterKeyBytes, parseMasterKey } from '../protocol/master-key-text.ts';

/** The flags of the serving process: no debugger on SIGUSR1, dead secrets can be collected and are overwritten. */
export const fixedFlags: readonly string[] = [
  '--disable-sigusr1',
  '--expose-gc',
  '--clear-free-memory',
  '--max-semi-space-size=8',
  '--min-semi-space-size=8',
  '--v8-pool-size=1',
  '--disable-warning=ExperimentalWarning',
];

/**
 * What the C library is told in the serving process: to overwrite all memory that is given back to it. V8 and OpenSSL
 * give some back with parts of a secret in it (a deoptimisation keeps all registers, found by scanning the process).
 * Without the caches of the threads, because what lies in those is not overwritten.
 */
const libcTunables = 'glibc.malloc.perturb=165:glibc.malloc.tcache_count=0';

/** The variable that tells the serving process which descriptor the bootstrap left the key in. */
export const keyDescriptorVariable = 'HUSHD_KEY_FD';

/** Holds the pid, which execve keeps: a process with this variable and the flags was started by `bootstrap`. */
const markVariable = 'HUSHD_BOOTSTRAP';

/** Whether this process is the serving one: started by `bootstrap`, with its flags and a clean environment. */
export function bootstrapped(env: NodeJS.ProcessEnv = process.env): boolean {
  return isMarked(env) && hasFixedFlags();
}

/**
 * Makes this process the serving one. True when it is; otherwise it starts Node anew in its place, with the fixed
 * flags and an environment that no loader or Node variable is left in, and with HUSH_MASTER_KEY moved into a pipe.
 * False when that cannot be: the reason is on standard error, and the exit code is set.
 */
export async function bootstrap(
  argv: readonly string[] = process.argv,
  env: NodeJS.ProcessEnv = process.env,
): Promise<boolean> {
  if (bootstrapped(env)) {
    delete env['GLIBC_TUNABLES'];
    return true;
  }
  try {
    return await restart(argv, env);
  } catch (error) {
    process.exitCode = reportFailure(error);
    return false;
  }
}

const isMarked = (env: NodeJS.ProcessEnv): boolean => env[markVariable] === String(process.pid);

const hasFixedFlags = (): boolean =>
  process.execArgv.length === fixedFlags.length &&
  fixedFlags.every((flag, index) => process.execArgv[index] === flag);

async function restart(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<never> {
  const { execve } = process;
  if (execve === undefined) {
    throw new HushError(
      'UNAVAILABLE',
      `Node ${process.versions.node} cannot start itself anew with a clean environment`,
      {
        hint: 'use Node 22.15 or a later 22, or 24 and later',
      },
    );
  }
  if (isMarked(env)) {
    throw new HushError('UNAVAILABLE', 'Node did not take the flags that hushd starts it with', {
      hint: `run it by Node itself, without a wrapper: ${process.execPath}`,
    });
  }
  const next = cleanEnvironment(env);
  next[markVariable] = String(process.pid);
  next['GLIBC_TUNABLES'] = libcTunables;
  await keepListenDescriptors(next);
  await moveMasterKey(next);
  flushCompileCache();
  return execve.call(process, process.execPath, [process.execPath, ...fixedFlags, ...argv.slice(1)], next);
}

/** The environment without loader variables and without what only a bootstrap may set; names the former. */
function cleanEnvironment(env: NodeJS.ProcessEnv): NodeJS.Dict<string> {
  const removed = Object.keys(env).filter(isLoaderVariable);
  if (removed.length > 0) warn(`removed from the environment: ${removed.sort().join(', ')}`);
  const own = [markVariable, keyDescriptorVariable];
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !own.includes(name) && !isLoaderVariable(name)),
  );
}

/** Lets the sockets of a socket unit live on (sd_listen_fds(3)): Node marks what it inherits close-on-exec. */
async function keepListenDescriptors(env: NodeJS.Dict<string>): Promise<void> {
  const count = env['LISTEN_FDS'];
  if (count === undefined || env['LISTEN_PID'] !== String(process.pid)) return;
  if (!/^\d{1,3}$/.test(count))
    throw new HushError('BAD_REQUEST', 'LISTEN_FDS is not a number of descriptors');
  const { clearCloseOnExec } = await import('../native/descriptors.ts');
  for (let fd = 3; fd < 3 + Number(count); fd += 1) clearCloseOnExec(fd);
}

/** Moves the key into a pipe: what is in the environment, every process of this user can read in /proc. */
async function moveMasterKey(env: NodeJS.Dict<string>): Promise<void> {
  const text = env['HUSH_MASTER_KEY'];
  if (text === undefined) return;
  delete env['HUSH_MASTER_KEY'];
  const key = new Uint8Array(new ArrayBuffer(masterKeyBytes));
  parseMasterKey(new TextEncoder().encode(text), key, 'HUSH_MASTER_KEY');
  const { clearCloseOnExec, pipe } = await import('../native/descriptors.ts');
  const { readEnd, writeEnd } = pipe();
  writeSync(writeEnd, key);
  closeSync(writeEnd);
  clearCloseOnExec(readEnd);
  env[keyDescriptorVariable] = String(readEnd);
}
