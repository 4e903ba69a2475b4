import { createDecipheriv } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

import type { VaultFile } from '../../daemon/stores/sqlcipher.ts';

const pageSize = 4096;
const saltSize = 16;
const macSize = 64;
const ivSize = 16;
const logHeader = 32;
const frameHeader = 24;

/** A page of SQLCipher 4 (AES-256-CBC under the raw key, IV and MAC at its end) without its encryption. */
function opened(page: Uint8Array, key: Uint8Array, isFirst: boolean): Buffer {
  const end = pageSize - macSize - ivSize;
  const cipher = createDecipheriv('aes-256-cbc', key, page.subarray(end, end + ivSize)).setAutoPadding(false);
  const body = cipher.update(page.subarray(isFirst ? saltSize : 0, end));
  return Buffer.concat([body, cipher.final()]);
}

/** All that whoever has the key of a vault file finds in it and in its log: free pages and free space in pages too. */
export function contentOf(file: VaultFile): Buffer {
  const main = readFileSync(file.path);
  const log = existsSync(`${file.path}-wal`) ? readFileSync(`${file.path}-wal`) : Buffer.alloc(0);
  const pages: Buffer[] = [];
  for (let at = 0; at < main.length; at += pageSize) {
    pages.push(opened(main.subarray(at, at + pageSize), file.key, at === 0));
  }
  for (let at = logHeader; at + frameHeader + pageSize <= log.length; at += frameHeader + pageSize) {
    const isFirst = log.readUInt32BE(at) === 1;
    pages.push(opened(log.subarray(at + frameHeader, at + frameHeader + pageSize), file.key, isFirst));
  }
  return Buffer.concat(pages);
}
