import { randomFillSync } from 'node:crypto';

import { HushError } from '../../protocol/errors.ts';
import { aadOf } from '../keys/aad.ts';
import { nonceLength, tagLength } from '../keys/aes-gcm.ts';
import { utf8 } from '../keys/text.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import type { FactRow } from '../stores/store.ts';
import type { IndexKeys } from './index-keys.ts';
import type { Ledger } from './ledger.ts';

/** Small things that the vault remembers beside secrets, such as when it was last backed up; never a secret. */
export interface Facts {
  /** What was last put under the name; undefined if nothing was. The caller checks its shape. Throws INTEGRITY, LOCKED. */
  get(name: string): unknown;
  /**
   * The row that remembers a JSON value under a name (1 to 128 characters), for `Changes.facts` of the commit that it
   * belongs to; undefined makes the commit forget it. Throws LOCKED.
   */
  row(name: string, value: unknown): FactRow;
}

const format = 1;
const aes256Gcm = 1;
const headerSize = 2;

/**
 * The facts of an open vault. A fact is sealed as format 1, algorithm 1, nonce (12 bytes), ciphertext, tag, under a key
 * of its name's own; the AAD names vault and fact.
 */
export function createFacts(ledger: Ledger, keys: IndexKeys, vaultId: string): Facts {
  const aadFor = (name: string): Uint8Array => aadOf(['hushd', String(format), 'fact', vaultId, name]);
  const bodyOf = (sealed: Uint8Array): Uint8Array => sealed.subarray(headerSize + nonceLength);
  const nonceOf = (sealed: Uint8Array): Uint8Array => sealed.subarray(headerSize, headerSize + nonceLength);

  return {
    get(name) {
      ledger.requireOpen();
      const sealed = ledger.fact(name)?.sealed;
      if (sealed === undefined) return undefined;
      const [written = 0, algorithm] = sealed;
      if (written > format) throw new HushError('NEWER_FORMAT', `a fact of the vault has format ${written}`);
      const length = sealed.length - headerSize - nonceLength - tagLength;
      if (length < 0 || written !== format || algorithm !== aes256Gcm) throw forged();
      const plain = newBytes(length);
      const cipher = keys.factCipher(name);
      try {
        if (!cipher.open(nonceOf(sealed), aadFor(name), bodyOf(sealed), plain)) throw forged();
      } finally {
        cipher.close();
      }
      const value: unknown = JSON.parse(Buffer.from(plain.buffer).toString());
      return value;
    },
    row(name, value) {
      ledger.requireOpen();
      if (value === undefined) return { name, sealed: newBytes(0) };
      if (name.length < 1 || name.length > 128)
        throw new RangeError('a fact has a name of 1 to 128 characters');
      const plain = utf8(JSON.stringify(value));
      const sealed = newBytes(headerSize + nonceLength + plain.length + tagLength);
      sealed.set([format, aes256Gcm]);
      randomFillSync(nonceOf(sealed));
      const cipher = keys.factCipher(name);
      try {
        cipher.seal(nonceOf(sealed), aadFor(name), plain, bodyOf(sealed));
      } finally {
        cipher.close();
      }
      return { name, sealed };
    },
  };
}

const forged = (): HushError =>
  new HushError('INTEGRITY', 'the vault was tampered with: a fact is not its own');
