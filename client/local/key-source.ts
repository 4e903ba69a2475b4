import { readKeyText } from '../../native/key-file.ts';
import { newBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { masterKeyBytes, masterKeyTextBytes, parseMasterKey } from '../../protocol/master-key-text.ts';
import type { Environment } from '../socket-path.ts';

/**
 * The stable key that an environment gives: OS_SECRET_KEY, or the file that OS_SECRET_KEY_FILE names; undefined where
 * neither is set. The caller wipes it. Throws BAD_REQUEST when both are set or what is there is no key, and what
 * `keyFromFile` throws.
 */
export function keyFromEnvironment(env: Environment): Uint8Array<ArrayBuffer> | undefined {
  const text = env['OS_SECRET_KEY'];
  const file = env['OS_SECRET_KEY_FILE'];
  if (text !== undefined && file !== undefined) {
    throw new HushError('BAD_REQUEST', 'OS_SECRET_KEY and OS_SECRET_KEY_FILE are both set', {
      hint: 'unset the one that does not hold the key of your data',
    });
  }
  if (file !== undefined) return keyFromFile(file, 'the key file of OS_SECRET_KEY_FILE');
  if (text === undefined) return undefined;
  // The environment has the key as a string that nothing can wipe; the bytes at least are.
  const bytes = new TextEncoder().encode(text);
  try {
    return parsed(bytes, 'OS_SECRET_KEY');
  } finally {
    bytes.fill(0);
  }
}

/**
 * The key in a file that is there already. The caller wipes it. Throws UNSAFE_MODE when others can reach the file,
 * BAD_REQUEST when it is not there or holds no key, UNAVAILABLE when it cannot be read.
 */
export function keyFromFile(path: string, what = 'the key file'): Uint8Array<ArrayBuffer> {
  const key = keyFromFileIfThere(path, what);
  if (key !== undefined) return key;
  throw new HushError('BAD_REQUEST', `${what} does not exist: ${path}`, {
    hint: 'put the file back from a backup: another key would open nothing that this one sealed',
  });
}

/** As `keyFromFile`, but undefined when the file is not there. */
export function keyFromFileIfThere(path: string, what: string): Uint8Array<ArrayBuffer> | undefined {
  const room = newBytes(masterKeyTextBytes);
  try {
    const text = readText(path, what, room);
    return text && parsed(text, `${what} ${path}`);
  } finally {
    room.fill(0);
  }
}

function readText(path: string, what: string, room: Uint8Array): Uint8Array | undefined {
  try {
    return readKeyText({ what, path, forbiddenMode: 0o077 }, room);
  } catch (error) {
    if (error instanceof HushError) throw error;
    throw systemError(`${what} ${path} cannot be read`, error);
  }
}

/** The error for what the system refused: UNAVAILABLE. */
export function systemError(what: string, error: unknown): HushError {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new HushError('UNAVAILABLE', `${what}: ${reason}`, { hint: '', cause: error });
}

function parsed(text: Uint8Array, what: string): Uint8Array<ArrayBuffer> {
  const key = newBytes(masterKeyBytes);
  parseMasterKey(text, key, what);
  return key;
}
