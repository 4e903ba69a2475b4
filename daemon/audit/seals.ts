import { createHmac, type KeyObject } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HushError } from '../../protocol/errors.ts';
import { copyBytes, equalBytes } from '../memory/plain-bytes.ts';
import {
  type AuditEntry,
  type ChainHead,
  isCount,
  isHash,
  noHash,
  readRecord,
  type RecordPrefix,
  type StoredRecord,
} from './records.ts';
import { linesFromEnd } from './tail.ts';

/** The secret of an audit key, 32 bytes. */
export type AuditSecret = KeyObject | Uint8Array;

/** An audit key as the key set names it. */
export interface AuditKey {
  readonly id: string;
  readonly secret: AuditSecret;
}

/** The secret of an audit key by its id, or undefined if the profile has none of that id. */
export type AuditSecretOf = (id: string) => AuditSecret | undefined;

/** What a seal vouches for, besides all records before it. */
export interface SealState {
  /** 32 hex digits. */
  readonly vaultId: string;
  /** The vault's commit counter. */
  readonly commit: number;
  /** The header's generation. */
  readonly generation: number;
  /** Where the daemon's own chain stood. */
  readonly daemon?: ChainHead;
}

/** A seal whose MAC has verified. */
export interface Seal extends SealState, ChainHead {}

/** The event of seal records. */
export const sealEvent = 'audit.seal';

/** So many lines are checked in one turn of the event loop. */
const linesPerTurn = 1_000;
const label = Buffer.from('hushd audit seal v1', 'latin1');

/** The seal record that follows `head`. */
export function sealEntry(state: SealState, key: AuditKey, head: ChainHead, who: RecordPrefix): AuditEntry {
  const { vaultId, generation, commit, daemon } = state;
  const mac = Buffer.from(sealMac(state, key.secret, head.hash, head.seq + 1)).toString('hex');
  return {
    event: sealEvent,
    who,
    outcome: 'ok',
    commit,
    detail: {
      vault: vaultId,
      generation,
      ...(daemon === undefined ? {} : { daemonSeq: daemon.seq, daemonHash: daemon.hash }),
      auditKey: key.id,
      mac,
    },
  };
}

/**
 * The seal that a record of `sealEvent` holds. Throws INTEGRITY if it was not made for this vault with one of its
 * audit keys, or was changed since.
 */
export function openSeal(record: StoredRecord, vaultId: string, secretOf: AuditSecretOf): Seal {
  const { seq, hash, prev, commit, detail } = record;
  const { vault, generation, auditKey, mac, daemonSeq, daemonHash } = detail;
  if (!isCount(commit) || !isCount(generation) || typeof auditKey !== 'string') {
    throw new HushError('INTEGRITY', 'the seal lacks a field');
  }
  if (vault !== vaultId) throw new HushError('INTEGRITY', 'the seal belongs to another vault');
  const secret = secretOf(auditKey);
  if (secret === undefined)
    throw new HushError('INTEGRITY', 'the seal was made with a key that is not of this vault');
  const daemon =
    isCount(daemonSeq) && isHash(daemonHash) ? { daemon: { seq: daemonSeq, hash: daemonHash } } : {};
  const state: SealState = { vaultId, commit, generation, ...daemon };
  const given = copyBytes(Buffer.from(typeof mac === 'string' ? mac : '', 'hex'));
  if (!equalBytes(given, sealMac(state, secret, prev, seq))) {
    throw new HushError('INTEGRITY', 'the seal was forged or changed');
  }
  return { ...state, seq, hash };
}

/**
 * The newest seal of a file whose first `length` bytes are whole lines and end with the record `head`; undefined if it
 * has none. The records after it are checked against their hashes, and one that is remembered against that. Those
 * before it are what it vouches for. Throws INTEGRITY.
 */
export async function newestSeal(
  fd: number,
  length: number,
  head: ChainHead,
  vaultId: string,
  secretOf: AuditSecretOf,
  remembered?: ChainHead,
): Promise<Seal | undefined> {
  let { seq, hash } = head;
  let lines = 0;
  for (const line of linesFromEnd(fd, length)) {
    const record = chained(line, seq, hash);
    if (seq === remembered?.seq && hash !== remembered.hash) {
      throw new HushError('INTEGRITY', `record ${seq} is not the one that the vault remembers`);
    }
    if (record.event === sealEvent) return openSeal(record, vaultId, secretOf);
    seq -= 1;
    hash = record.prev;
    lines += 1;
    if (lines % linesPerTurn === 0) await nextTurn();
  }
  if (seq !== 0) throw new HushError('INTEGRITY', `records 1 to ${seq} of the audit are missing`);
  return undefined;
}

/** The record of a line that must be the one of that number and hash. Throws INTEGRITY. */
function chained(line: Buffer, seq: number, hash: string): StoredRecord {
  const record = readRecord(line);
  if (record.seq === seq && record.hash === hash) return record;
  throw new HushError('INTEGRITY', `record ${seq} of the audit was changed`);
}

/**
 * HMAC-SHA-256 over fields of fixed widths: the label, vault id (16), previous hash (32), sequence number (8),
 * commit counter (8), generation (8), and the daemon chain's sequence number (8) and hash (32), zeros if there is none.
 */
function sealMac(state: SealState, secret: AuditSecret, prev: string, seq: number): Uint8Array {
  const { vaultId, commit, generation, daemon = { seq: 0, hash: noHash } } = state;
  const numbers = Buffer.alloc(24);
  [seq, commit, generation].forEach((number, index) => numbers.writeBigUInt64BE(BigInt(number), index * 8));
  const daemonSeq = Buffer.alloc(8);
  daemonSeq.writeBigUInt64BE(BigInt(daemon.seq));
  return createHmac('sha256', secret)
    .update(label)
    .update(vaultId, 'hex')
    .update(prev, 'hex')
    .update(numbers)
    .update(daemonSeq)
    .update(daemon.hash, 'hex')
    .digest();
}
