import { closeSync, fstatSync, readSync } from 'node:fs';

import { HushError } from '../protocol/errors.ts';
import { keyDescriptorVariable } from './bootstrap.ts';
import { readCredential, readKeyFile } from './key-file.ts';
import { masterKeyBytes } from '../protocol/master-key-text.ts';
import { newBytes } from './memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from './memory/secure-bytes.ts';

/** A master key that needs no person, and where it came from. */
export interface FoundMasterKey {
  readonly source: 'key-file' | 'credential' | 'environment';
  /** 32 bytes; the caller wipes them. */
  readonly key: SecureBytes;
}

/** Where to look for a master key. */
export interface MasterKeyPlaces {
  /** The path given by `--key-file`. */
  readonly keyFile?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The master key to open a profile with at start, from the first of: the file of `--key-file`, the systemd
 * credential `hushd-master-key`, HUSH_MASTER_KEY. Undefined when there is none. What came by the environment is taken
 * out of it in any case. Throws as `readKeyFile` and `takeMasterKey` do.
 */
export function findMasterKey(places: MasterKeyPlaces, arena: SecureArena): FoundMasterKey | undefined {
  const fromEnvironment = takeMasterKey(places.env, arena);
  try {
    const found = findInFiles(places, arena);
    if (found === undefined) return fromEnvironment && { source: 'environment', key: fromEnvironment };
    fromEnvironment?.wipe();
    return found;
  } catch (error) {
    fromEnvironment?.wipe();
    throw error;
  }
}

/**
 * The key that the bootstrap took out of HUSH_MASTER_KEY, read from the pipe it was put into; the pipe is closed and
 * its variable removed, so that a second call finds nothing. Throws UNAVAILABLE when the pipe does not hold one key.
 */
export function takeMasterKey(env: NodeJS.ProcessEnv, arena: SecureArena): SecureBytes | undefined {
  const text = env[keyDescriptorVariable];
  if (text === undefined) return undefined;
  Reflect.deleteProperty(env, keyDescriptorVariable);
  const key = arena.allocate(masterKeyBytes);
  try {
    if (/^\d{1,9}$/.test(text) && readFromPipe(Number(text), key.bytes)) return key;
  } catch (error) {
    key.wipe();
    throw lostKey(error);
  }
  key.wipe();
  throw lostKey();
}

function findInFiles({ keyFile, env }: MasterKeyPlaces, arena: SecureArena): FoundMasterKey | undefined {
  if (keyFile !== undefined) return { source: 'key-file', key: readKeyFile(keyFile, arena) };
  const key = readCredential(env, arena);
  return key && { source: 'credential', key };
}

/** Whether the descriptor is a pipe that held exactly one key, which then is in `key`; the pipe is closed. */
function readFromPipe(fd: number, key: Uint8Array): boolean {
  if (!fstatSync(fd).isFIFO()) return false;
  try {
    return readSync(fd, key) === key.length && readSync(fd, newBytes(1)) === 0;
  } finally {
    closeSync(fd);
  }
}

const lostKey = (cause?: unknown): HushError =>
  new HushError('UNAVAILABLE', 'the key from HUSH_MASTER_KEY did not reach the daemon', {
    hint: 'start it as hushd, or by hush start',
    cause,
  });
