import { closeSync, fdatasync, fdatasyncSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { diskError } from '../home/disk-errors.ts';
import { isStillAt } from '../home/files.ts';
import { checkDirectory } from '../home/safety.ts';
import { type AppendFile, createAppendFile } from './append-file.ts';
import { hashOfRecord, linesBackwards } from './backwards.ts';
import { createAuditClock } from './clock.ts';
import { createLineBuffer } from './line-buffer.ts';
import {
  newestPlace,
  openNewest,
  openNext,
  type OpenSegment,
  processPrefix,
  type SegmentPlace,
} from './opening.ts';
import { type AuditEntry, type AuditMoment, type ChainHead, jsonText, recordLine } from './records.ts';
import {
  type AuditKey,
  type AuditSecretOf,
  newestProof,
  newestSeal,
  type Seal,
  sealEntry,
  type SealState,
} from './seals.ts';
import { segmentFileName } from './segments.ts';
import type { Stub } from './stubs.ts';

/** The name of a chain's first file in its folder. */
export const chainFileName = segmentFileName(1);

/**
 * One chain of audit records in a folder, in one file after the other. Records are buffered by `append` and written by
 * `flush`. What cannot be written is dropped, so that the file never has a hole or half a line and no refused operation
 * reads as done later; the next record that can be written comes after an `audit.lost` record with the number of the
 * dropped ones. Records of changes that the vault has committed, up to a thousand, are not dropped: what was done is
 * done, and they come right after that record, with the times at which they were made.
 */
export interface Chain {
  readonly folder: string;
  /** The hash of its first record: no other chain has the same. */
  readonly start: string;
  /** The file that is written to now. */
  readonly file: string;
  append(entry: AuditEntry): void;
  /**
   * Writes all buffered records at once; when it returns they survive the process. Throws UNAVAILABLE if they cannot
   * be written: then they are dropped and counted, those of changes are kept, and the next `flush` tries the disk anew.
   */
  flush(): void;
  /** Makes all that is written survive the machine (fdatasync); calls at the same time share one. Throws UNAVAILABLE. */
  sync(): Promise<void>;
  /** As `sync`, done when it returns. */
  syncNow(): void;
  /** Appends a seal record, which vouches for all before it. */
  seal(state: SealState, key: AuditKey): void;
  /**
   * The newest seal, with all records after it checked against their hashes; undefined if nothing was ever sealed.
   * Throws INTEGRITY if a record was changed, or if the newest seal was not made with a key of this vault.
   */
  lastSeal(vaultId: string, secretOf: AuditSecretOf): Promise<Seal | undefined>;
  /** The newest seal that verifies by itself, in a chain that `lastSeal` or its end has shown to be changed. */
  provenSeal(vaultId: string, secretOf: AuditSecretOf): Promise<Seal | undefined>;
  /**
   * Throws INTEGRITY unless the chain passes through a place that a seal or the vault remembers, whatever came behind it.
   * False where only a stub tells of that record, whose hash nobody knows any more; `prove` then throws what is wrong
   * with the stub.
   */
  requirePassed(place: ChainHead, prove?: (stub: Stub) => void): Promise<boolean>;
  /** The last record that is written. */
  head(): ChainHead;
  /** The last record that is synced: what the vault may remember without a power cut making it a liar. */
  syncedHead(): ChainHead;
  /** Whether the file at its path is still the one that is written to. */
  isInPlace(): boolean;
  /** How many records came after the last seal of this process (all since `openChain` if there was none). */
  unsealed(): number;
  /** How long the file that is written to is. */
  bytes(): number;
  /** The number of the file that is written to. */
  segment(): number;
  /** Flushes, syncs, and goes on in the next file. Throws UNAVAILABLE; then it goes on in the old one. */
  rotate(): void;
  /** Flushes, syncs and closes; the file is closed even if it throws UNAVAILABLE. */
  close(): Promise<void>;
}

const syncData = promisify(fdatasync);
const cannotWrite = 'the audit cannot be written';
const rememberedTexts = 64;
/** So many records of changes at most wait for a disk that takes none. */
const mostLate = 1_000;

/** A record of a change that waits for the disk. */
interface LateRecord {
  readonly entry: AuditEntry;
  /** When it was made. */
  readonly moment: AuditMoment;
}

/**
 * Opens the chain in a folder, and makes both if they are missing; `name` (a profile, or `daemon`) is told in the first
 * record of each file. A torn last line, left by a crash, is cut off and an `audit.repaired` record says so.
 * Throws UNSAFE_MODE, NEWER_FORMAT before anything is written, INTEGRITY if the first or last record was changed,
 * UNAVAILABLE if the file cannot be read or written.
 */
export function openChain(folder: string, name: string): Chain {
  checkDirectory(folder);
  let newest: SegmentPlace = { number: 1, path: folder };
  try {
    newest = newestPlace(folder);
    return createChain(folder, name, openNewest(newest, folder, name));
  } catch (error) {
    if (!(error instanceof HushError)) throw diskError(`cannot open ${newest.path}`, error);
    const hint = error.code === 'INTEGRITY' ? setAside(isAlone(newest) ? newest.path : folder) : error.hint;
    throw new HushError(error.code, `${newest.path}: ${error.message}`, { hint, cause: error });
  }
}

/** Whether nothing but one file is wrong: it is all of the chain, or has no byte and does not belong there. */
const isAlone = ({ number, path }: SegmentPlace): boolean =>
  number === 1 || statSync(path, { throwIfNoEntry: false })?.size === 0;

/** What helps against a chain that was changed: it stays as evidence, and a new one begins. */
function setAside(path: string): string {
  const word = shellWord(path);
  return `restore it from a backup, or begin a new one and keep this: mv ${word} ${word}.changed`;
}

function createChain(folder: string, name: string, opened: OpenSegment): Chain {
  const clock = createAuditClock();
  const self = processPrefix();
  const { start } = opened;
  let segment = opened;
  let disk: AppendFile = createAppendFile(opened.fd, opened.length);
  const buffer = createLineBuffer();
  /** The last record in the buffer, and how many are there, `audit.lost` and late ones not counted. */
  let tip = opened.head;
  let pending = 0;
  /** Those of them that tell of a change, and those that an earlier flush could not write. */
  let changes: LateRecord[] = [];
  let late: LateRecord[] = [];
  let written = tip;
  let synced = tip;
  /** The last seal in the buffer or the file, and the last one in the file. */
  let sealedSeq = tip.seq;
  let writtenSeal = sealedSeq;
  /** Dropped records that no `audit.lost` record in the file tells of yet, and whether one, or late ones, are in the buffer. */
  let lost = 0;
  let tellsLost = false;
  let closed = false;
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;

  /** The JSON of events and profiles that came first: a peer may name a profile as it likes, and fills no memory. */
  const json = new Map<string, string>();
  const quoted = (text: string): string => {
    const known = json.get(text);
    if (known !== undefined) return known;
    const made = jsonText(text);
    if (json.size < rememberedTexts) json.set(text, made);
    return made;
  };

  const push = (entry: AuditEntry, moment = clock()): void => {
    const line = recordLine(entry, tip, moment, quoted);
    buffer.add(line.text);
    tip = line;
  };

  const tellLost = (): void => {
    if ((lost === 0 && late.length === 0) || tellsLost) return;
    if (lost > 0) push({ event: 'audit.lost', who: self, outcome: 'failed', detail: { records: lost } });
    for (const { entry, moment } of late) push(entry, moment);
    tellsLost = true;
  };

  const append = (entry: AuditEntry): void => {
    tellLost();
    const moment = clock();
    push(entry, moment);
    pending += 1;
    if (entry.commit !== undefined) changes.push({ entry, moment });
  };

  /** Drops what is in the buffer, but for the records of changes. */
  const dropPending = (): void => {
    const kept = changes.slice(0, mostLate - late.length);
    late.push(...kept);
    lost += pending - kept.length;
    tip = written;
    sealedSeq = writtenSeal;
  };

  const flush = (): void => {
    if (closed) throw new HushError('UNAVAILABLE', `${cannotWrite}: it is closed`);
    // After a failure this is what finds out whether the disk takes records again.
    tellLost();
    const bytes = buffer.bytes();
    if (bytes.length === 0) return;
    try {
      disk.write(bytes, bytes.length);
      written = { seq: tip.seq, hash: tip.hash };
      writtenSeal = sealedSeq;
      lost = 0;
      if (late.length > 0) late = [];
    } catch (error) {
      dropPending();
      throw diskError(cannotWrite, error);
    } finally {
      buffer.clear();
      pending = 0;
      if (changes.length > 0) changes = [];
      tellsLost = false;
    }
  };

  const startSync = async (): Promise<void> => {
    const reached = written;
    try {
      await syncData(segment.fd);
      if (reached.seq > synced.seq) synced = reached;
    } catch (error) {
      throw diskError(cannotWrite, error);
    } finally {
      running = undefined;
    }
  };

  /** Syncs what is written and not synced yet: after `close` that is nothing, and its descriptor is not touched. */
  const syncWritten = (): Promise<void> => {
    if (synced === written) return Promise.resolve();
    if (closed) return Promise.reject(new HushError('UNAVAILABLE', `${cannotWrite}: it is closed`));
    return (running = startSync());
  };

  const syncNow = (): void => {
    if (synced === written) return;
    if (closed) throw new HushError('UNAVAILABLE', `${cannotWrite}: it is closed`);
    try {
      fdatasyncSync(segment.fd);
      synced = written;
    } catch (error) {
      throw diskError(cannotWrite, error);
    }
  };

  /** One fdatasync runs at a time; who comes while it runs shares the next one, since it may miss what he wrote. */
  const sync = (): Promise<void> => {
    if (running === undefined) return syncWritten();
    const startNext = (): Promise<void> => {
      waiting = undefined;
      return syncWritten();
    };
    return (waiting ??= running.then(startNext, startNext));
  };

  /** Closes a file that is done with, once no fdatasync of it runs: its number may be another file's then. */
  const closeFile = (fd: number): void => {
    const close = (): void => {
      closeSync(fd);
    };
    if (running === undefined) close();
    else running.then(close, close);
  };

  return {
    folder,
    start,
    get file() {
      return segment.path;
    },
    append,
    flush,
    sync,
    syncNow,
    seal(state, key) {
      tellLost();
      push(sealEntry(state, key, tip, self));
      pending += 1;
      sealedSeq = tip.seq;
    },
    async lastSeal(vaultId, secretOf) {
      flush();
      return newestSeal(linesBackwards(folder, segment), written, vaultId, secretOf);
    },
    async provenSeal(vaultId, secretOf) {
      flush();
      return newestProof(linesBackwards(folder, segment), vaultId, secretOf);
    },
    async requirePassed({ seq, hash }, prove) {
      flush();
      const found = await hashOfRecord(folder, seq, segment, prove);
      if (found !== undefined && found !== hash)
        throw new HushError('INTEGRITY', `record ${seq} is not the one that was there`);
      return found !== undefined;
    },
    head: () => written,
    syncedHead: () => synced,
    isInPlace: () => isStillAt(segment.path, segment.fd),
    unsealed: () => tip.seq - sealedSeq,
    bytes: () => disk.length(),
    segment: () => segment.number,
    rotate() {
      flush();
      syncNow();
      try {
        const { fd } = segment;
        segment = openNext(folder, name, segment.number + 1, { head: written, start });
        closeFile(fd);
      } catch (error) {
        throw diskError('cannot begin the next file of the audit', error);
      }
      disk = createAppendFile(segment.fd, segment.length);
      tip = segment.head;
      written = tip;
      synced = tip;
    },
    async close() {
      if (closed) return;
      try {
        tellLost();
        flush();
        await sync();
      } finally {
        closed = true;
        closeSync(segment.fd);
      }
    },
  };
}
