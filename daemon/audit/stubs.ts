import { createHmac } from 'node:crypto';
import { HushError } from '../../protocol/errors.ts';
import { copyBytes, equalBytes } from '../memory/plain-bytes.ts';
import { isCount, isHash, parseObject } from './records.ts';
import type { AuditKey, AuditSecretOf } from './seals.ts';

/** What is kept of a segment that is not kept. */
export interface StubFacts {
  /** The number of the segment, from 1. */
  readonly segment: number;
  /** The hash of the chain's first record. */
  readonly start: string;
  /** The vault whose audit key vouches for it; 32 hex digits. */
  readonly vaultId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The time in the first record, and in the last. */
  readonly firstTime: string;
  readonly lastTime: string;
  /** The hash that the first record follows. */
  readonly prev: string;
  readonly lastHash: string;
}

/** A stub as it was read; only its MAC can prove it. */
export interface Stub extends StubFacts {
  readonly auditKey: string;
  readonly mac: string;
  /** The bytes that the MAC is over. */
  readonly signed: string;
}

/** The format number of stubs. */
const stubFormat = 1;
const label = 'hushd audit stub v1\n';
const macOpening = ',"mac":"';
const tailPattern = /,"mac":"([0-9a-f]{64})"\}$/;

/**
 * The line of a stub, its LF included: JSON whose `mac` is the HMAC-SHA-256 under the audit key over a label and all
 * bytes before it.
 */
export function stubLine(facts: StubFacts, key: AuditKey): string {
  const { segment, start, vaultId, firstSeq, lastSeq, firstTime, lastTime, prev, lastHash } = facts;
  const body = JSON.stringify({
    stub: stubFormat,
    segment,
    start,
    firstSeq,
    lastSeq,
    records: lastSeq - firstSeq + 1,
    firstTime,
    lastTime,
    prev,
    lastHash,
    vault: vaultId,
    auditKey: key.id,
  }).slice(0, -1);
  return `${body}${macOpening}${Buffer.from(stubMac(body, key.secret)).toString('hex')}"}\n`;
}

/** The stub that a line without its LF holds. Throws INTEGRITY for anything else, NEWER_FORMAT. */
export function readStub(line: Buffer): Stub {
  const text = line.toString('latin1');
  const fields = parseObject(text);
  const { stub, segment, start, firstSeq, lastSeq, records, firstTime, lastTime, prev, lastHash } = fields;
  const { vault, auditKey } = fields;
  if (isCount(stub) && stub > stubFormat) throw new HushError('NEWER_FORMAT');
  const found = tailPattern.exec(text);
  const isStub =
    stub === stubFormat && isCount(segment) && isCount(firstSeq) && isCount(lastSeq) && isCount(records);
  if (
    found?.[1] === undefined ||
    !isStub ||
    records !== lastSeq - firstSeq + 1 ||
    records < 1 ||
    !isHash(start) ||
    !isHash(prev) ||
    !isHash(lastHash) ||
    typeof firstTime !== 'string' ||
    typeof lastTime !== 'string' ||
    typeof vault !== 'string' ||
    typeof auditKey !== 'string'
  ) {
    throw new HushError('INTEGRITY', 'the line is no stub of a segment');
  }
  const facts = { segment, start, vaultId: vault, firstSeq, lastSeq, firstTime, lastTime, prev, lastHash };
  return { ...facts, auditKey, mac: found[1], signed: text.slice(0, found.index) };
}

/** Throws INTEGRITY unless a stub was made for this vault with one of its audit keys, and is unchanged. */
export function proveStub(stub: Stub, vaultId: string, secretOf: AuditSecretOf): void {
  if (stub.vaultId !== vaultId) throw new HushError('INTEGRITY', 'the stub belongs to another vault');
  const secret = secretOf(stub.auditKey);
  if (secret === undefined)
    throw new HushError('INTEGRITY', 'the stub was made with a key that is not of this vault');
  if (!equalBytes(copyBytes(Buffer.from(stub.mac, 'hex')), stubMac(stub.signed, secret)))
    throw new HushError('INTEGRITY', 'the stub was forged or changed');
}

function stubMac(signed: string, secret: AuditKey['secret']): Uint8Array {
  return createHmac('sha256', secret).update(label).update(signed, 'latin1').digest();
}
