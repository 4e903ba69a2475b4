import { HushError } from '../../protocol/errors.ts';
import type { Vault } from '../vault/vault.ts';
import type { Context } from './handler.ts';

/** The open vault of a profile. Throws LOCKED. */
export const vaultOf = (context: Context, profile: string): Vault => context.profiles.vault(profile);

/** Throws TOO_LARGE for what is over the limit that `hello` told under that name. */
export function requireSize(bytes: Uint8Array, limit: number, name: 'valueBytes' | 'plaintextBytes'): void {
  if (bytes.byteLength > limit) {
    throw new HushError('TOO_LARGE', `the value has ${bytes.byteLength} bytes, the limit is ${limit}`, {
      limit: name,
    });
  }
}
