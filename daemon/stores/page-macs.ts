import { createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const pageSize = 4096;
const saltSize = 16;
const macSize = 64;
/** SQLite never writes the page that holds the byte at 2^30: it is where file locks live. */
const lockPage = 2 ** 30 / pageSize + 1;

/**
 * Whether each page of a SQLCipher 4 file carries a right MAC under this raw key: HMAC-SHA512 over ciphertext, IV
 * and page number (SQLCipher design, "Per-Page HMAC"). A file whose pages are all right and which SQLite still
 * calls malformed was not hit by accident: pages of different times were put together.
 */
export function pagesAreAuthentic(path: string, key: Uint8Array): boolean {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size === 0 || size % pageSize !== 0) return false;
    const page = new Uint8Array(pageSize);
    readSync(file, page, 0, pageSize, 0);
    const macKey = pbkdf2Sync(
      key,
      page.slice(0, saltSize).map((byte) => byte ^ 0x3a),
      2,
      32,
      'sha512',
    );
    try {
      for (let number = 1; number <= size / pageSize; number++) {
        if (number === lockPage) continue;
        readSync(file, page, 0, pageSize, (number - 1) * pageSize);
        if (!isAuthentic(page, number, macKey)) return false;
      }
      return true;
    } finally {
      macKey.fill(0);
    }
  } finally {
    closeSync(file);
  }
}

function isAuthentic(page: Uint8Array, number: number, macKey: Uint8Array): boolean {
  const trailer = new Uint8Array(4);
  new DataView(trailer.buffer).setUint32(0, number, true);
  const mac = createHmac('sha512', macKey)
    .update(page.subarray(number === 1 ? saltSize : 0, pageSize - macSize))
    .update(trailer)
    .digest();
  return timingSafeEqual(mac, page.subarray(pageSize - macSize));
}
