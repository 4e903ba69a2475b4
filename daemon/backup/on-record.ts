import { openChain } from '../audit/chain.ts';
import { recordPrefix, type AuditEntry } from '../audit/records.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { Manifest } from './container.ts';

/**
 * What is put on record of a restore: that it is about to happen, or that it has. Where the second can be told only
 * before, it is: no profile is ever restored without a record.
 */
export type RestoreEvent = 'backup.restoring' | 'backup.restored';

/**
 * Puts a restore on record, at the end of the audit chain in `folder`, and on the disk. The next unlock seals it. Throws
 * as `openChain`, UNAVAILABLE.
 */
export async function recordRestore(
  event: RestoreEvent,
  folder: string,
  profile: ProfileName,
  { id, createdAt, commit }: Manifest,
  detail: AuditEntry['detail'] = {},
): Promise<void> {
  const chain = openChain(folder, profile);
  try {
    const { getuid, getgid, pid } = process;
    const who = recordPrefix({ client: 'hush', uid: getuid?.() ?? 0, gid: getgid?.() ?? 0, pid });
    const entry = { event, who, outcome: 'ok', profile } as const;
    chain.append({ ...entry, key: `backup ${id}`, detail: { createdAt, commit, ...detail } });
  } finally {
    await chain.close();
  }
}
