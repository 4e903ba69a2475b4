import type { BackupFile } from '../../daemon/backup/reader.ts';

/** What a backup says of itself, as commands print it. */
export function factsOf({ head, size }: BackupFile) {
  const { format, id, profile, vaultId, createdAt, commit, header, keyset, audit } = head.manifest;
  return {
    format,
    id,
    profile,
    vaultId,
    createdAt,
    size,
    commit,
    headerGeneration: header.generation,
    keysetGeneration: keyset.generation,
    keysetLines: keyset.lines,
    auditRecords: audit.seq,
  };
}
