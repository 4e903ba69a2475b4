import { closeSync, constants, existsSync, fsyncSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { diskError } from '../daemon/home/disk-errors.ts';
import { syncFolder } from '../daemon/home/files.ts';
import { openSafeFile } from '../daemon/home/safety.ts';
import { HushError } from '../protocol/errors.ts';
import { hexLine } from '../protocol/master-key-text.ts';

/**
 * Writes a key as text into a new file that nobody else can read, durably; gives how to take the file back.
 * Throws EXISTS if there is something of that name, which stays as it is, and UNAVAILABLE if it cannot be written.
 */
export function writeKeyFile(path: string, key: Uint8Array): () => void {
  if (existsSync(path)) {
    throw new HushError('EXISTS', `${path} exists already`, {
      hint: 'name another file, or leave --generate away to use the key in this one',
    });
  }
  const fd = openSafeFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  const takeBack = (): void => {
    unlinkSync(path);
  };
  const text = hexLine(key);
  try {
    for (let written = 0; written < text.length;) written += writeSync(fd, text, written);
    fsyncSync(fd);
  } catch (error) {
    takeBack();
    throw diskError(`cannot write ${path}`, error);
  } finally {
    closeSync(fd);
    text.fill(0);
  }
  syncFolder(dirname(path));
  return takeBack;
}
