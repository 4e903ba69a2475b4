import { dirname, isAbsolute, join, resolve } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';

/** Environment variables, as `process.env` has them; an empty one counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where one daemon keeps everything; each path is absolute. */
export interface HomePaths {
  /** The folder of the daemon's own files. */
  readonly home: string;
  readonly config: string;
  readonly socket: string;
  readonly lock: string;
  readonly log: string;
  /** The enrolled clients, and the key pair by which they know the daemon. */
  readonly clients: string;
  readonly noiseKey: string;
  readonly profiles: string;
  readonly audit: string;
  readonly daemonAudit: string;
  readonly profileAudits: string;
  /** The folders that belong to hushd alone, a parent before its children: made and checked by `checkHome`. */
  readonly ownFolders: readonly string[];
}

/** The files of one profile. */
export interface ProfilePaths {
  readonly folder: string;
  readonly header: string;
  readonly keyset: string;
  readonly vault: string;
  /** Exists while the profile is deactivated. */
  readonly inactive: string;
  /** Exists while somebody has to wait after wrong passphrases. */
  readonly backoff: string;
  /** The folder of the profile's audit chain. */
  readonly audit: string;
}

/** The longest path of a Unix-domain socket in bytes: `sun_path` without its closing zero (unix(7)). */
const maxSocketBytes = 107;

/**
 * The paths that an environment asks for. `HUSH_HOME` puts all of them below one folder; without it they follow the
 * XDG base directories, whose relative values are ignored as that specification demands, with the fallbacks
 * `~/.config` and `~/.local/share`, and the data folder in place of a missing `XDG_RUNTIME_DIR`. `HUSH_CONFIG` and
 * `HUSH_SOCKET` override singly. Relative HUSH_ paths are taken from `cwd`.
 * Throws BAD_REQUEST if neither HUSH_HOME nor HOME is set, or if the socket's path is over 107 bytes.
 */
export function pathsOf(env: Environment, cwd: string = process.cwd()): HomePaths {
  const base = env['HUSH_HOME'] ? baseBelow(resolve(cwd, env['HUSH_HOME'])) : baseOfXdg(env);
  const { home } = base;
  const config = env['HUSH_CONFIG'] ? resolve(cwd, env['HUSH_CONFIG']) : base.config;
  const socket = env['HUSH_SOCKET'] ? resolve(cwd, env['HUSH_SOCKET']) : base.socket;
  if (Buffer.byteLength(socket) > maxSocketBytes) {
    throw new HushError(
      'BAD_REQUEST',
      `the socket's path is longer than ${maxSocketBytes} bytes: ${socket}`,
      {
        hint: 'set HUSH_SOCKET to a shorter path',
      },
    );
  }
  const audit = join(home, 'audit');
  const paths = {
    home,
    config,
    socket,
    lock: join(home, 'hushd.lock'),
    log: join(home, 'hushd.log'),
    clients: join(home, 'clients'),
    noiseKey: join(home, 'noise-key'),
    profiles: join(home, 'profiles'),
    audit,
    daemonAudit: join(audit, 'daemon'),
    profileAudits: join(audit, 'profiles'),
  };
  const ownFolders = new Set([home, paths.profiles, audit, paths.daemonAudit, paths.profileAudits]);
  if (!env['HUSH_CONFIG']) ownFolders.add(dirname(config));
  if (!env['HUSH_SOCKET']) ownFolders.add(dirname(socket));
  return { ...paths, ownFolders: [...ownFolders] };
}

/** The files of a profile below a home. */
export function profilePathsOf(paths: HomePaths, profile: ProfileName): ProfilePaths {
  const folder = join(paths.profiles, profile);
  return {
    folder,
    header: join(folder, 'header'),
    keyset: join(folder, 'keyset'),
    vault: join(folder, 'vault.db'),
    inactive: join(folder, 'inactive'),
    backoff: join(folder, 'backoff'),
    audit: join(paths.profileAudits, profile),
  };
}

type Base = Pick<HomePaths, 'home' | 'config' | 'socket'>;

function baseBelow(home: string): Base {
  return { home, config: join(home, 'config.toml'), socket: join(home, 'hushd.sock') };
}

function baseOfXdg(env: Environment): Base {
  const home = join(xdgFolder(env, 'XDG_DATA_HOME', '.local/share'), 'hushd');
  const runtime = env['XDG_RUNTIME_DIR'];
  return {
    home,
    config: join(xdgFolder(env, 'XDG_CONFIG_HOME', '.config'), 'hushd', 'config.toml'),
    socket: runtime && isAbsolute(runtime) ? join(runtime, 'hushd', 'hushd.sock') : join(home, 'hushd.sock'),
  };
}

function xdgFolder(env: Environment, name: string, fallback: string): string {
  const given = env[name];
  if (given && isAbsolute(given)) return given;
  const home = env['HOME'];
  if (home && isAbsolute(home)) return join(home, fallback);
  throw new HushError('BAD_REQUEST', 'there is no home folder: neither HUSH_HOME nor HOME is set', {
    hint: 'set HUSH_HOME to a folder of your own',
  });
}
