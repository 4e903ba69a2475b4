import { closeSync, constants, existsSync, fsyncSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../daemon/home/files.ts';
import { openSafeFile } from '../daemon/home/safety.ts';
import { newBytes } from '../daemon/memory/plain-bytes.ts';
import { HushError } from '../protocol/errors.ts';

const digits = new TextEncoder().encode('0123456789abcdef');

/** A key as text: two hex digits a byte and a line feed, in memory that is the caller's to wipe. */
export function keyText(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = newBytes(key.length * 2 + 1);
  key.forEach((byte, index) => {
    text[index * 2] = digits[byte >> 4] ?? 0;
    text[index * 2 + 1] = digits[byte & 0x0f] ?? 0;
  });
  text[key.length * 2] = 0x0a;
  return text;
}

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
  const text = keyText(key);
  const fd = openSafeFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  try {
    let written = 0;
    while (written < text.length) written += writeSync(fd, text, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
    text.fill(0);
  }
  syncFolder(dirname(path));
  return () => {
    unlinkSync(path);
  };
}
