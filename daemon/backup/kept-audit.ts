import { renameSync } from 'node:fs';
import { dirname } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { linesBackwards } from '../audit/backwards.ts';
import { openChain } from '../audit/chain.ts';
import { sealEvent } from '../audit/seals.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import type { ProfilePaths } from '../home/paths.ts';
import { setAsideAudit } from '../profiles/create.ts';

/** The audit that a restored profile goes on with. */
export interface KeptAudit {
  /** Whether it is the one that was in the home; else it is that of the backup. */
  readonly stayed: boolean;
  /** Where the one that was in the home is kept, if that could not be gone on with. */
  readonly aside: string | undefined;
}

/** What `keepAudit` chooses from. */
export interface KeepAuditParts {
  readonly place: Pick<ProfilePaths, 'audit'>;
  readonly name: string;
  readonly vaultId: string;
  /** The folder of the backup's audit. */
  readonly ofBackup: string;
  /** Puts something on record in the one that is chosen, before that is in place. */
  readonly record: (audit: string) => Promise<void>;
}

/**
 * Puts the audit in place that a restored profile goes on with. That of the home stays if it was sealed for this very
 * vault last and can be gone on with: it knows how far the vault had come. Whatever else is there, of another vault or
 * damaged, is set aside as an `init` does, and that of the backup takes its place. Where the home has one of this vault
 * no daemon may run. Throws UNSAFE_MODE, NEWER_FORMAT, UNAVAILABLE.
 */
export async function keepAudit({
  place: { audit },
  name,
  vaultId,
  ofBackup,
  record,
}: KeepAuditParts): Promise<KeptAudit> {
  if (knowsVault({ audit }, vaultId) && (await canGoOn(audit, name))) {
    await record(audit);
    return { stayed: true, aside: undefined };
  }
  await record(ofBackup);
  const aside = setAsideAudit({ audit });
  try {
    // A crash here leaves an audit without a profile, which the next `init` sets aside and the next restore goes on with.
    renameSync(ofBackup, audit);
  } catch (error) {
    throw diskError('cannot put the audit of the backup in place', error);
  }
  syncFolder(dirname(audit));
  return { stayed: false, aside };
}

/** Whether an audit chain was sealed for this vault last, as far as that can be read: no key has proved it. */
export function knowsVault({ audit }: Pick<ProfilePaths, 'audit'>, vaultId: string): boolean {
  try {
    for (const line of linesBackwards(audit)) {
      const text = line.toString('latin1');
      if (text.includes(`"event":"${sealEvent}"`)) return text.includes(`"vault":"${vaultId}"`);
    }
    return false;
  } catch (error) {
    if (error instanceof HushError && error.code === 'INTEGRITY') return false;
    throw error;
  }
}

async function canGoOn(audit: string, name: string): Promise<boolean> {
  try {
    await openChain(audit, name).close();
    return true;
  } catch (error) {
    if (error instanceof HushError && error.code === 'INTEGRITY') return false;
    throw error;
  }
}
