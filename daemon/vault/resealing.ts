import { setImmediate as nextTurn } from 'node:timers/promises';

import { HushError } from '../../protocol/errors.ts';
import { storedLine } from '../keys/create.ts';
import type { Dek } from '../keys/dek-index.ts';
import type { Keyring } from '../keys/keyring.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { createPieces } from '../memory/pieces.ts';
import type { RowKey, StoredRow } from '../stores/store.ts';
import { rowsNotUnder } from './idle-keys.ts';
import type { KeyLines } from './key-lines.ts';
import type { Ledger } from './ledger.ts';
import type { Replacement } from './ledger-state.ts';
import { noDek, type Allocate, type Rows } from './rows.ts';

/** How the re-sealing of stored values under the newest key stands. */
export interface ResealingProgress {
  /** `stalled`: some values could not be moved, for the reason in `error`. */
  readonly state: 'idle' | 'running' | 'stalled';
  /** How many values this run, or the last one, has moved. */
  readonly moved: number;
  /** How many values another key than the newest still seals. */
  readonly left: number;
  /** For how long this run has been, or the last one was, under way. */
  readonly elapsedMs: number;
  readonly error: HushError | undefined;
}

/** Moves stored values under the newest key while the vault serves. */
export interface Resealing {
  /**
   * Goes on with what is left to do, if it is not under way: values under an older key, older keys that nothing needs
   * any more. What that is follows from the rows alone, so that a run that was cut off at any moment goes on from there.
   */
  start(): void;
  progress(): ResealingProgress;
  /** Resolves when no run is under way. */
  settled(): Promise<void>;
}

/** What a re-sealing is told to whom. */
export type ResealingEvent =
  | { readonly kind: 'done'; readonly moved: number; readonly elapsedMs: number; readonly retired: number }
  | { readonly kind: 'stalled'; readonly moved: number; readonly left: number; readonly error: HushError };

/** What is worked with. */
export interface ResealingParts {
  readonly ledger: Ledger;
  readonly keyring: Keyring;
  readonly keyLines: KeyLines;
  readonly rows: Rows;
  /** Told when a run has ended; never of one that a lock has ended. */
  readonly onEvent: (event: ResealingEvent) => void;
}

/**
 * For so many milliseconds at a time rows are sealed anew, and then whoever asks the daemon something has his turn:
 * he waits for one such slice, not for all of them.
 */
const sliceMs = 0.1;

/** A turn in which nobody is served is over within a few µs. */
const servedMs = 0.03;
/** For so long nothing is done for whoever is being served: what he waits for longer becomes rarer by that. */
const restMs = 0.2;

/**
 * So many rows are written in one commit, which takes some 20 ms: rare enough that fewer than one request in
 * a hundred meets it, and bounded whatever the number of rows.
 */
const rowsPerCommit = 1_024;
/** Values can be large: a commit ends before its rows hold more than this. */
const bytesPerCommit = 4 * 1024 * 1024;

/** What is sealed lies in pieces of memory of this size until it is committed. */
const slabBytes = 256 * 1024;

/** One message for the value, one for its name. */
const messagesPerRow = 2;

