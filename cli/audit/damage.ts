import type { BadRecord } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';

/** The error that tells where a chain was found to be wrong. */
export const damage = (chain: string, { file, line, seq, why, code }: BadRecord): HushError =>
  new HushError(code ?? 'INTEGRITY', `the audit ${chain}: ${file}, line ${line} (record ${seq}): ${why}`, {
    hint: 'keep a copy of its files as they are; compare with a backup: hush backup verify --open',
  });
