import type { ParamsOf } from '../../protocol/index.ts';
import type { Session } from '../profiles/session.ts';
import { keysOfTenant } from '../vault/tenant-lines.ts';
import type { Handlers } from './handler.ts';
import { remainsOf } from './remains.ts';

/** The ids of all keys that a tenant has ever had, or of those in one keyring. */
function idsOf({ keyring }: Session, { tenant, keyring: only }: ParamsOf<'keys.shred'>): string[] {
  const lines = [...keysOfTenant(keyring.keyset(), tenant)];
  return lines
    .filter(([name]) => only === undefined || name === only)
    .flatMap(([, records]) => records.map(({ entry }) => entry.id));
}

/** What an operator does with the keys of one tenant. */
export const tenantHandlers: Handlers<'keys.shred' | 'keys.reopen'> = {
  'keys.shred': (params, { peer, profiles }) =>
    // One at a time with whatever writes the key set anew: a key that it still had would come back.
    profiles.change(params.profile, 'keys shred', (session) => {
      const { tenant, keyring } = params;
      // Looked for before anything is destroyed, which cannot be taken back where the disk refuses to be read.
      const remains = remainsOf(idsOf(session, params), session, profiles.copies(params.profile));
      const { commit, keyrings, keys, erased } = session.vault.tenants.shred(
        tenant,
        keyring,
        peer.identity.name,
      );
      return Promise.resolve({
        result: { tenant, keyrings: [...keyrings], keys, erased, ...remains },
        commit,
      });
    }),

  'keys.reopen': ({ profile, tenant, keyring }, { peer, profiles }) =>
    profiles.change(profile, 'keys reopen', (session) => {
      const { keys, commit } = session.vault.tenants.reopen(tenant, keyring, peer.identity.name);
      return Promise.resolve({ result: { tenant, keys: [...keys] }, commit });
    }),
};
