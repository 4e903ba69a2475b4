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
  readonly daemon?: DaemonHead;
}

/** A place in the daemon's own chain. */
export interface DaemonHead extends ChainHead {
  /** The hash of that chain's first record, which tells it from others; the earliest seals did not have it. */
  readonly start?: string;
}

/** A seal whose MAC has verified. */
export interface Seal extends SealState, ChainHead {}

/** The event of seal records. */
export const sealEvent = 'audit.seal';

/** So many lines are checked in one turn of the event loop. */
const linesPerTurn = 1_000;
const label = 'hushd audit seal v1';
const labelWithStart = 'hushd audit seal v2';

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
      ...(daemon?.start === undefined ? {} : { daemonStart: daemon.start }),
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
  const { vault, generation, auditKey, mac } = detail;
  if (!isCount(commit) || !isCount(generation) || typeof auditKey !== 'string') {
    throw new HushError('INTEGRITY', 'the seal lacks a field');
  }
  if (vault !== vaultId) throw new HushError('INTEGRITY', 'the seal belongs to another vault');
  const secret = secretOf(auditKey);
  if (secret === undefined)
    throw new HushError('INTEGRITY', 'the seal was made with a key that is not of this vault');
  const daemon = daemonHeadIn(record);
  const state: SealState = { vaultId, commit, generation, ...(daemon === undefined ? {} : { daemon }) };
  const given = copyBytes(Buffer.from(typeof mac === 'string' ? mac : '', 'hex'));
  if (!equalBytes(given, sealMac(state, secret, prev, seq))) {
    throw new HushError('INTEGRITY', 'the seal was forged or changed');
  }
  return { ...state, seq, hash };
}

/** Where a seal says that the daemon's own chain stood; proved only with the seal. */
export function daemonHeadIn({ detail }: StoredRecord): DaemonHead | undefined {
  const { daemonStart, daemonSeq, daemonHash } = detail;
  if (!isCount(daemonSeq) || !isHash(daemonHash)) return undefined;
  return { seq: daemonSeq, hash: daemonHash, ...(isHash(daemonStart) ? { start: daemonStart } : {}) };
}

/**
 * The newest seal of a chain whose lines are given from its last to its first, and whose last record is `head`;
 * undefined if it has none. The records after it are checked against their hashes; those before it are what it vouches
 * for. Throws INTEGRITY.
 */
export async function newestSeal(
  linesBackwards: Iterable<Buffer>,
  head: ChainHead,
  vaultId: string,
  secretOf: AuditSecretOf,
): Promise<Seal | undefined> {
  let { seq, hash } = head;
  let lines = 0;
  for (const line of linesBackwards) {
    const record = chained(line, seq, hash);
    if (record.event === sealEvent) return openSeal(record, vaultId, secretOf);
    seq -= 1;
    hash = record.prev;
    lines += 1;
    if (lines % linesPerTurn === 0) await nextTurn();
  }
  if (seq !== 0) throw new HushError('INTEGRITY', `records 1 to ${seq} of the audit are missing`);
  return undefined;
}

/**
 * The newest seal that verifies by itself in the lines of a chain, given from its last to its first, whatever was done to
 * the records around it: what a chain that was changed still proves. Undefined if there is none.
 */
export async function newestProof(
  linesBackwards: Iterable<Buffer>,
  vaultId: string,
  secretOf: AuditSecretOf,
): Promise<Seal | undefined> {
  let lines = 0;
  try {
    for (const line of linesBackwards) {
      const seal = line.includes(sealEvent) ? sealIn(line, vaultId, secretOf) : undefined;
      if (seal !== undefined) return seal;
      lines += 1;
      if (lines % linesPerTurn === 0) await nextTurn();
    }
    return undefined;
  } catch (error) {
    // From a place that is no line on, nothing is proved.
    if (error instanceof HushError && error.code === 'INTEGRITY') return undefined;
    throw error;
  }
}

/** The seal in a line; undefined if it is none, or does not verify. */
function sealIn(line: Buffer, vaultId: string, secretOf: AuditSecretOf): Seal | undefined {
  try {
    const record = readRecord(line);
    return record.event === sealEvent ? openSeal(record, vaultId, secretOf) : undefined;
  } catch (error) {
    if (error instanceof HushError) return undefined;
    throw error;
  }
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
 * With the hash of that chain's first record (32) behind them it has another label.
 */
function sealMac(state: SealState, secret: AuditSecret, prev: string, seq: number): Uint8Array {
  const { vaultId, commit, generation, daemon } = state;
  const numbers = Buffer.alloc(32);
  [seq, commit, generation, daemon?.seq ?? 0].forEach((number, index) =>
    numbers.writeBigUInt64BE(BigInt(number), index * 8),
  );
  const mac = createHmac('sha256', secret)
    .update(daemon?.start === undefined ? label : labelWithStart, 'latin1')
    .update(vaultId, 'hex')
    .update(prev, 'hex')
    .update(numbers)
    .update(daemon?.hash ?? noHash, 'hex');
  if (daemon?.start !== undefined) mac.update(daemon.start, 'hex');
  return mac.digest();
}
