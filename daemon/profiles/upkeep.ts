import { HushError } from '../../protocol/errors.ts';
import type { DueLine, RotationRule } from '../vault/due-keys.ts';
import { isStoredLine } from '../vault/dek-lines.ts';
import type { Vault } from '../vault/vault.ts';

/** What an unlocked profile does by itself: it goes on with what a rotation began, and rotates keys that are due. */
export interface Upkeep {
  /** Goes on with what is left to do (unlock). */
  begin(): void;
  /** Called once a second; `mayRotate`: whether nobody else is changing the profile's keys. */
  tick(mayRotate: boolean): void;
  /** Puts on the disk what is known of the use of keys (lock). */
  end(): void;
}

/** What upkeep did, or could not do. */
export type UpkeepEvent =
  | { readonly kind: 'rotated'; readonly lines: readonly DueLine[] }
  | { readonly kind: 'failed'; readonly error: HushError };

/** What is worked with. */
export interface UpkeepParts {
  readonly vault: Pick<Vault, 'resealing' | 'dueKeys' | 'keyUse'>;
  /** What the config in force says. */
  readonly rule: () => RotationRule;
  readonly onEvent: (event: UpkeepEvent) => void;
  /** A clock in ms that never goes backwards. */
  readonly clock: () => number;
}

/** Making one key takes some 30 µs: so many do not keep others waiting for long. */
const linesPerTick = 64;
const lookMs = 10_000;
/** Times of use are put on the disk no more often than this, and than this a key whose time is kept. */
const persistMs = 60_000;
const persistMsPerTime = 50;

/** The upkeep of an unlocked profile; nothing happens before it is called. */
export function createUpkeep({ vault, rule, onEvent, clock }: UpkeepParts): Upkeep {
  const { resealing, dueKeys, keyUse } = vault;
  let lookedAt = clock();
  let persistedAt = lookedAt;
  /** What each step has failed with last, while it does. */
  const failures = new Map<() => void, string>();

  /** What fails here is told once, and tried again later: it is nobody's request. */
  function attempt(step: () => void): void {
    try {
      step();
      failures.delete(step);
    } catch (error) {
      const known =
        error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error });
      if (known.code === 'LOCKED' || failures.get(step) === known.message) return;
      failures.set(step, known.message);
      onEvent({ kind: 'failed', error: known });
    }
  }

  function rotateDue(): void {
    const lines = dueKeys.find(rule(), linesPerTick);
    if (lines.length === 0) return;
    dueKeys.renew(lines);
    onEvent({ kind: 'rotated', lines });
    if (lines.some(isStoredLine)) resealing.start();
  }

  /** After a full disk, say. What was tampered with stays so until somebody mends it and unlocks again. */
  function resume(): void {
    const { state, left, error } = resealing.progress();
    if (left > 0 && state !== 'running' && error?.code !== 'INTEGRITY') resealing.start();
  }

  function persistUse(now: number): void {
    const { times, isChanged } = keyUse.kept();
    if (!isChanged || now - persistedAt < Math.max(persistMs, times * persistMsPerTime)) return;
    persistedAt = now;
    attempt(keyUse.persist);
  }

  return {
    begin() {
      attempt(resealing.start);
      attempt(rotateDue);
    },
    tick(mayRotate) {
      if (mayRotate) attempt(rotateDue);
      const now = clock();
      if (now - lookedAt < lookMs) return;
      lookedAt = now;
      attempt(resume);
      attempt(keyUse.look);
      persistUse(now);
    },
    end() {
      attempt(keyUse.persist);
    },
  };
}
