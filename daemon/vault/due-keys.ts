import type { DekLine } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { KeyRecord, Keyset } from '../keys/keyset.ts';
import { dekLines, isStoredLine } from './idle-keys.ts';
import type { KeyLines } from './key-lines.ts';
import type { Resealing } from './resealing.ts';

/** When a key is to be followed by a new one by itself; what is left out never asks for that. */
export interface RotationRule {
  readonly afterDays: number | undefined;
  readonly afterMessages: number | undefined;
}

/** A line whose newest key a rule finds due. */
export interface DueLine extends DekLine {
  readonly version: number;
  readonly reason: 'age' | 'messages';
}

/** Renews keys that are due. */
export interface DueKeys {
  /** The lines that are due, at most so many; that of stored secrets not while its values are being sealed anew. */
  find(rule: RotationRule, most: number): readonly DueLine[];
  /** Makes a new key for each of these lines. Answers the commit's number. Throws UNAVAILABLE, LOCKED. */
  renew(lines: readonly DekLine[]): number;
}

const dayMs = 86_400_000;

/** The rotation of an open vault's keys by age and by use. */
export function createDueKeys(parts: {
  readonly keyring: Keyring;
  readonly keyLines: KeyLines;
  readonly resealing: Resealing;
  readonly now: () => Date;
}): DueKeys {
  const { keyring, keyLines, resealing, now } = parts;
  let sealing: { readonly keyset: Keyset; readonly records: readonly KeyRecord[] } | undefined;

  /** The keys that seal, one a line; looked for anew only when the key set has changed. */
  function sealingKeys(): readonly KeyRecord[] {
    const keyset = keyring.keyset();
    if (sealing?.keyset !== keyset) {
      const records = dekLines(keyset).flatMap((line) => line.slice(-1));
      sealing = { keyset, records: records.filter(({ state }) => state === 'active') };
    }
    return sealing.records;
  }

  return {
    find({ afterDays, afterMessages }, most) {
      const bornBefore =
        afterDays === undefined ? '' : new Date(now().getTime() - afterDays * dayMs).toISOString();
      const mostMessages = afterMessages ?? Infinity;
      const isResealing = resealing.progress().state === 'running';
      const due: DueLine[] = [];
      for (const { entry } of sealingKeys()) {
        if (due.length >= most) break;
        const isOld = entry.createdAt <= bornBefore;
        if (!isOld && keyLines.spent(entry.id) < mostMessages) continue;
        if (isResealing && isStoredLine(entry)) continue;
        const { keyring: name, tenant, version } = entry;
        due.push({ keyring: name, tenant, version, reason: isOld ? 'age' : 'messages' });
      }
      return due;
    },
    renew: (lines) => keyLines.renew(lines, 'daemon'),
  };
}
