import { readKeyText } from '../native/key-file.ts';
import type { ClientKey } from '../noise/client-key.ts';
import { copyBytes, newBytes } from '../protocol/bytes.ts';
import { HushError } from '../protocol/errors.ts';
import type { Environment } from './socket-path.ts';

/** Where the key of an enrolled client comes from. */
export interface ClientKeyOptions {
  /**
   * The bytes of the key file that `hush client add` makes. The client keeps a copy until it is closed; these stay the
   * caller's to wipe.
   */
  readonly clientKey?: Uint8Array;
  /** The path of that file, read at each connecting; by default HUSH_CLIENT_KEY_FILE. */
  readonly clientKeyFile?: string;
}

/** The key of an enrolled client, to be had for each handshake. */
export interface ClientKeySource {
  /** The key, whose private half the caller wipes. Rejects as `clientKeySource` says. */
  read(): Promise<ClientKey>;
  /** Wipes what is kept. */
  wipe(): void;
}

/** No key file is longer, in bytes; one more byte is read to tell a longer one. */
const mostBytes = 1024;

/**
 * The key that the options name, or else the environment; undefined where neither does. Throws BAD_REQUEST for two. Its
 * `read` rejects with BAD_REQUEST for a file that is not there, UNSAFE_MODE for one that others can reach, UNAVAILABLE,
 * and DAMAGED or NEWER_FORMAT for what is no whole key.
 */
export function clientKeySource(
  { clientKey, clientKeyFile }: ClientKeyOptions,
  env: Environment,
): ClientKeySource | undefined {
  if (clientKey !== undefined && clientKeyFile !== undefined) {
    throw new HushError('BAD_REQUEST', 'clientKey and clientKeyFile are both given', {
      hint: 'give the one of the client that is meant',
    });
  }
  if (clientKey !== undefined) {
    const kept = copyBytes(clientKey);
    return { read: () => parsed(kept), wipe: () => kept.fill(0) };
  }
  // An empty variable counts as not set.
  const path = clientKeyFile ?? (env['HUSH_CLIENT_KEY_FILE'] || undefined);
  if (path === undefined) return undefined;
  return { read: () => keyInFile(path), wipe: () => undefined };
}

async function keyInFile(path: string): Promise<ClientKey> {
  const room = newBytes(mostBytes + 1);
  try {
    const text = textIn(path, room);
    if (text !== undefined) return await parsed(text);
    throw new HushError('BAD_REQUEST', `the client key file does not exist: ${path}`, {
      hint: 'hush client add NAME --key-file FILE, on the host of the daemon, makes one',
    });
  } finally {
    room.fill(0);
  }
}

function textIn(path: string, room: Uint8Array): Uint8Array | undefined {
  try {
    return readKeyText({ what: 'the client key file', path, forbiddenMode: 0o077 }, room);
  } catch (error) {
    if (error instanceof HushError) throw error;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new HushError('UNAVAILABLE', `the client key file ${path} cannot be read: ${reason}`, {
      hint: `ls -l ${path}`,
      cause: error,
    });
  }
}

/** Whoever is not enrolled needs none of what a handshake loads. */
async function parsed(file: Uint8Array): Promise<ClientKey> {
  const { parseClientKey } = await import('../noise/client-key.ts');
  return parseClientKey(file);
}
