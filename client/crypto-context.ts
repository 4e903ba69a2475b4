import { HushError } from '../protocol/errors.ts';
import { newBytes } from '../protocol/bytes.ts';

/** What a sealed value belongs to, as the platform names it. */
export interface CryptoContext {
  namespace: string;
  key: string;
  tenantId?: string;
}

/** The longest namespace, key and tenant, in UTF-16 units: what the platform's columns hold. */
const maxCoordinate = 128;

/** The coordinate on the wire; a tenant of null counts as none. Throws BAD_REQUEST, naming the field only. */
export function coordinateOf(ctx: CryptoContext): { namespace: string; key: string; tenant?: string } {
  // The platform's callers are JavaScript: what the types promise is not always what comes.
  const given: unknown = ctx;
  if (typeof given !== 'object' || given === null)
    throw new HushError('BAD_REQUEST', 'there is no crypto context');
  const { namespace, key, tenantId } = given as Partial<Record<keyof CryptoContext, unknown>>;
  return {
    namespace: coordinate('namespace', namespace),
    key: coordinate('key', key),
    ...(tenantId === undefined || tenantId === null ? {} : { tenant: coordinate('tenantId', tenantId) }),
  };
}

function coordinate(field: string, value: unknown): string {
  if (typeof value !== 'string') throw new HushError('BAD_REQUEST', `${field} is not a string`);
  if (value === '') throw new HushError('BAD_REQUEST', `${field} is empty`);
  if (value.length > maxCoordinate) {
    throw new HushError(
      'BAD_REQUEST',
      `${field} has ${value.length} characters, the limit is ${maxCoordinate}`,
    );
  }
  if (!value.isWellFormed()) throw new HushError('BAD_REQUEST', `${field} is not well-formed Unicode`);
  return value;
}

/**
 * The UTF-8 of a plaintext, off V8's heap; the caller wipes it.
 * Throws BAD_REQUEST for what would not come back the same: no string, or one with lone surrogates.
 */
export function plaintextOf(plain: string): Uint8Array<ArrayBuffer> {
  const given: unknown = plain;
  if (typeof given !== 'string') throw new HushError('BAD_REQUEST', 'the plaintext is not a string');
  if (!given.isWellFormed()) throw new HushError('BAD_REQUEST', 'the plaintext is not well-formed Unicode');
  const bytes = newBytes(Buffer.byteLength(given));
  new TextEncoder().encodeInto(given, bytes);
  return bytes;
}

/** The text of a plaintext. Throws INTEGRITY when it is not UTF-8, as nothing is that this client sealed. */
export function textOf(plaintext: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plaintext);
  } catch {
    throw new HushError('INTEGRITY', 'the plaintext is not text');
  }
}
