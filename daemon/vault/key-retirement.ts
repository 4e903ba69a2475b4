import { HushError } from '../../protocol/errors.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { KeyRecord } from '../keys/keyset.ts';
import { isStoredLine } from './dek-lines.ts';
import type { DestroyedKeys, KeyDestruction } from './destroy-keys.ts';
import { rowsNotUnder } from './idle-keys.ts';
import type { Ledger } from './ledger.ts';
import { noDek } from './rows.ts';

/** One key that an operator names: a data key of a line, or a legacy one. */
export type NamedKey =
  | { readonly keyring: string; readonly tenant: string; readonly version: number }
  | { readonly legacy: true; readonly version: number };

/** What became of a key that an operator destroyed. */
export interface RetiredKey extends DestroyedKeys {
  readonly id: string;
  /** Whether it was destroyed before. */
  readonly already: boolean;
}

/** Destroys retired keys, one at a time and by name. */
export interface KeyRetirement {
  /**
   * Destroys one retired key: the handles that it sealed open never again. A second time does no harm. Throws NOT_FOUND
   * where there never was such a key, CONFLICT while it is active or stored values need it, UNAVAILABLE.
   */
  retire(key: NamedKey, by: string): RetiredKey;
}

/** The retirement of an open vault's keys. */
export function createKeyRetirement(parts: {
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  readonly destruction: KeyDestruction;
  readonly now: () => Date;
}): KeyRetirement {
  const { keyring, ledger, destruction, now } = parts;

  function find(key: NamedKey): KeyRecord {
    const record =
      'legacy' in key
        ? [...keyring.keyset().keys.values()].find(
            ({ entry }) => entry.use === 'legacy' && entry.version === key.version,
          )
        : keyring.record(key.keyring, key.tenant, key.version);
    if (record !== undefined) return record;
    throw new HushError('NOT_FOUND', `there never was ${nameOf(key)}`, { hint: 'hush keys status' });
  }

  function requireUnneeded(key: NamedKey, { entry, state }: KeyRecord): void {
    const counts = ledger.counts();
    if ('legacy' in key) {
      const values = counts.get(noDek) ?? 0;
      if (values === 0) return;
      throw stillNeeded(key, values, 'hush keys rotate, which seals them anew');
    }
    const newest = keyring.newestVersion(key.keyring, key.tenant);
    if (entry.version === newest) {
      throw new HushError('CONFLICT', `${nameOf(key)} is active: new values are sealed under it`, {
        hint: 'hush keys rotate makes another one active',
      });
    }
    // A row's name may be under an older key than its value says: none goes before all rows are under the newest.
    const elsewhere = isStoredLine(key) ? rowsNotUnder(counts, [newest]) : 0;
    if (elsewhere > 0) throw stillNeeded(key, elsewhere, 'hush keys status tells when all are sealed anew');
    if (state === 'active') throw stillNeeded(key, 0, 'hush keys status');
  }

  return {
    retire(key, by) {
      ledger.requireOpen();
      const record = find(key);
      const { id } = record.entry;
      const already = record.state === 'destroyed';
      if (!already) requireUnneeded(key, record);
      // Without an id it erases what an earlier attempt could not.
      const done = destruction.destroy(already ? [] : [id], { by, at: now().toISOString() });
      return { ...done, id, already };
    },
  };
}

function nameOf(key: NamedKey): string {
  if ('legacy' in key) return `legacy key ${key.version}`;
  return `key ${key.version} of keyring ${key.keyring}${key.tenant === '' ? '' : ' for that tenant'}`;
}

function stillNeeded(key: NamedKey, values: number, hint: string): HushError {
  const why =
    values === 0
      ? 'is not retired yet'
      : `is needed: ${values === 1 ? '1 value is' : `${values} values are`} not sealed anew yet`;
  return new HushError('CONFLICT', `${nameOf(key)} ${why}`, { hint });
}