/** The re-sealing of an open vault; nothing happens before `start`. */
export function createResealing({ ledger, keyring, keyLines, rows, onEvent }: ResealingParts): Resealing {
  const scratch = createRowScratch();
  let forms = createPieces(slabBytes);
  let run: Promise<void> = Promise.resolve();
  let isRunning = false;
  let moved = 0;
  let startedAt = 0;
  let endedAt = 0;
  let error: HushError | undefined;
  /** What was told of last: a disk that stays full is told of once. */
  let told: string | undefined;

  const newest = (): Dek => keyring.activeDek(storedLine.keyring, storedLine.tenant);
  /** The keys whose rows stay where they are: the newest one and, until a rotation comes after their import, legacy ones. */
  const lasting = (): readonly number[] => {
    const version = keyLines.storedVersion();
    return keyLines.movesLegacy() ? [version] : [version, noDek];
  };
  const left = (): number => rowsNotUnder(ledger.counts(), lasting());

  /** Seals rows anew for one commit, slice by slice, in the order in which they lie in the file. */
  async function prepare(scan: Scan, dek: Dek): Promise<Replacement[]> {
    const most = Math.min(rowsPerCommit, left());
    // Counted before the first of them is sealed; what a crash leaves unused of it is no harm.
    const counters = keyLines.spend(dek, most * messagesPerRow);
    if (counters.length > 0) {
      ledger.commit({ counters });
      keyLines.granted(counters);
    }
    const prepared: Replacement[] = [];
    let bytes = 0;
    let sliceEnd = performance.now() + sliceMs;
    while (prepared.length < most && bytes < bytesPerCommit && !scan.isOver) {
      for (const row of scan.next()) {
        const replacement = resealed(row, dek);
        if (replacement === undefined) continue;
        prepared.push(replacement);
        bytes += replacement.row.value.length;
      }
      if (performance.now() < sliceEnd) continue;
      await letOthersWork();
      // The profile may have been locked meanwhile.
      ledger.requireOpen();
      sliceEnd = performance.now() + sliceMs;
    }
    return prepared;
  }

  /** A row that cannot be read stays as it is, and keeps the key that it needs; the others go on. */
  function resealed(row: StoredRow, dek: Dek): Replacement | undefined {
    try {
      const before = ledger.entryOf(row);
      return ledger.replacement(rows.resealed(dek, row, scratch.take, forms.take), before);
    } catch (problem) {
      if (!(problem instanceof HushError) || problem.code === 'LOCKED') throw problem;
      error ??= problem;
      return undefined;
    } finally {
      scratch.wipe();
    }
  }

  async function work(): Promise<void> {
    const dek = newest();
    const scan = createScan(ledger, lasting());
    while (left() > 0 && !scan.isOver) {
      const prepared = await prepare(scan, dek);
      // A crash before this leaves the rows under the old key, one after it under the new one: either opens.
      moved += ledger.replace(prepared);
      forms.reset();
      await letOthersWork();
      ledger.requireOpen();
    }
  }

  async function runToEnd(): Promise<void> {
    try {
      await work();
      if (left() > 0) error ??= new HushError('INTEGRITY', 'the vault was tampered with: a row is gone');
      // A crash before this leaves idle keys active, which the next unlock finds and retires.
      const retired = left() === 0 ? keyLines.retireIdle() : 0;
      end();
      if (error !== undefined) tellStalled(error);
      else {
        told = undefined;
        onEvent({ kind: 'done', moved, elapsedMs: endedAt - startedAt, retired });
      }
    } catch (problem) {
      end();
      if (problem instanceof HushError && problem.code === 'LOCKED') return;
      error =
        problem instanceof HushError ? problem : new HushError('UNAVAILABLE', undefined, { cause: problem });
      tellStalled(error);
    }
  }

  function tellStalled(reason: HushError): void {
    if (told === reason.message) return;
    told = reason.message;
    onEvent({ kind: 'stalled', moved, left: left(), error: reason });
  }

  function end(): void {
    isRunning = false;
    forms = createPieces(slabBytes);
    endedAt = performance.now();
  }

  return {
    start() {
      if (isRunning) return;
      ledger.requireOpen();
      if (left() === 0) {
        keyLines.retireIdle();
        error = undefined;
        return;
      }
      isRunning = true;
      moved = 0;
      error = undefined;
      startedAt = performance.now();
      run = runToEnd();
    },
    progress: () => ({
      state: isRunning ? 'running' : error === undefined ? 'idle' : 'stalled',
      moved,
      left: left(),
      elapsedMs: (isRunning ? performance.now() : endedAt) - startedAt,
      error,
    }),
    settled: () => run,
  };
}

/** One turn of the event loop; where somebody was served in it, some more, for he is likely to go on asking. */
async function letOthersWork(): Promise<void> {
  const begun = performance.now();
  await nextTurn();
  if (performance.now() - begun < servedMs) return;
  while (performance.now() - begun < restMs) await nextTurn();
}

/** A walk through all rows, in which others may change meanwhile. */
interface Scan {
  /** The next few rows, those left out that stay under their key. */
  next(): readonly StoredRow[];
  readonly isOver: boolean;
}

/** To read on may take several pages to be decrypted, half a millisecond by itself: no more than needed at a time. */
const rowsPerRead = 1;

function createScan(ledger: Ledger, lasting: readonly number[]): Scan {
  let after: RowKey | undefined;
  let isOver = false;
  return {
    next() {
      const found = ledger.rows(after, rowsPerRead);
      after = found.at(-1);
      isOver = found.length < rowsPerRead;
      return found.filter(({ dek }) => !lasting.includes(dek));
    },
    get isOver() {
      return isOver;
    },
  };
}

/** Memory for the plaintexts of one row, used again for the next. */
function createRowScratch(): { readonly take: Allocate; readonly wipe: () => void } {
  const memory = newBytes(16 * 1024);
  let used = 0;
  return {
    take(length) {
      if (length > memory.length - used) return newBytes(length);
      used += length;
      return memory.subarray(used - length, used);
    },
    wipe() {
      wipe(memory.subarray(0, used));
      used = 0;
    },
  };
}
