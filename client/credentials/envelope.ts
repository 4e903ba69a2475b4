import { newBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';

/** Sealed credentials as they are stored: JSON of exactly these fields (docs/formats.md, "Credential envelopes"). */
export interface CredentialEnvelope {
  readonly __enc: 1;
  /** Which key sealed it. */
  readonly kid: string;
  /** Base64 of the 12-byte nonce. */
  readonly iv: string;
  /** Base64 of the ciphertext and its 16-byte tag. */
  readonly ct: string;
}

/** The fields of an envelope, decoded. */
export interface EnvelopeParts {
  readonly kid: string;
  readonly iv: Uint8Array;
  readonly ct: Uint8Array;
}

export const ivBytes = 12;
export const tagBytes = 16;

const maxKidLength = 256;
const fields = ['__enc', 'kid', 'iv', 'ct'];

/**
 * Whether a value is marked as an envelope: an object whose `__enc` is 1. What is marked is never taken for plain
 * credentials, however broken it is.
 */
export function isEncrypted(value: unknown): value is { readonly __enc: 1 } {
  return typeof value === 'object' && value !== null && '__enc' in value && value.__enc === 1;
}

/** The parts of a marked envelope. Throws DAMAGED that names the field and never its content. */
export function parseEnvelope(envelope: { readonly __enc: 1 }): EnvelopeParts {
  const other = Object.keys(envelope).find((name) => !fields.includes(name));
  if (other !== undefined) throw malformed('it has a field too many');
  // Of the other fields nothing is known yet.
  const { kid, iv, ct } = envelope as Partial<Record<keyof CredentialEnvelope, unknown>>;
  if (!isKid(kid)) throw malformed('kid is not a text of 1 to 256 characters');
  const ivDecoded = bytesOfBase64(iv);
  if (ivDecoded?.length !== ivBytes) throw malformed(`iv is not the base64 of ${ivBytes} bytes`);
  const ctDecoded = bytesOfBase64(ct);
  if (ctDecoded === undefined || ctDecoded.length < tagBytes) {
    throw malformed(`ct is not the base64 of ${tagBytes} bytes or more`);
  }
  return { kid, iv: ivDecoded, ct: ctDecoded };
}

/** A marked envelope itself, once it has turned out to be one. Throws DAMAGED. */
export function checkedEnvelope(envelope: { readonly __enc: 1 }): CredentialEnvelope {
  parseEnvelope(envelope);
  // It has all fields, of these types.
  return envelope as CredentialEnvelope;
}

/** The envelope of its parts. */
export function envelopeOf({ kid, iv, ct }: EnvelopeParts): CredentialEnvelope {
  return { __enc: 1, kid, iv: base64Of(iv), ct: base64Of(ct) };
}

/** Whether a value can be the name of a key. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxKidLength && value.isWellFormed();
}

/** The JSON of credentials. Throws BAD_REQUEST for what JSON cannot hold. */
export function jsonOf(credentials: unknown): string {
  let json: string | undefined;
  try {
    // What JSON has no word for, such as undefined, comes out as undefined, which the type does not say.
    json = JSON.stringify(credentials);
  } catch {
    json = undefined;
  }
  if (json !== undefined) return json;
  throw new HushError('BAD_REQUEST', 'the credentials cannot be written as JSON');
}

/** The credentials that the JSON holds. Throws INTEGRITY for what is no JSON, without a word of it. */
export function credentialsOf(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    throw new HushError('INTEGRITY', 'the envelope opens, and holds no JSON');
  }
}

/** The error for a kid that a keyring does not have. */
export function unknownKid(kid: string): HushError {
  const ofDaemon = kid.startsWith('hush:');
  return new HushError(
    'WRONG_KEY',
    `the keyring has no key of the kid ${JSON.stringify(kid.slice(0, 160))}`,
    {
      hint: ofDaemon
        ? 'open it with keyringFromDaemon, on the profile and keyring that the kid names'
        : 'add that key to CONNECTOR_CRED_KEYS',
    },
  );
}

/** The error for a tag that does not fit. */
export function doesNotOpen(): HushError {
  return new HushError('INTEGRITY', 'the envelope was tampered with, or the key of its kid is another one');
}

const malformed = (why: string): HushError =>
  new HushError('DAMAGED', `the envelope is malformed: ${why}`, { hint: 'restore it from a backup' });

/** Base64 in its canonical spelling. */
export const base64Of = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');

/**
 * The bytes of base64 in its one canonical spelling, else undefined. They may be a key: they have memory of their own,
 * off V8's heap, the caller's to wipe.
 */
export function bytesOfBase64(text: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = newBytes(Buffer.byteLength(text, 'base64'));
  const written = Buffer.from(bytes.buffer).write(text, 'base64');
  if (written === bytes.length && base64Of(bytes) === text) return bytes;
  bytes.fill(0);
  return undefined;
}
