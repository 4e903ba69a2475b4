import { HushError } from '../../protocol/errors.ts';
import { isCheckpoint, parseCheckpoint, proveCheckpoint } from './checkpoint.ts';
import { readRecord } from './records.ts';
import { type AuditSecretOf, openSeal, sealEvent } from './seals.ts';
import { proveStub, readStub } from './stubs.ts';

/**
 * Throws INTEGRITY unless a line without its LF, which is a seal, a stub or a checkpoint, was made for this vault with
 * one of its audit keys and is unchanged.
 */
export function proveLine(text: string, vaultId: string, secretOf: AuditSecretOf): void {
  if (isCheckpoint(text)) {
    proveCheckpoint(parseCheckpoint(text), vaultId, secretOf);
    return;
  }
  const line = Buffer.from(text, 'latin1');
  if (text.startsWith('{"stub":')) {
    proveStub(readStub(line), vaultId, secretOf);
    return;
  }
  const record = readRecord(line);
  if (record.event !== sealEvent) throw new HushError('INTEGRITY', 'the line is no seal');
  openSeal(record, vaultId, secretOf);
}
