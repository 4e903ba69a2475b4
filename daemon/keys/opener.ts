import sodium from 'sodium-native';

import { HushError } from '../../protocol/errors.ts';
import { equalBytes, newBytes, wipe } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { shareInfo, vaultKeyInfo } from './contexts.ts';
import type { Opener, Slot } from './header.ts';
import { hpkeOpen, hpkeSeal, publicKeyOf } from './hpke.ts';
import { randomPublic } from './slot.ts';
import { base64Of, checkedBase64, hexOf } from './text.ts';

const unsealable = (what: string): HushError =>
  new HushError('INTEGRITY', `the profile's header was tampered with: ${what} does not open`, {
    hint: 'restore the header from a backup that you trust',
  });

const newId = (): string => hexOf(randomPublic(8));

/** The opener that is one slot: the vault key sealed to the slot's public half. Its id is new unless it is given. */
export function makeSingleOpener(vaultId: string, slot: Slot, vaultKey: Uint8Array, id = newId()): Opener {
  return {
    id,
    slots: [slot.id],
    public: slot.public,
    sealed: base64Of(hpkeSeal(checkedBase64(slot.public), vaultKeyInfo(vaultId, id), vaultKey)),
  };
}

/**
 * The opener that takes all of two or more slots: its private half is the XOR of one random share a slot, each sealed
 * to its slot, so that all but one of them together say nothing. Its id is new unless it is given.
 */
export function makeGroupOpener(
  vaultId: string,
  slots: readonly Slot[],
  vaultKey: Uint8Array,
  id = newId(),
): Opener {
  if (slots.length < 2) throw new RangeError('a group has two slots or more');
  const privateKey = newBytes(32);
  const share = newBytes(32);
  try {
    const shares = slots.map((slot) => {
      sodium.randombytes_buf(share);
      xorInto(privateKey, share);
      const sealed = hpkeSeal(checkedBase64(slot.public), shareInfo(vaultId, id, slot.id), share);
      return { slot: slot.id, sealed: base64Of(sealed) };
    });
    const publicKey = publicKeyOf(privateKey);
    return {
      id,
      slots: slots.map((slot) => slot.id),
      public: base64Of(publicKey),
      shares,
      sealed: base64Of(hpkeSeal(publicKey, vaultKeyInfo(vaultId, id), vaultKey)),
    };
  } finally {
    wipe(privateKey, share);
  }
}

function xorInto(target: Uint8Array, source: Uint8Array): void {
  for (const [index, byte] of source.entries()) target[index] = (target[index] ?? 0) ^ byte;
}

/** The vault key sealed anew to an opener, with nobody present: `vault key` rotation re-seals for all of them. */
export function resealOpener(vaultId: string, opener: Opener, vaultKey: Uint8Array): Opener {
  const sealed = hpkeSeal(checkedBase64(opener.public), vaultKeyInfo(vaultId, opener.id), vaultKey);
  return { ...opener, sealed: base64Of(sealed) };
}

/** The private half of a group from its members' private halves. Throws INTEGRITY when the shares do not fit. */
function joinShares(
  vaultId: string,
  opener: Opener,
  privateKeys: ReadonlyMap<string, SecureBytes>,
  out: Uint8Array,
): void {
  const share = newBytes(32);
  try {
    for (const { slot, sealed } of opener.shares ?? []) {
      const key = privateKeys.get(slot);
      const opened =
        key !== undefined &&
        hpkeOpen(key.bytes, shareInfo(vaultId, opener.id, slot), checkedBase64(sealed), share);
      if (!opened) throw unsealable('a share of a group');
      xorInto(out, share);
    }
    if (!equalBytes(publicKeyOf(out), checkedBase64(opener.public))) throw unsealable('a group');
  } finally {
    wipe(share);
  }
}

/**
 * The vault key out of an opener, given the private halves of all its slots by slot id; in arena memory that the
 * caller wipes. Throws INTEGRITY when it does not open: the halves were right, so the header is not.
 */
export function openOpener(
  vaultId: string,
  opener: Opener,
  privateKeys: ReadonlyMap<string, SecureBytes>,
  arena: SecureArena,
): SecureBytes {
  const privateKey = newBytes(32);
  const vaultKey = arena.allocate(32);
  try {
    const [only] = opener.slots;
    const single = opener.shares === undefined && only !== undefined ? privateKeys.get(only) : undefined;
    if (single === undefined) joinShares(vaultId, opener, privateKeys, privateKey);
    else privateKey.set(single.bytes);
    const info = vaultKeyInfo(vaultId, opener.id);
    if (!hpkeOpen(privateKey, info, checkedBase64(opener.sealed), vaultKey.bytes)) {
      throw unsealable('the sealed vault key');
    }
    return vaultKey;
  } catch (error) {
    vaultKey.wipe();
    throw error;
  } finally {
    wipe(privateKey);
  }
}
