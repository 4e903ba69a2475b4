import { randomBytes } from '@noble/ciphers/utils.js';
import { HushError } from '../../protocol/errors.ts';
import { NoStableKeyError } from '../local/no-stable-key.ts';
import type { Environment } from '../socket-path.ts';
import { base64Of, bytesOfBase64, isKid } from './envelope.ts';

/** Keys by their names, one of which seals. */
export interface CredentialKeyring {
  /** The kid of the key that seals. */
  readonly activeKid: string;
  /** The kids of all keys that open. */
  readonly kids: readonly string[];
  /** The 32 bytes of a key, which stay the keyring's; undefined if there is none of that kid. */
  keyOf(kid: string): Uint8Array | undefined;
}

const keyBytes = 32;
const defaultKid = 'v1';
const ways =
  'set CONNECTOR_CRED_KEY to the base64 of 32 bytes (hush keygen prints some), or CONNECTOR_CRED_KEYS to a JSON map of ' +
  'kid to base64 and CONNECTOR_CRED_ACTIVE_KID to one of its kids, or leave the keys in hushd with keyringFromDaemon';

/**
 * The keyring that an environment gives: CONNECTOR_CRED_KEY (base64 of 32 bytes) under the name CONNECTOR_CRED_KID, by
 * default `v1`; or CONNECTOR_CRED_KEYS (a JSON map of kid to base64) with CONNECTOR_CRED_ACTIVE_KID. An empty variable
 * counts as not set. Throws `NoStableKeyError` when neither is there, BAD_REQUEST when both are, or when one holds what
 * is no key.
 */
export function keyringFromEnv(env: Environment = process.env): CredentialKeyring {
  const one = env['CONNECTOR_CRED_KEY'];
  const many = env['CONNECTOR_CRED_KEYS'];
  if (one && many) {
    throw new HushError('BAD_REQUEST', 'CONNECTOR_CRED_KEY and CONNECTOR_CRED_KEYS are both set', {
      hint: 'put the one key into the map, and unset CONNECTOR_CRED_KEY',
    });
  }
  if (many) return keyringOf(keysOfMap(many), env['CONNECTOR_CRED_ACTIVE_KID']);
  if (!one) throw new NoStableKeyError('there is no key for credentials', ways);
  const kid = env['CONNECTOR_CRED_KID'] || defaultKid;
  if (!isKid(kid)) throw new HushError('BAD_REQUEST', 'CONNECTOR_CRED_KID is longer than 256 characters');
  return keyringOf(new Map([[kid, keyOfBase64(one, 'CONNECTOR_CRED_KEY')]]), kid);
}

/** A new random key: the base64 of 32 bytes. */
export function generateKeyBase64(): string {
  const key = randomBytes(keyBytes);
  try {
    return base64Of(key);
  } finally {
    key.fill(0);
  }
}

function keyringOf(keys: ReadonlyMap<string, Uint8Array>, activeKid = ''): CredentialKeyring {
  if (!keys.has(activeKid)) {
    const missing = activeKid === '' ? 'is not set' : 'names none of the keys in CONNECTOR_CRED_KEYS';
    throw new HushError('BAD_REQUEST', `CONNECTOR_CRED_ACTIVE_KID ${missing}`, {
      hint: 'set it to the kid that seals from now on',
    });
  }
  return { activeKid, kids: [...keys.keys()], keyOf: (kid) => keys.get(kid) };
}

function keysOfMap(text: string): ReadonlyMap<string, Uint8Array> {
  const entries = entriesOf(text);
  if (entries === undefined) {
    throw new HushError('BAD_REQUEST', 'CONNECTOR_CRED_KEYS is not a JSON map of kid to base64', {
      hint: 'such as {"v1":"<base64 of 32 bytes>","v2":"…"}',
    });
  }
  const keys = new Map<string, Uint8Array>();
  for (const [kid, key] of entries) {
    if (!isKid(kid))
      throw new HushError('BAD_REQUEST', 'CONNECTOR_CRED_KEYS has a kid of none or over 256 characters');
    keys.set(kid, keyOfBase64(key, `the key ${JSON.stringify(kid)} in CONNECTOR_CRED_KEYS`));
  }
  return keys;
}

function entriesOf(text: string): readonly [string, unknown][] | undefined {
  try {
    const map: unknown = JSON.parse(text);
    return typeof map === 'object' && map !== null && !Array.isArray(map) ? Object.entries(map) : undefined;
  } catch {
    return undefined;
  }
}

function keyOfBase64(text: unknown, what: string): Uint8Array {
  const bytes = bytesOfBase64(text) ?? bytesOfBase64(`${String(text)}=`);
  if (bytes?.length === keyBytes) return bytes;
  bytes?.fill(0);
  throw new HushError('BAD_REQUEST', `${what} is not a key: it is not the base64 of exactly 32 bytes`, {
    hint: 'hush keygen',
  });
}
