import { openChain } from '../audit/chain.ts';
import { recordPrefix } from '../audit/records.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { Manifest } from './container.ts';

/**
 * Puts on record that a profile was restored, at the end of the audit chain in `folder`, and on the disk. The next
 * unlock seals it. Throws as `openChain`, UNAVAILABLE.
 */
export async function recordRestore(
  folder: string,
  profile: ProfileName,
  { id, createdAt, commit }: Manifest,
  detail: Readonly<Record<string, string>> = {},
): Promise<void> {
  const chain = openChain(folder, profile);
  try {
    const { getuid, getgid, pid } = process;
    const who = recordPrefix({ client: 'hush', uid: getuid?.() ?? 0, gid: getgid?.() ?? 0, pid });
    const event = { event: 'backup.restored', who, outcome: 'ok', profile } as const;
    chain.append({ ...event, key: `backup ${id}`, detail: { createdAt, commit, ...detail } });
  } finally {
    await chain.close();
  }
}
