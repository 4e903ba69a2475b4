import { randomFillSync } from 'node:crypto';

import { HushError } from '../../protocol/errors.ts';
import { ofAnotherTenant } from '../../protocol/local-handle.ts';
import type { Dek } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import { parseSealedHandle, type SealedHandle, type Sealer } from '../keys/sealed.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { openOldHandle, refusalOf } from './foreign-handle.ts';
import { kmsKeyId, type KeyLines } from './key-lines.ts';
import type { Ledger } from './ledger.ts';

/** A value that the platform keeps in its own database; `ciphertext` is base64 and says everything about itself. */
export interface Handle {
  readonly id: string;
  readonly kmsKeyId: string;
  readonly alg: string;
  readonly version: number;
  readonly ciphertext: string;
}

/** Where a platform value belongs; a tenant that is given must be the one in the handle. */
export interface Coordinate {
  readonly keyring: string;
  readonly namespace: string;
  readonly key: string;
  readonly tenant?: string | undefined;
}

/** Whether the caller may open what was sealed for this tenant, `''` where it was sealed for none. */
export type MayOpen = (tenant: string) => boolean;

/** Encryption for the platform: nothing of it is stored here. */
export interface Handles {
  /**
   * Seals a value under the newest key of its keyring and tenant, which is made if there was none. Throws BAD_REQUEST,
   * LIMIT_EXCEEDED, KEY_DESTROYED, UNAVAILABLE.
   */
  encrypt(place: Coordinate, plaintext: Uint8Array): Handle;
  /**
   * The plaintext, which the caller wipes. `mayOpen` is asked of the tenant in the handle where `place` names none;
   * left out, any will do. Throws ACCESS_DENIED if it says no, INTEGRITY on any mismatch, KEY_DESTROYED.
   */
  decrypt(place: Coordinate, handle: Handle, mayOpen?: MayOpen): Uint8Array;
  /** The same value under the newest key: same id, next version. Throws as `decrypt` and `encrypt`. */
  rotateHandle(place: Coordinate, handle: Handle, mayOpen?: MayOpen): Handle;
  /**
   * A handle that was sealed without the daemon, under the 32 bytes of `oldKey`, as one of the daemon's: same id, next
   * version. Its tenant is the one that it was sealed for, else that of `place`, and `mayOpen` is asked of it. Throws
   * WRONG_KEY, EXISTS for a handle of the daemon, TOO_LARGE above `mostBytes`, and as `rotateHandle`.
   */
  adopt(place: Coordinate, handle: Handle, oldKey: Uint8Array, mostBytes: number, mayOpen?: MayOpen): Handle;
}

/** What handles are made with. */
export interface HandleParts {
  readonly ledger: Ledger;
  readonly keyring: Keyring;
  readonly keyLines: KeyLines;
  readonly sealer: Sealer;
}

const alg = 'aes-256-gcm';
/** The platform's columns hold so many characters. */
const longestField = 128;
const mostRevisions = 2 ** 32 - 1;
const idBytes = 16;
const idsInBlock = 256;

