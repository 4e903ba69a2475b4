import { setImmediate as nextTurn } from 'node:timers/promises';

import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import type { Keyring } from '../keys/keyring.ts';
import type { KeyRecord } from '../keys/keyset.ts';
import { newestDeks } from './dek-lines.ts';
import type { Facts } from './facts.ts';
import { kmsKeyId, type KeyLines } from './key-lines.ts';
import type { Ledger } from './ledger.ts';

/** What a rotation did: the newest key of the keyring, and how many lines got one. */
export interface RotatedKeys {
  readonly keyring: string;
  readonly kmsKeyId: string;
  readonly version: number;
  readonly lines: number;
  readonly commit: number;
}

/** New data keys for all lines of a keyring. */
export interface Rotations {
  /**
   * One more DEK for each line of a keyring, some at a time. What a crash, a lock or the disk has cut off is left to
   * `unfinished`, after the next unlock too. Rejects with NOT_FOUND where the keyring has no keys, LOCKED, UNAVAILABLE.
   */
  rotate(keyring: string, by: string): Promise<RotatedKeys>;
  /** The newest keys of the lines that rotations which were cut off have not reached. */
  unfinished(): readonly KeyRecord[];
  /** Forgets the rotations that have reached all lines. Throws UNAVAILABLE. */
  settle(): void;
}

/** The name of the fact that holds the rotations that have not reached all lines yet. */
const rotationsFact = 'rotations';

/** A rotation begins when the key set has so many keys: it has reached a line once that has a key of a later birth. */
const rotation = z.object({ keyring: z.string(), keys: z.int().nonnegative() });
type Rotation = z.infer<typeof rotation>;

/** Making one key takes some 30 µs: so many in one turn do not keep others waiting for long. */
const linesPerTurn = 64;

/** The rotations of an open vault's keys. */
export function createRotations(parts: {
  readonly keyring: Keyring;
  readonly ledger: Ledger;
  readonly facts: Facts;
  readonly keyLines: KeyLines;
}): Rotations {
  const { keyring, ledger, facts, keyLines } = parts;
  let pending: readonly Rotation[] = z.array(rotation).catch([]).parse(facts.get(rotationsFact));

  function remember(next: readonly Rotation[]): void {
    ledger.commit({ facts: [facts.row(rotationsFact, next.length === 0 ? undefined : next)] });
    pending = next;
  }

  const without = (name: string): readonly Rotation[] => pending.filter((other) => other.keyring !== name);

  /** A line whose newest key was destroyed is opened anew on purpose only, by name. */
  function left({ keyring: name, keys }: Rotation): readonly KeyRecord[] {
    const keyset = keyring.keyset();
    const before = new Set([...keyset.keys.keys()].slice(0, keys));
    return newestDeks(keyset).filter(
      ({ entry, state }) => entry.keyring === name && state !== 'destroyed' && before.has(entry.id),
    );
  }

  return {
    async rotate(name, by) {
      const own: Rotation = { keyring: name, keys: keyring.keyset().keys.size };
      let lines = left(own);
      const main = lines.find(({ entry }) => entry.tenant === '') ?? lines[0];
      if (main === undefined) {
        throw new HushError('NOT_FOUND', `the keyring ${name} has no keys`, {
          hint: 'its first encrypt makes one',
        });
      }
      if (lines.length > linesPerTurn) remember([...without(name), own]);
      let done = 0;
      let commit = 0;
      for (;;) {
        const some = lines.slice(0, linesPerTurn).map(({ entry }) => entry);
        commit = keyLines.renew(some, by);
        done += some.length;
        if (lines.length <= linesPerTurn) break;
        await nextTurn();
        ledger.requireOpen();
        lines = left(own);
      }
      if (pending.length > without(name).length) remember(without(name));
      const version = keyring.newestVersion(name, main.entry.tenant);
      return {
        keyring: name,
        kmsKeyId: kmsKeyId(keyring.vaultId, name, version),
        version,
        lines: done,
        commit,
      };
    },
    unfinished: () => pending.flatMap(left),
    settle() {
      const next = pending.filter((one) => left(one).length > 0);
      if (next.length < pending.length) remember(next);
    },
  };
}
