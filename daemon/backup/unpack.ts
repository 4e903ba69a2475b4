import { closeSync, constants, fsyncSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { openSafeFile } from '../home/safety.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import type { Header } from '../keys/header.ts';
import { parseFirstLine } from '../keys/keyset.ts';
import { fileOf, type BackedUpFile, type Manifest } from './container.ts';
import type { BackupFile } from './reader.ts';

/** Where the files of a backup go, or went: two empty folders. */
export interface UnpackFolders {
  readonly profile: string;
  readonly audit: string;
}

/** Where a file of a backup is, once it is unpacked. */
export const unpackedAt = ({ profile, audit }: UnpackFolders, { part, name }: BackedUpFile): string =>
  join(part === 'audit' ? audit : profile, name);

/**
 * Writes all files of a backup into folders that are there and empty, mode 0600, and puts them on the disk. Then every
 * checksum was right, and header and key set are those that the manifest says: what they say was not proved yet. Answers
 * the checksum of the whole, in hex. Throws DAMAGED, INTEGRITY, NEWER_FORMAT, UNAVAILABLE; what was written stays.
 */
export async function unpack(
  backup: BackupFile,
  folders: UnpackFolders,
  progress?: (bytes: number) => void,
): Promise<string> {
  const { manifest } = backup.head;
  const files = new Map(manifest.files.map((file) => [file, newFile(unpackedAt(folders, file))]));
  try {
    const checksum = await backup.readAll((file, piece) => {
      attempt(() => {
        const fd = files.get(file);
        for (let done = 0; fd !== undefined && done < piece.length;) done += writeSync(fd, piece, done);
      });
    }, progress);
    attempt(() => {
      for (const fd of files.values()) fsyncSync(fd);
    });
    checkNames(manifest, folders);
    return checksum;
  } finally {
    for (const fd of files.values()) closeSync(fd);
    for (const folder of [folders.profile, folders.audit]) syncFolder(folder);
  }
}

const newFile = (path: string): number =>
  openSafeFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    throw diskError('cannot write what is in the backup', error);
  }
}

/** Throws INTEGRITY unless a header says of itself what the manifest of its backup says of it. */
export function checkHeader(manifest: Manifest, { body }: Header): void {
  const fits =
    body.vaultId === manifest.vaultId &&
    body.generation === manifest.header.generation &&
    body.files.keyset === fileOf(manifest, 'keyset').name &&
    body.files.vault === fileOf(manifest, 'vault').name;
  if (!fits) throw mixed();
}

function checkNames(manifest: Manifest, folders: UnpackFolders): void {
  const keyset = fileOf(manifest, 'keyset');
  checkHeader(manifest, readHeaderFile(unpackedAt(folders, fileOf(manifest, 'header'))));
  const { lines, torn } = readKeysetFile(unpackedAt(folders, keyset));
  const first = parseFirstLine(lines[0] ?? '');
  const fits =
    first.vaultId === manifest.vaultId &&
    first.generation === manifest.keyset.generation &&
    lines.length === manifest.keyset.lines &&
    !torn;
  if (!fits) throw mixed();
}

const mixed = (): HushError =>
  new HushError('INTEGRITY', 'the backup was tampered with: its files do not belong together', {
    hint: 'restore from another backup',
  });
