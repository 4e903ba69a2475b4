import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import type { ParamsOf, ResultOf } from '../../protocol/index.ts';
import { storedLine } from '../keys/create.ts';
import type { KeyEntry } from '../keys/keyset.ts';
import { wipe } from '../memory/plain-bytes.ts';
import type { Session } from '../profiles/session.ts';
import type { NamedKey } from '../vault/key-retirement.ts';
import type { KeyFacts, KeyStatus } from '../vault/key-status.ts';
import type { LegacyRow, RefusedRow } from '../vault/legacy-import.ts';
import { mostMessages } from '../vault/message-budget.ts';
import type { ResealingProgress } from '../vault/resealing.ts';
import type { Handlers } from './handler.ts';
import { keyAdvice } from './key-advice.ts';
import { remainsOf } from './remains.ts';

const usualKeyring = 'default';
const usualPage = 100;

function resealingResult({
  state,
  moved,
  left,
  elapsedMs,
  error,
}: ResealingProgress): ResultOf<'keys.resealing'> {
  return {
    state,
    moved,
    left,
    elapsedMs: Math.round(elapsedMs),
    rate: Math.round(moved / Math.max(0.001, elapsedMs / 1000)),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message, hint: error.hint } }),
  };
}

const keyResult = ({ isBackedUp, ...facts }: KeyFacts): ResultOf<'keys.status'>['keys'][number] => ({
  ...facts,
  inBackup: isBackedUp,
});

function statusResult(status: KeyStatus, { rotationRule }: Session): ResultOf<'keys.status'> {
  const rotation = rotationRule();
  const { afterDays, afterMessages } = rotation;
  return {
    keyring: status.keyring,
    ...(status.tenant === '' ? {} : { tenant: status.tenant }),
    ...(status.active === undefined ? {} : { active: status.active }),
    keys: status.keys.map(keyResult),
    ...(status.next === undefined ? {} : { next: status.next }),
    messageLimit: mostMessages,
    values: status.values,
    legacyValues: status.legacyValues,
    legacyKeys: status.legacyKeys.map((key) => ({ ...key })),
    resealing: resealingResult(status.resealing),
    keyrings: status.keyrings.map((keyring) => ({ ...keyring })),
    automatic: { ...(afterDays === undefined ? {} : { afterDays }), afterMessages },
    ...(status.lastBackup === undefined ? {} : { lastBackupAt: status.lastBackup.at }),
    newerThanBackup: status.newerThanBackup,
    advice: keyAdvice(status, rotation, new Date()).map((advice) => ({ ...advice })),
  };
}

/** The rows of an import whose paths are paths, and why the others are not stored. */
function legacyRowsOf(given: ParamsOf<'secret.importLegacy'>['rows']): {
  readonly rows: readonly (LegacyRow & { readonly index: number })[];
  readonly refused: readonly RefusedRow[];
} {
  const rows: (LegacyRow & { readonly index: number })[] = [];
  const refused: RefusedRow[] = [];
  for (const [index, { path, nonce, ciphertext, createdAt }] of given.entries()) {
    try {
      rows.push({ index, path: parseSecretPath(path), nonce, sealed: ciphertext, createdAt });
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      refused.push({ index, error });
    }
  }
  return { rows, refused };
}

function isNamed({ use, keyring, tenant, version }: KeyEntry, key: NamedKey): boolean {
  if (version !== key.version) return false;
  if ('legacy' in key) return use === 'legacy';
  return use === 'dek' && keyring === key.keyring && tenant === key.tenant;
}

/** The keys of a profile: how they stand, new ones, and their end. */
export const keyHandlers: Handlers<
  'keys.status' | 'keys.resealing' | 'keys.rotate' | 'keys.retire' | 'secret.importLegacy'
> = {
  'keys.status': (
    { profile, keyring = usualKeyring, tenant = '', before, limit = usualPage },
    { profiles },
  ) => {
    const session = profiles.session(profile);
    const status = session.vault.keyStatus({ keyring, tenant, before, limit });
    return { result: statusResult(status, session) };
  },

  'keys.resealing': ({ profile }, { profiles }) => ({
    result: resealingResult(profiles.vault(profile).resealing.progress()),
  }),

  'keys.rotate': ({ profile, keyring = usualKeyring }, { peer, profiles }) =>
    profiles.change(profile, 'keys rotate', async ({ vault }) => {
      const { commit, ...result } = await vault.rotateKeys(keyring, peer.identity.name);
      vault.resealing.start();
      const left = keyring === storedLine.keyring ? vault.resealing.progress().left : 0;
      return { result: { ...result, left }, commit };
    }),

  'keys.retire': ({ profile, keyring = usualKeyring, tenant = '', version, legacy }, { peer, profiles }) =>
    // One at a time with whatever writes the key set anew: a key that it still had would come back.
    profiles.change(profile, 'keys retire', ({ vault, keyring: open }) => {
      const key: NamedKey = legacy === true ? { legacy, version } : { keyring, tenant, version };
      const named = [...open.keyset().keys.values()].filter(({ entry }) => isNamed(entry, key));
      // Looked for before anything is destroyed, which cannot be taken back where the disk refuses to be read.
      const remains = remainsOf(
        named.map(({ entry }) => entry.id),
        { vault, keyring: open },
        profiles.copies(profile),
      );
      const { already, commit, notErased } = vault.retireKey(key, peer.identity.name);
      const result = { version, already, erased: notErased === undefined, ...remains };
      return Promise.resolve({ result, commit });
    }),

  'secret.importLegacy': ({ profile, key, rows: given, overwrite, check }, { peer, profiles, limits }) => {
    try {
      if (key.length !== 32) throw new HushError('BAD_REQUEST', 'a master key has 32 bytes');
      const { rows, refused } = legacyRowsOf(given);
      const taken = profiles.vault(profile).importLegacy(
        {
          key,
          rows,
          overwrite: overwrite === true,
          checkOnly: check === true || refused.length > 0,
          mostBytes: limits.valueBytes,
        },
        peer.identity.name,
      );
      const all = [
        ...refused,
        ...taken.refused.map(({ index, error }) => ({ index: rows[index]?.index ?? index, error })),
      ];
      const result = {
        stored: taken.stored,
        already: taken.already,
        refused: all
          .sort((a, b) => a.index - b.index)
          .map(({ index, error: { code, message, hint } }) => ({ index, code, message, hint })),
      };
      return { result, commit: taken.commit };
    } finally {
      wipe(key);
    }
  },
};
