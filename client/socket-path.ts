import { isAbsolute, join, resolve } from 'node:path';
import { HushError } from '../protocol/errors.ts';

/** Environment variables, as `process.env` has them; an empty one counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The longest path of a Unix-domain socket in bytes: `sun_path` without its closing zero (unix(7)). */
const maxSocketBytes = 107;

/**
 * The absolute path of the daemon's socket that an environment asks for: `HUSH_SOCKET`, else `hushd.sock` in
 * `HUSH_HOME`, else in `$XDG_RUNTIME_DIR/hushd`, else in the data folder (`$XDG_DATA_HOME/hushd`, by default
 * `~/.local/share/hushd`). Relative HUSH_ paths are taken from `cwd`; relative XDG ones are ignored.
 * Throws BAD_REQUEST when the environment names no folder at all, or the path is over 107 bytes.
 */
export function socketPathOf(env: Environment, cwd: string = process.cwd()): string {
  return checkSocketPath(env['HUSH_SOCKET'] ? resolve(cwd, env['HUSH_SOCKET']) : defaultSocket(env, cwd));
}

/** The path itself. Throws BAD_REQUEST, with that hint, when it is over 107 bytes, which the kernel could not take. */
export function checkSocketPath(path: string, hint = 'set HUSH_SOCKET to a shorter path'): string {
  if (Buffer.byteLength(path) <= maxSocketBytes) return path;
  throw new HushError('BAD_REQUEST', `the socket's path is longer than ${maxSocketBytes} bytes`, { hint });
}

function defaultSocket(env: Environment, cwd: string): string {
  if (env['HUSH_HOME']) return join(resolve(cwd, env['HUSH_HOME']), 'hushd.sock');
  const data = absolute(env['XDG_DATA_HOME']);
  const home = absolute(env['HOME']);
  const folder = absolute(env['XDG_RUNTIME_DIR']) ?? data ?? (home && join(home, '.local/share'));
  if (folder !== undefined) return join(folder, 'hushd', 'hushd.sock');
  throw new HushError('BAD_REQUEST', 'there is no home folder: neither HUSH_HOME nor HOME is set', {
    hint: 'set HUSH_SOCKET or HUSH_HOME',
  });
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}
