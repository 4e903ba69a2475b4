import { closeSync, constants, fdatasync, fdatasyncSync, fstatSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HushError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/shell-word.ts';
import { diskError } from '../home/disk-errors.ts';
import { isStillAt, syncFolder } from '../home/files.ts';
import { checkDirectory, openSafeFile } from '../home/safety.ts';
import { createAppendFile } from './append-file.ts';
import { createAuditClock } from './clock.ts';
import { endOf, openingLines, processPrefix } from './opening.ts';
import { type AuditEntry, type ChainHead, jsonText, recordLine } from './records.ts';
import {
  type AuditKey,
  type AuditSecretOf,
  newestSeal,
  type Seal,
  sealEntry,
  type SealState,
} from './seals.ts';
import { wholeLinesLength } from './tail.ts';

/** The name of a chain's file in its folder. */
export const chainFileName = '0000000001.jsonl';

/**
 * One chain of audit records in one file. Records are buffered by `append` and written by `flush`. What cannot be
 * written is dropped, so that the file never has a hole or half a line and no refused operation reads as done later;
 * the next record that can be written comes after an `audit.lost` record with the number of the dropped ones.
 */
export interface Chain {
  readonly file: string;
  append(entry: AuditEntry): void;
  /**
   * Writes all buffered records at once; when it returns they survive the process. Throws UNAVAILABLE if they cannot
   * be written: then they are dropped and counted, and the next `flush` tries the disk anew.
   */
  flush(): void;
  /** Makes all that is written survive the machine (fdatasync); calls at the same time share one. Throws UNAVAILABLE. */
  sync(): Promise<void>;
  /** As `sync`, done when it returns. */
  syncNow(): void;
  /** Appends a seal record and flushes. Throws as `flush`. */
  seal(state: SealState, key: AuditKey): void;
  /**
   * The newest seal, with all records after it checked against their hashes; undefined if nothing was ever sealed.
   * Throws INTEGRITY if a record was changed, if one after the seal is not the one that is remembered, or if the newest
   * seal was not made with a key of this vault.
   */
  lastSeal(vaultId: string, secretOf: AuditSecretOf, remembered?: ChainHead): Promise<Seal | undefined>;
  /** The last record that is written. */
  head(): ChainHead;
  /** The last record that is synced: what the vault may remember without a power cut making it a liar. */
  syncedHead(): ChainHead;
  /** Whether the file at its path is still the one that is written to. */
  isInPlace(): boolean;
  /** How many written records came after the last seal of this process (all since `openChain` if there was none). */
  unsealed(): number;
  /** Flushes, syncs and closes; the file is closed even if it throws UNAVAILABLE. */
  close(): Promise<void>;
}

const syncData = promisify(fdatasync);
const cannotWrite = 'the audit cannot be written';
const usualBufferBytes = 65_536;
const rememberedTexts = 64;

/**
 * Opens the chain in a folder, and makes both if they are missing; `name` (a profile, or `daemon`) is told in its
 * first record. A torn last line, left by a crash, is cut off and an `audit.repaired` record says so.
 * Throws UNSAFE_MODE, NEWER_FORMAT before anything is written, INTEGRITY if the first or last record was changed,
 * UNAVAILABLE if the file cannot be read or written.
 */
export function openChain(folder: string, name: string): Chain {
  checkDirectory(folder);
  const file = join(folder, chainFileName);
  const fd = openSafeFile(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT);
  try {
    const size = fstatSync(fd).size;
    const length = wholeLinesLength(fd, size);
    const opening = openingLines(endOf(fd, length), name, length, size - length);
    if (length < size) ftruncateSync(fd, length);
    createAppendFile(fd, length).write(Buffer.from(opening.text, 'latin1'), opening.text.length);
    fdatasyncSync(fd);
    syncFolder(folder);
    return createChain(file, fd, opening.head, length + opening.text.length);
  } catch (error) {
    closeSync(fd);
    if (!(error instanceof HushError)) throw diskError(`cannot open ${file}`, error);
    const hint = error.code === 'INTEGRITY' ? setAside(file) : error.hint;
    throw new HushError(error.code, `${file}: ${error.message}`, { hint, cause: error });
  }
}

/** What helps against a chain that was changed: it stays as evidence, and a new one begins. */
function setAside(file: string): string {
  const word = shellWord(file);
  return `restore it from a backup, or begin a new one and keep this: mv ${word} ${word}.changed`;
}

function createChain(file: string, fd: number, end: ChainHead, length: number): Chain {
  const clock = createAuditClock();
  const disk = createAppendFile(fd, length);
  const self = processPrefix();
  let buffer = Buffer.from(new ArrayBuffer(usualBufferBytes));
  let used = 0;
  /** The last record in the buffer, and how many are there, an `audit.lost` record not counted. */
  let tip = end;
  let pending = 0;
  let written = end;
  let synced = end;
  let sealedSeq = end.seq;
  /** Dropped records that no `audit.lost` record in the file tells of yet, and whether one is in the buffer. */
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

  const push = (entry: AuditEntry): void => {
    const line = recordLine(entry, tip, clock(), quoted);
    if (used + line.text.length > buffer.length) buffer = grown(buffer, used, line.text.length);
    used += buffer.write(line.text, used, 'latin1');
    tip = line;
  };

  const tellLost = (): void => {
    if (lost === 0 || tellsLost) return;
    push({ event: 'audit.lost', who: self, outcome: 'failed', detail: { records: lost } });
    tellsLost = true;
  };

  const append = (entry: AuditEntry): void => {
    tellLost();
    push(entry);
    pending += 1;
  };

  const flush = (): void => {
    if (closed) throw new HushError('UNAVAILABLE', `${cannotWrite}: it is closed`);
    // After a failure this is what finds out whether the disk takes records again.
    tellLost();
    if (used === 0) return;
    try {
      disk.write(buffer, used);
      written = { seq: tip.seq, hash: tip.hash };
      lost = 0;
    } catch (error) {
      tip = written;
      lost += pending;
      throw diskError(cannotWrite, error);
    } finally {
      used = 0;
      pending = 0;
      tellsLost = false;
      if (buffer.length > 16 * usualBufferBytes) buffer = Buffer.from(new ArrayBuffer(usualBufferBytes));
    }
  };

  const startSync = async (): Promise<void> => {
    const reached = written;
    try {
      await syncData(fd);
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
      fdatasyncSync(fd);
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

  return {
    file,
    append,
    flush,
    sync,
    syncNow,
    seal(state, key) {
      tellLost();
      append(sealEntry(state, key, tip, self));
      flush();
      sealedSeq = written.seq;
    },
    async lastSeal(vaultId, secretOf, remembered) {
      flush();
      return newestSeal(fd, fstatSync(fd).size, written, vaultId, secretOf, remembered);
    },
    head: () => written,
    syncedHead: () => synced,
    isInPlace: () => isStillAt(file, fd),
    unsealed: () => written.seq - sealedSeq,
    async close() {
      if (closed) return;
      try {
        tellLost();
        flush();
        await sync();
      } finally {
        closed = true;
        closeSync(fd);
      }
    },
  };
}

function grown(buffer: Buffer, used: number, more: number): Buffer<ArrayBuffer> {
  const bigger = Buffer.from(new ArrayBuffer(Math.max(buffer.length * 2, used + more)));
  buffer.copy(bigger, 0, 0, used);
  return bigger;
}
