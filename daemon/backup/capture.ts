import type { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { ChainHead } from '../audit/records.ts';
import { keysetBytes } from '../keys/keyset-file.ts';
import type { Session } from '../profiles/session.ts';
import { auditSources } from './audit-sources.ts';
import type { Manifest } from './container.ts';
import { memorySource, type Source } from './stream.ts';

/** A whole profile as it stood at one moment. */
export interface Captured {
  readonly facts: Omit<Manifest, 'files'>;
  readonly sources: readonly Source[];
  /** The MAC of a manifest. Throws LOCKED once the profile's keys are closed. */
  macOf(signed: Uint8Array): Uint8Array;
  /** Why the vault's file may have changed since; undefined while it may not. */
  broken(): HushError | undefined;
  /** Lets the vault's file change again, and lets go of the audit. Further calls do nothing. */
  end(): void;
}

/** Where `settle` has left the audit of a profile: its newest file, and the last record in it. */
export interface Settled {
  readonly auditFile: string;
  readonly head: ChainHead;
}

/**
 * Captures an unlocked profile, which was settled in this very turn of the event loop, under an id: header and key set as they are in
 * memory, where their MACs have verified, the vault's file after its last commit, and the audit up to its last record.
 * Throws CONFLICT while another copy of the vault is made, UNAVAILABLE.
 */
export function capture(
  { id, createdAt }: Pick<Manifest, 'id' | 'createdAt'>,
  profile: ProfileName,
  session: Session,
  { auditFile, head }: Settled,
): Captured {
  const { vault, keyring } = session;
  const header = session.header();
  const keyset = keyring.keyset();
  const audit = auditSources(auditFile);
  try {
    const snapshot = session.snapshot();
    return {
      facts: {
        format: 1,
        id,
        vaultId: vault.vaultId,
        profile,
        createdAt,
        commit: vault.commitCounter(),
        header: { generation: header.generation },
        keyset: { generation: keyset.generation, lines: keyset.lines.length },
        audit: { seq: head.seq, hash: head.hash },
      },
      sources: [
        memorySource('header', 'header', keyring.headerBytes(header)),
        memorySource('keyset', header.files.keyset, keysetBytes(keyset.lines)),
        { part: 'vault', name: header.files.vault, size: snapshot.size, read: snapshot.read },
        ...audit.sources,
      ],
      macOf: keyring.backupMac,
      broken: snapshot.ended,
      end() {
        snapshot.end();
        audit.release();
      },
    };
  } catch (error) {
    audit.release();
    throw error;
  }
}
