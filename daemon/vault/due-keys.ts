import type { DekLine } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { KeyRecord, Keyset } from '../keys/keyset.ts';
import { isStoredLine, newestDeks } from './dek-lines.ts';
import type { KeyLines } from './key-lines.ts';
import type { Resealing } from './resealing.ts';
import type { Rotations } from './rotations.ts';

/** When a key is to be followed by a new one by itself; what is left out never asks for that. */
export interface RotationRule {
  readonly afterDays: number | undefined;
  readonly afterMessages: number | undefined;
}

/** A line whose newest key a rule finds due, or one that a rotation did not reach before it was cut off. */
export interface DueLine extends DekLine {
  readonly version: number;
  readonly reason: 'age' | 'messages' | 'rotation';
}

/** Renews keys that are due. */
export interface DueKeys {
  /**
   * Lines that are due, at most so many; that of stored secrets not while its values are being sealed anew. Of very many
   * lines each call looks at some, and goes on where the one before ended.
   */
  find(rule: RotationRule, most: number): readonly DueLine[];
  /** Makes a new key for each of these lines. Answers the commit's number. Throws UNAVAILABLE, LOCKED. */
  renew(lines: readonly DekLine[]): number;
}

const dayMs = 86_400_000;
/** To look at so many lines takes about a millisecond. */
const linesPerLook = 4096;

/** The rotation of an open vault's keys by age and by use. */
export function createDueKeys(parts: {
  readonly keyring: Keyring;
  readonly keyLines: Pick<KeyLines, 'spent' | 'renew'>;
  readonly resealing: Pick<Resealing, 'progress'>;
  readonly rotations: Pick<Rotations, 'unfinished' | 'settle'>;
  readonly now: () => Date;
}): DueKeys {
  const { keyring, keyLines, resealing, rotations, now } = parts;
  let sealing: { readonly keyset: Keyset; readonly records: readonly KeyRecord[] } | undefined;

  /** The keys that seal, one a line; looked for anew only when the key set has changed. */
  function sealingKeys(): readonly KeyRecord[] {
    const keyset = keyring.keyset();
    if (sealing?.keyset !== keyset) {
      sealing = { keyset, records: newestDeks(keyset).filter(({ state }) => state === 'active') };
    }
    return sealing.records;
  }

  /** A round through all lines, which takes one look unless there are very many, and how far it has come. */
  let round: readonly KeyRecord[] = [];
  let at = 0;

  /** The next line of the round; undefined at its end. */
  function next(): KeyRecord | undefined {
    const record = round[at];
    at++;
    return record;
  }

  /** A line may have got another key, or lost its own, since the round began. */
  function seals({ entry }: KeyRecord): boolean {
    const { keyring: name, tenant, version } = entry;
    return (
      keyring.newestVersion(name, tenant) === version &&
      keyring.record(name, tenant, version)?.state === 'active'
    );
  }

  return {
    find({ afterDays, afterMessages }, most) {
      const bornBefore =
        afterDays === undefined ? '' : new Date(now().getTime() - afterDays * dayMs).toISOString();
      const mostMessages = afterMessages ?? Infinity;
      const isResealing = resealing.progress().state === 'running';
      const due: DueLine[] = [];
      const add = ({ entry }: KeyRecord, reason: DueLine['reason']): void => {
        if (due.length >= most || (isResealing && isStoredLine(entry))) return;
        const { keyring: name, tenant, version } = entry;
        due.push({ keyring: name, tenant, version, reason });
      };
      const cutOff = rotations.unfinished();
      const ids = new Set(cutOff.map(({ entry }) => entry.id));
      for (const record of cutOff) add(record, 'rotation');
      const isShort = round.length <= linesPerLook;
      if (isShort || round[at] === undefined) [round, at] = [sealingKeys(), 0];
      for (let looked = 0; looked < linesPerLook && due.length < most; looked++) {
        const record = next();
        if (record === undefined) break;
        const { id, createdAt } = record.entry;
        if (ids.has(id) || !seals(record)) continue;
        if (createdAt <= bornBefore) add(record, 'age');
        else if (keyLines.spent(id) >= mostMessages) add(record, 'messages');
      }
      return due;
    },
    renew(lines) {
      const commit = keyLines.renew(lines, 'daemon');
      rotations.settle();
      return commit;
    },
  };
}
