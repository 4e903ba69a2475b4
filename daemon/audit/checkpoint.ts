import { createHmac } from 'node:crypto';
import { HushError } from '../../protocol/errors.ts';
import { copyBytes, equalBytes } from '../memory/plain-bytes.ts';
import { type ChainHead, isCount, isHash } from './records.ts';
import type { AuditKey, AuditSecretOf } from './seals.ts';

/** Where a chain stood at some time, to be kept elsewhere. */
export interface CheckpointFacts extends ChainHead {
  /** `daemon`, or `profiles/` and the name of a profile. */
  readonly chain: string;
  /** The hash of the chain's first record. */
  readonly start: string;
  /** When it was taken; ISO 8601. */
  readonly time: string;
}

/** A checkpoint as it was read; its MAC, where it has one, proves that a daemon made it. */
export interface Checkpoint extends CheckpointFacts {
  readonly proof:
    | {
        readonly vaultId: string;
        readonly auditKey: string;
        readonly mac: string;
        /** The text that the MAC is over. */
        readonly signed: string;
      }
    | undefined;
}

const magic = 'hushd-checkpoint';
const format = '1';
const label = 'hushd audit checkpoint v1\n';
const none = '-';

/** The line of a checkpoint, without LF; with a key it ends in a MAC over a label and all that is before its last blank. */
export function checkpointLine(
  { chain, start, seq, hash, time }: CheckpointFacts,
  keys: { readonly vaultId: string; readonly key: AuditKey } | undefined,
): string {
  const { vaultId = none, key } = keys ?? {};
  const signed = [magic, format, chain, start, seq, hash, time, vaultId, key?.id ?? none].join(' ');
  return `${signed} ${key === undefined ? none : Buffer.from(macOf(signed, key.secret)).toString('hex')}`;
}

/** Whether a text claims to be a checkpoint. */
export const isCheckpoint = (text: string): boolean => text.startsWith(`${magic} `);

/** The checkpoint that a line is. Throws DAMAGED for anything else, NEWER_FORMAT. */
export function parseCheckpoint(line: string): Checkpoint {
  const text = line.trim();
  const [name, version, chain, start, seq, hash, time, vaultId, auditKey, mac, ...more] = text.split(' ');
  if (name === magic && Number(version) > Number(format)) throw new HushError('NEWER_FORMAT');
  const number = Number(seq);
  if (
    name !== magic ||
    version !== format ||
    chain === undefined ||
    time === undefined ||
    vaultId === undefined ||
    auditKey === undefined ||
    mac === undefined ||
    more.length > 0 ||
    !isHash(start) ||
    !isHash(hash) ||
    !isCount(number) ||
    String(number) !== seq ||
    (mac !== none && !isHash(mac))
  ) {
    throw new HushError('DAMAGED', 'that is no checkpoint of an audit', {
      hint: 'a checkpoint is the line that hush audit checkpoint prints',
    });
  }
  const signed = text.slice(0, text.lastIndexOf(' '));
  const proof = mac === none ? undefined : { vaultId, auditKey, mac, signed };
  return { chain, start, seq: number, hash, time, proof };
}

/** Throws INTEGRITY unless a checkpoint was made for this vault with one of its audit keys, and is unchanged. */
export function proveCheckpoint({ proof }: Checkpoint, vaultId: string, secretOf: AuditSecretOf): void {
  if (proof === undefined) throw new HushError('INTEGRITY', 'the checkpoint has no MAC');
  if (proof.vaultId !== vaultId) throw new HushError('INTEGRITY', 'the checkpoint belongs to another vault');
  const secret = secretOf(proof.auditKey);
  if (secret === undefined)
    throw new HushError('INTEGRITY', 'the checkpoint was made with a key that is not of this vault');
  if (!equalBytes(copyBytes(Buffer.from(proof.mac, 'hex')), macOf(proof.signed, secret)))
    throw new HushError('INTEGRITY', 'the checkpoint was forged or changed');
}

function macOf(signed: string, secret: AuditKey['secret']): Uint8Array {
  return createHmac('sha256', secret).update(label).update(signed, 'utf8').digest();
}
