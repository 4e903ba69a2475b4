import { createHash, randomFillSync } from 'node:crypto';

import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { nonceLength, tagLength } from '../keys/aes-gcm.ts';
import { aadOf } from '../keys/aad.ts';
import { utf8 } from '../keys/text.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import type { IndexKeys } from './index-keys.ts';

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

const auditHead = z.strictObject({ seq: count, hash: z.string().max(256) });

/** The state of a whole vault in a few words; whatever differs from it was tampered with. */
const root = z.strictObject({
  /** How many commits were made. */
  commit: count,
  rows: count,
  counters: count,
  /** Absent in a root of vault format 1, which knows no facts. */
  facts: count.default(0),
  /** The freshness sum over rows, counters and facts. */
  sum: hex32,
  /** The key set in the vault: how many lines it has, and the SHA-256 of its last one. */
  keyset: z.strictObject({ lines: count, hash: hex32 }),
  /** Left out until a first one was noted. */
  audit: auditHead.optional(),
});

/** The last entry of the audit chain that the vault knows of. */
export type AuditHead = z.output<typeof auditHead>;

/** The freshness root of a vault. */
export type Root = z.output<typeof root>;

/** How many lines the key set has, and the SHA-256 of its last one, whose MAC chains all of them. */
export const keysetHead = (lines: readonly string[], from = 0): Root['keyset'] => ({
  lines: from + lines.length,
  hash: createHash('sha256')
    .update(lines.at(-1) ?? '')
    .digest('hex'),
});

const format = 1;
const aes256Gcm = 1;
const headerSize = 6;
/** One key seals at most this many roots, far from where random 96-bit nonces begin to repeat. */
const commitsPerEpoch = 2 ** 24;

/** Seals and opens the roots of one vault. */
export interface RootCipher {
  /** The root as it is stored: format 1, algorithm 1, epoch (4 bytes, big endian), nonce, ciphertext, tag. */
  seal(root: Root): Uint8Array;
  /** Throws INTEGRITY if it is not one that this vault sealed. */
  open(sealed: Uint8Array): Root;
  close(): void;
}

/** The cipher of a vault's roots; the vault's id is the AAD. */
export function createRootCipher(keys: IndexKeys, vaultId: string): RootCipher {
  const aad = aadOf(['hushd', String(format), 'root', vaultId]);
  let epoch = 0;
  let cipher = keys.rootCipher(epoch);

  const cipherOf = (wanted: number) => {
    if (wanted !== epoch) {
      cipher.close();
      cipher = keys.rootCipher(wanted);
      epoch = wanted;
    }
    return cipher;
  };

  return {
    seal: (root) => {
      const plain = utf8(JSON.stringify(root));
      const sealed = newBytes(headerSize + nonceLength + plain.length + tagLength);
      const nonce = sealed.subarray(headerSize, headerSize + nonceLength);
      const rootEpoch = Math.floor(root.commit / commitsPerEpoch);
      sealed.set([format, aes256Gcm]);
      new DataView(sealed.buffer).setUint32(2, rootEpoch);
      randomFillSync(nonce);
      cipherOf(rootEpoch).seal(nonce, aad, plain, sealed.subarray(headerSize + nonceLength));
      return sealed;
    },
    open: (sealed) => {
      const length = sealed.length - headerSize - nonceLength - tagLength;
      const [written = 0, algorithm] = sealed;
      if (written > format) throw new HushError('NEWER_FORMAT', `the vault's root has format ${written}`);
      if (length < 0 || written !== format || algorithm !== aes256Gcm) throw forged();
      const plain = newBytes(length);
      const nonce = sealed.subarray(headerSize, headerSize + nonceLength);
      const rootEpoch = new DataView(sealed.buffer, sealed.byteOffset).getUint32(2);
      const opened = cipherOf(rootEpoch).open(nonce, aad, sealed.subarray(headerSize + nonceLength), plain);
      if (!opened) throw forged();
      return root.parse(JSON.parse(Buffer.from(plain.buffer).toString()));
    },
    close: () => {
      cipher.close();
    },
  };
}

const forged = (): HushError =>
  new HushError('INTEGRITY', 'the vault was tampered with: its root is not its own');