/** Encryption for the platform over an open keyring. */
export function createHandles({ ledger, keyring, keyLines, sealer }: HandleParts): Handles {
  const nextId = createHandleIds();

  /** Counts one message before it is sealed: here no commit follows that could carry the counter. */
  function spend(dek: Dek): void {
    const counters = keyLines.spend(dek, 1);
    if (counters.length === 0) return;
    ledger.commit({ counters });
    keyLines.granted(counters);
  }

  function seal(
    place: Coordinate,
    id: string,
    tenant: string,
    revision: number,
    plaintext: Uint8Array,
  ): Handle {
    ledger.requireOpen();
    if (!keyring.hasLine(place.keyring, tenant)) keyLines.add({ keyring: place.keyring, tenant });
    const dek = keyring.activeDek(place.keyring, tenant);
    spend(dek);
    return {
      id,
      kmsKeyId: kmsKeyId(keyring.vaultId, place.keyring, dek.version),
      alg,
      version: revision,
      ciphertext: sealer.sealHandle(dek, handlePlace(place, id), revision, plaintext),
    };
  }

  function open(
    place: Coordinate,
    handle: Handle,
    sealed: SealedHandle,
    mayOpen: MayOpen = anyTenant,
  ): Uint8Array {
    ledger.requireOpen();
    if (place.tenant === undefined) {
      if (!mayOpen(sealed.tenant)) throw notAllowed();
    } else if (place.tenant !== sealed.tenant) {
      throw ofAnotherTenant();
    }
    try {
      const dek = keyring.dek(place.keyring, sealed.tenant, sealed.dekVersion);
      const plaintext = sealer.openHandle(dek, handlePlace(place, handle.id), sealed);
      dek.opened = true;
      return plaintext;
    } catch (error) {
      throw refusalOf(error, handle, keyring.vaultId, place.keyring);
    }
  }

  function parsed(place: Coordinate, handle: Handle): SealedHandle {
    try {
      return parseSealedHandle(handle.ciphertext);
    } catch (error) {
      throw refusalOf(error, handle, keyring.vaultId, place.keyring);
    }
  }

  return {
    encrypt(place, plaintext) {
      checkLengths(place);
      return seal(place, nextId(), place.tenant ?? '', 1, plaintext);
    },
    decrypt: (place, handle, mayOpen) => open(place, handle, parsed(place, handle), mayOpen),
    adopt(place, handle, oldKey, mostBytes, mayOpen = anyTenant) {
      checkLengths(place);
      const { plaintext, tenant = place.tenant ?? '', revision } = openOldHandle(place, handle, oldKey);
      try {
        if (!mayOpen(tenant)) throw notAllowed();
        if (plaintext.length > mostBytes) {
          throw new HushError(
            'TOO_LARGE',
            `the value has ${plaintext.length} bytes, the limit is ${mostBytes}`,
            {
              limit: 'plaintextBytes',
            },
          );
        }
        return seal(place, handle.id, tenant, nextRevision(revision), plaintext);
      } finally {
        wipe(plaintext);
      }
    },
    rotateHandle(place, handle, mayOpen) {
      checkLengths(place);
      const sealed = parsed(place, handle);
      const revision = nextRevision(Math.max(sealed.revision, handle.version));
      const plaintext = open(place, handle, sealed, mayOpen);
      try {
        return seal(place, handle.id, sealed.tenant, revision, plaintext);
      } finally {
        wipe(plaintext);
      }
    },
  };
}

function nextRevision(revision: number): number {
  if (revision < mostRevisions) return revision + 1;
  throw new HushError('BAD_REQUEST', 'the handle has no version left');
}

const notAllowed = (): HushError =>
  new HushError('ACCESS_DENIED', 'the access rules do not allow this for the tenant of the handle');

const anyTenant: MayOpen = () => true;

const handlePlace = ({ keyring, namespace, key }: Coordinate, handleId: string) => ({
  keyring,
  handleId,
  namespace,
  key,
});

function checkLengths({ namespace, key, tenant = '' }: Coordinate): void {
  for (const [name, text] of Object.entries({ namespace, key, tenant })) {
    if (text.length > longestField) {
      throw new HushError(
        'BAD_REQUEST',
        `${name}: longer than the ${longestField} characters that the platform keeps`,
      );
    }
  }
}

/** Ids of handles, `sec_` and 32 hex digits, out of blocks of random bytes: one at a time costs 2 µs more. */
function createHandleIds(): () => string {
  const block = Buffer.from(newBytes(idBytes * idsInBlock).buffer);
  let next = block.length;
  return () => {
    if (next === block.length) {
      randomFillSync(block);
      next = 0;
    }
    next += idBytes;
    return `sec_${block.toString('hex', next - idBytes, next)}`;
  };
}
