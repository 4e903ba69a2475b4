import type { ParamsOf } from '../../protocol/index.ts';
import type { Session } from '../profiles/session.ts';
import { backupsFact, backupsHolding, backupsOf, type BackupFact } from '../vault/backup-facts.ts';
import { keysOfTenant } from '../vault/tenant-lines.ts';
import type { Handlers } from './handler.ts';

/** The backups that may hold keys of a tenant. */
function backupsWith(
  { keyring, vault }: Session,
  { tenant, keyring: only }: ParamsOf<'keys.shred'>,
): readonly BackupFact[] {
  const keyset = keyring.keyset();
  const lines = [...keysOfTenant(keyset, tenant)].filter(([name]) => only === undefined || name === only);
  const ids = lines.flatMap(([, records]) => records.map(({ entry }) => entry.id));
  return backupsHolding(keyset, backupsOf(vault.facts.get(backupsFact)), new Set(ids));
}

/** What an operator does with the keys of one tenant. */
export const tenantHandlers: Handlers<'keys.shred' | 'keys.reopen'> = {
  'keys.shred': (params, { peer, profiles }) =>
    // One at a time with whatever writes the key set anew: a key that it still had would come back.
    profiles.change(params.profile, 'keys shred', (session) => {
      const { tenant, keyring } = params;
      const { commit, keyrings, keys, erased } = session.vault.tenants.shred(
        tenant,
        keyring,
        peer.identity.name,
      );
      const backups = backupsWith(session, params).map(({ id, at }) => ({ id, at }));
      const copies = profiles.copies(params.profile);
      return Promise.resolve({
        result: { tenant, keyrings: [...keyrings], keys, erased, backups, copies },
        commit,
      });
    }),

  'keys.reopen': ({ profile, tenant, keyring }, { peer, profiles }) =>
    profiles.change(profile, 'keys reopen', (session) => {
      const { keys, commit } = session.vault.tenants.reopen(tenant, keyring, peer.identity.name);
      return Promise.resolve({ result: { tenant, keys: [...keys] }, commit });
    }),
};
