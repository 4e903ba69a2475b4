import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { newBytes } from './bytes.ts';
import { HushError } from './errors.ts';

/** A handle as the platform keeps it, in the fields that tell what sealed it. */
export interface LocalHandle {
  readonly id: string;
  readonly kmsKeyId: string;
  readonly version: number;
  /** Base64. */
  readonly ciphertext: string;
}

/** What a handle belongs to; a tenant that is given must be the one in the handle. */
export interface LocalPlace {
  readonly namespace: string;
  readonly key: string;
  readonly tenant?: string;
}

/** AES-256-GCM under one key, with 12-byte nonces and 16-byte tags, on memory of the caller. */
export interface Gcm {
  /** Writes ciphertext and tag into `out`, which is 16 bytes longer than `plain`. */
  seal(nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array, out: Uint8Array): void;
  /** Writes the plaintext of ciphertext and tag into `out`, 16 bytes shorter; false, and zeros, if the tag is wrong. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean;
  /** Drops the key. */
  close(): void;
}

/** A 32-byte key that seals without a daemon, in the parts that do so. */
export interface LocalKey {
  /** 16 hex digits that tell this key from others, and say nothing else of it. */
  readonly id: string;
  /** Seals and opens local handles. */
  readonly own: Gcm;
  /** Opens what the platform's default provider sealed under the same key. */
  readonly platform: Gcm;
  /** 32 bytes for HMAC-SHA-256. */
  readonly digestKey: Uint8Array<ArrayBuffer>;
  /** Drops and wipes all of them. */
  close(): void;
}

/** What came out of a handle. */
export interface OpenedHandle {
  /** The caller wipes it. */
  readonly plaintext: Uint8Array<ArrayBuffer>;
  /** The tenant it was sealed for: `''` if for none, undefined where the handle does not say (the platform's default). */
  readonly tenant: string | undefined;
  /** The highest version that handle and ciphertext tell. */
  readonly revision: number;
}

/** First byte of a local handle: far from the daemon's formats, which are 1 to 15 (docs/formats.md). */
const localFormat = 0x41;
const aes256Gcm = 1;
const keyBytes = 32;
const idBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
/** Format, algorithm, key id, revision and the length of the tenant. */
const headBytes = 2 + idBytes + 4 + 2;
const leastBody = nonceBytes + tagBytes;
/** Base64 of the bytes 0x41 0x01 is `QQ` and one of these. */
const localStart = /^QQ[E-H]/;
/** Base64 of the bytes 0x02 0x01, with which the daemon's handles start. */
const daemonStart = /^Ag[E-H]/;
/** Of ours, `local:<16 hex digits>`, and of the platform's default provider, `local:v<n>`. */
const localKmsKey = /^local:[0-9a-z]/;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * The parts of a 32-byte key, which stays the caller's to wipe: HKDF-SHA-256 (RFC 5869, no salt) with one info a
 * purpose. `gcmOf` makes the ciphers, and copies the key that it is given. Throws BAD_REQUEST for another length.
 */
export function deriveLocalKey(secret: Uint8Array, gcmOf: (key: Uint8Array) => Gcm): LocalKey {
  if (secret.length !== keyBytes) throw new HushError('BAD_REQUEST', 'a local key has exactly 32 bytes');
  const part = (purpose: string, length: number): Uint8Array =>
    hkdf(sha256, secret, undefined, utf8(`hushd v1 local ${purpose}`), length);
  const sealingKey = part('handle key, AES-256-GCM', keyBytes);
  const digestPart = part('digest key, HMAC-SHA-256', keyBytes);
  const digestKey = newBytes(keyBytes);
  try {
    digestKey.set(digestPart);
    const own = gcmOf(sealingKey);
    const platform = gcmOf(secret);
    return {
      id: hexOf(part('key id', idBytes)),
      own,
      platform,
      digestKey,
      close() {
        own.close();
        platform.close();
        digestKey.fill(0);
      },
    };
  } finally {
    sealingKey.fill(0);
    digestPart.fill(0);
  }
}

/** Whether a handle was sealed without the daemon: by a local key of ours, or by the platform's default provider. */
export function isLocalHandle({
  kmsKeyId,
  ciphertext,
}: Pick<LocalHandle, 'kmsKeyId' | 'ciphertext'>): boolean {
  return localStart.test(ciphertext) || (localKmsKey.test(kmsKeyId) && !daemonStart.test(ciphertext));
}

/** The `kmsKeyId` of handles that a local key seals. */
export const localKmsKeyId = ({ id }: Pick<LocalKey, 'id'>): string => `local:${id}`;

/** The base64 of a sealed handle. `nonce` is 12 random bytes, never used before; revision is a u32. */
export function sealLocalHandle(
  key: LocalKey,
  place: LocalPlace & { readonly id: string; readonly revision: number },
  nonce: Uint8Array,
  plaintext: Uint8Array,
): string {
  const tenant = utf8(place.tenant ?? '');
  const body = headBytes + tenant.length;
  const form = newBytes(body + leastBody + plaintext.length);
  const view = new DataView(form.buffer);
  form[0] = localFormat;
  form[1] = aes256Gcm;
  form.set(Buffer.from(key.id, 'hex'), 2);
  view.setUint32(2 + idBytes, place.revision);
  view.setUint16(2 + idBytes + 4, tenant.length);
  form.set(tenant, headBytes);
  form.set(nonce, body);
  const aad = aadOf(key.id, place.id, place, place.tenant ?? '', place.revision);
  key.own.seal(nonce, aad, plaintext, form.subarray(body + nonceBytes));
  return Buffer.from(form.buffer).toString('base64');
}

