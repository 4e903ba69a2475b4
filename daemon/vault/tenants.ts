import { HushError } from '../../protocol/errors.ts';
import type { DekLine } from '../keys/dek-index.ts';
import type { KeyRecord } from '../keys/keyset.ts';
import { commitKeys, type KeysetPlaces } from './commit-keys.ts';
import type { KeyDestruction } from './destroy-keys.ts';
import { kmsKeyId } from './key-lines.ts';
import { createLineFacts, isShut, keysOfTenant, requireRoom } from './tenant-lines.ts';

/** What `shred` did. */
export interface ShreddedTenant {
  /** The keyrings in which the tenant has no open key any more. */
  readonly keyrings: readonly string[];
  /** How many keys were destroyed; 0 where all of them were before. */
  readonly keys: number;
  /** Whether the keys' wrapped bytes are gone from the disk. */
  readonly erased: boolean;
  readonly commit: number;
}

/** A key that `reopen` made. */
export interface ReopenedKey {
  readonly keyring: string;
  readonly version: number;
  readonly kmsKeyId: string;
}

/** What an operator does with the keys of one tenant; `keyring` left out means each that has keys for the tenant. */
export interface Tenants {
  /**
   * Destroys all keys of a tenant: what was sealed for it opens never again, and nothing is sealed for it until
   * `reopen`. A second time does no harm. Throws NOT_FOUND if it never had a key, UNAVAILABLE.
   */
  shred(tenant: string, keyring: string | undefined, by: string): ShreddedTenant;
  /**
   * Makes a new key where the tenant's were destroyed; none where it has one. Throws NOT_FOUND if it never had a key,
   * LIMIT_EXCEEDED, UNAVAILABLE.
   */
  reopen(
    tenant: string,
    keyring: string | undefined,
    by: string,
  ): { readonly keys: readonly ReopenedKey[]; readonly commit: number };
}

/** The tenants of an open vault. */
export function createTenants(
  places: KeysetPlaces & {
    readonly maxTenants: number;
    readonly now: () => Date;
    readonly destruction: KeyDestruction;
  },
): Tenants {
  const { keyring: open, ledger, destruction, maxTenants, now } = places;
  const facts = createLineFacts(open.keyset);

  function linesOf(tenant: string): ReadonlyMap<string, readonly KeyRecord[]> {
    ledger.requireOpen();
    return keysOfTenant(open.keyset(), tenant);
  }

  const noKeys = (keyring: string | undefined): HushError => {
    const where = keyring === undefined ? 'the profile' : `the keyring ${keyring}`;
    return new HushError('NOT_FOUND', `${where} never had a key for that tenant`, {
      hint: 'hush keys status; the first encrypt for a tenant makes its key',
    });
  };

  return {
    shred(tenant, keyring, by) {
      const lines = [...linesOf(tenant)].filter(([name]) => keyring === undefined || name === keyring);
      if (lines.length === 0) throw noKeys(keyring);
      const live = lines.flatMap(([, line]) => line).filter(({ state }) => state !== 'destroyed');
      const { commit, notErased } = destruction.destroy(
        live.map(({ entry }) => entry.id),
        { by, at: now().toISOString() },
      );
      return {
        keyrings: lines.map(([name]) => name),
        keys: live.length,
        erased: notErased === undefined,
        commit,
      };
    },

    reopen(tenant, keyring, by) {
      const lines = linesOf(tenant);
      const isAllShut = facts().shut.has(tenant);
      if (lines.size === 0 || (keyring !== undefined && !lines.has(keyring) && !isAllShut)) {
        throw noKeys(keyring);
      }
      const named = keyring === undefined ? [...lines.keys()] : [keyring];
      const shut = named.filter((name) => !lines.has(name) || isShut(lines.get(name)));
      if (shut.length === 0) return { keys: [], commit: ledger.commitCounter() };
      requireRoom(facts(), shut.length, maxTenants);
      const added = shut.map((name): DekLine => ({ keyring: name, tenant }));
      const commit = commitKeys(places, open.prepareDeks(added, { by, at: now().toISOString() }));
      const keys = shut.map((name): ReopenedKey => {
        const version = (lines.get(name)?.length ?? 0) + 1;
        return { keyring: name, version, kmsKeyId: kmsKeyId(open.vaultId, name, version) };
      });
      return { keys, commit };
    },
  };
}
