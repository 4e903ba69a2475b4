import { HushError } from '../../protocol/errors.ts';
import {
  deriveLocalKey,
  isLocalHandle,
  notTheDaemons,
  openLocalHandle,
  type OpenedHandle,
} from '../../protocol/local-handle.ts';
import { createAesGcm } from '../keys/aes-gcm.ts';
import type { Coordinate, Handle } from './handles.ts';

const daemonsKmsKey = /^hush:([0-9a-f]{32}):([A-Za-z0-9][A-Za-z0-9_-]{0,63}):v[1-9][0-9]*$/;
/** Of the platform's default provider, whose handles do not name their key. */
const platformsKmsKey = /^local:v[0-9]+$/;

/**
 * The error of a handle that does not open, in the words of where it seems to come from. What the handle says of
 * itself is a hint that anybody may have written: it only chooses between refusals.
 */
export function refusalOf(error: unknown, handle: Handle, vaultId: string, keyring: string): unknown {
  if (!(error instanceof HushError) || !['INTEGRITY', 'NEWER_FORMAT'].includes(error.code)) return error;
  if (isLocalHandle(handle)) return notTheDaemons();
  const [, otherVault, otherKeyring] = daemonsKmsKey.exec(handle.kmsKeyId) ?? [];
  if (otherVault === undefined) return error;
  if (otherVault !== vaultId) {
    return new HushError('INTEGRITY', `the handle was sealed by another vault, ${otherVault}`, {
      hint: 'hush status --json tells the vault of each profile; ask the daemon and the profile that it is of',
    });
  }
  if (otherKeyring === keyring) return error;
  return new HushError('INTEGRITY', `the handle is of the keyring ${otherKeyring}, not of ${keyring}`, {
    hint: 'name the keyring that sealed it',
  });
}

/**
 * Opens a handle that was sealed without the daemon, under the 32 bytes of `oldKey`. The caller wipes the plaintext.
 * Throws EXISTS for a handle of the daemon, WRONG_KEY when another key sealed it, INTEGRITY when it was tampered with
 * or belongs elsewhere, BAD_REQUEST for a key of another length.
 */
export function openOldHandle(place: Coordinate, handle: Handle, oldKey: Uint8Array): OpenedHandle {
  const key = deriveLocalKey(oldKey, createAesGcm);
  try {
    const { namespace, key: name, tenant } = place;
    return openLocalHandle(key, handle, {
      namespace,
      key: name,
      ...(tenant === undefined ? {} : { tenant }),
    });
  } catch (error) {
    if (!isLocalHandle(handle)) {
      throw new HushError('EXISTS', 'the daemon sealed this handle: there is nothing to adopt', {
        hint: 'hush keys rewrap --stdin',
      });
    }
    if (error instanceof HushError && error.code === 'INTEGRITY' && platformsKmsKey.test(handle.kmsKeyId)) {
      throw new HushError('WRONG_KEY', 'the old key does not open the handle, or it is of another place', {
        hint: 'give the OS_SECRET_KEY that sealed it, and its own namespace and key',
      });
    }
    throw error;
  } finally {
    key.close();
  }
}