/**
 * Opens a handle that was sealed under a local key, or by the platform's default provider under the same 32 bytes: the
 * ciphertext says which, whatever stands in the other columns. Throws WRONG_KEY when another key sealed it, or the
 * daemon; INTEGRITY when it was tampered with or belongs elsewhere. What the platform's provider sealed does not name
 * its key, so there a wrong key is INTEGRITY too.
 */
export function openLocalHandle(key: LocalKey, handle: LocalHandle, place: LocalPlace): OpenedHandle {
  const bytes = Buffer.from(handle.ciphertext, 'base64');
  if (bytes.toString('base64') !== handle.ciphertext) throw tampered();
  const sealedBy = localKeyIdOf(bytes);
  if (sealedBy === key.id) return openOwn(key, handle, place, bytes);
  const opened = openPlatform(key, handle, place, bytes);
  if (opened !== undefined) return opened;
  if (daemonStart.test(handle.ciphertext) && !localKmsKey.test(handle.kmsKeyId)) throw sealedByDaemon();
  if (sealedBy === undefined) throw tampered('or another key sealed it');
  throw new HushError(
    'WRONG_KEY',
    `the handle was sealed under the local key ${sealedBy}, and the key given is ${key.id}`,
    { hint: 'give the key that the handle was sealed under' },
  );
}

/** The error for a handle whose tenant is not the one that the caller named. */
export function ofAnotherTenant(): HushError {
  return new HushError('INTEGRITY', 'the handle belongs to another tenant', {
    hint: 'name the tenant of its encryption, or none: the handle holds it',
  });
}

/** The error for a local handle where the daemon's are wanted. */
export function notTheDaemons(): HushError {
  return new HushError('WRONG_KEY', 'the handle was sealed by a local key, not by the daemon', {
    hint: 'hush keys adopt --stdin',
  });
}

const sealedByDaemon = (): HushError =>
  new HushError('WRONG_KEY', 'the handle was sealed by the daemon, and no local key opens it', {
    hint: 'set HUSH_SOCKET or HUSH_HOME to use the daemon; hush keys adopt --stdin moves local handles to it',
  });

const tampered = (other = ''): HushError =>
  new HushError('INTEGRITY', `the handle was tampered with${other === '' ? '' : `, ${other}`}`, {
    hint: 'check that handle, namespace, key and tenant are those of its encryption',
  });

/** The id of the local key that sealed the bytes, or undefined if they do not look like a local handle. */
function localKeyIdOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== localFormat || bytes[1] !== aes256Gcm || bytes.length < headBytes + leastBody)
    return undefined;
  return hexOf(bytes.subarray(2, 2 + idBytes));
}

function openOwn(key: LocalKey, handle: LocalHandle, place: LocalPlace, bytes: Buffer): OpenedHandle {
  const revision = bytes.readUInt32BE(2 + idBytes);
  const body = headBytes + bytes.readUInt16BE(2 + idBytes + 4);
  if (bytes.length < body + leastBody) throw tampered();
  const tenant = bytes.toString('utf8', headBytes, body);
  if (place.tenant !== undefined && place.tenant !== tenant) {
    throw ofAnotherTenant();
  }
  const sealed = bytes.subarray(body + nonceBytes);
  const plaintext = newBytes(sealed.length - tagBytes);
  const aad = aadOf(key.id, handle.id, place, tenant, revision);
  if (!key.own.open(bytes.subarray(body, body + nonceBytes), aad, sealed, plaintext)) throw tampered();
  return { plaintext, tenant, revision: Math.max(revision, handle.version) };
}

/** What the platform's default provider sealed: nonce, tag, ciphertext, with `namespace|key` as its AAD. */
function openPlatform(
  key: LocalKey,
  handle: LocalHandle,
  place: LocalPlace,
  bytes: Uint8Array,
): OpenedHandle | undefined {
  if (bytes.length < leastBody) return undefined;
  const sealed = newBytes(bytes.length - nonceBytes);
  sealed.set(bytes.subarray(leastBody));
  sealed.set(bytes.subarray(nonceBytes, leastBody), bytes.length - leastBody);
  const plaintext = newBytes(bytes.length - leastBody);
  const aad = utf8(`${place.namespace}|${place.key}`);
  if (!key.platform.open(bytes.subarray(0, nonceBytes), aad, sealed, plaintext)) return undefined;
  return { plaintext, tenant: undefined, revision: handle.version };
}

/** Each field as its length in bytes (u32, big-endian) and its UTF-8. */
function aadOf(keyId: string, id: string, place: LocalPlace, tenant: string, revision: number): Uint8Array {
  const fields = [
    'hushd',
    String(localFormat),
    'handle',
    keyId,
    id,
    place.namespace,
    place.key,
    tenant,
    String(revision),
  ].map(utf8);
  const aad = newBytes(fields.reduce((length, field) => length + 4 + field.length, 0));
  const view = new DataView(aad.buffer);
  let offset = 0;
  for (const field of fields) {
    view.setUint32(offset, field.length);
    aad.set(field, offset + 4);
    offset += 4 + field.length;
  }
  return aad;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
