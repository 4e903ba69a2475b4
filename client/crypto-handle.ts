import { HushError } from '../protocol/errors.ts';
import type { CryptoContext } from './crypto-context.ts';

/** A sealed value as the platform keeps it; the ciphertext (base64) says everything about itself. */
export interface CryptoHandle {
  readonly id: string;
  readonly kmsKeyId: string;
  readonly alg: string;
  readonly version: number;
  readonly ciphertext: string;
}

/** The platform's interface. Errors are `HushError`s that name hushd and hold no value and no path. */
export interface ICryptoProvider {
  /** Seals a string of any content, the empty one too. Rejects with BAD_REQUEST or TOO_LARGE before it is sent. */
  encrypt(plain: string, ctx: CryptoContext): Promise<CryptoHandle>;
  /** Opens a handle. Rejects on any mismatch of handle and context; the tenant need not be given. */
  decrypt(handle: CryptoHandle, ctx: CryptoContext): Promise<string>;
  /** Seals the same plaintext under the newest key: same id, higher version. In the daemon it never leaves it. */
  rotateKey(handle: CryptoHandle, ctx: CryptoContext): Promise<CryptoHandle>;
  /** HMAC-SHA-256 in hex under a key of its own; the same on every node, after restarts and rotations. */
  digest(plain: string): string;
}

/** The five fields of a handle, whatever else the row holds that it was made of. Throws BAD_REQUEST for no handle at all. */
export function handleOf(handle: CryptoHandle): CryptoHandle {
  // The platform's callers are JavaScript: what the types promise is not always what comes.
  const given: unknown = handle;
  if (typeof given !== 'object' || given === null) throw new HushError('BAD_REQUEST', 'there is no handle');
  const { id, kmsKeyId, alg, version, ciphertext } = handle;
  return { id, kmsKeyId, alg, version, ciphertext };
}
