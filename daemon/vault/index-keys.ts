import sodium from 'sodium-native';

import type { SecretPath } from '../../protocol/names.ts';
import { createAesGcm, tagLength, type AesGcm } from '../keys/aes-gcm.ts';
import { utf8 } from '../keys/text.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import type { SecureArena } from '../memory/secure-bytes.ts';
import { fingerprintSize, idSize } from '../stores/fingerprint.ts';
import type { CounterRow, FactRow } from '../stores/store.ts';

/** What the keys under a vault's name-index key are for; each is BLAKE2b-256 of its text, keyed. */
const purposes = {
  rowId: 'hushd v1 row id, BLAKE2b-256',
  freshness: 'hushd v1 freshness hash, BLAKE2b-256',
  root: 'hushd v1 freshness root, AES-256-GCM',
  fact: 'hushd v1 fact, AES-256-GCM',
} as const;

/** What precedes a row, a counter and a fact under the freshness key, so that none can pass for another. */
const domains = { row: 1, counter: 2, fact: 3 } as const;

/** Everything that the name-index key does for a vault. */
export interface IndexKeys {
  /** The id of a secret's rows, 32 bytes: BLAKE2b-256 of its path, keyed. */
  rowId(path: SecretPath): Uint8Array;
  /** The 32 bytes that a row adds to the freshness hash: BLAKE2b-256 of 1 and its fingerprint, keyed. */
  rowItem(fingerprint: Uint8Array): Uint8Array;
  /** What a counter adds: BLAKE2b-256 of 2, the key's id in ASCII and the count in 8 bytes big endian, keyed. */
  counterItem(counter: CounterRow): Uint8Array;
  /** What a fact adds: BLAKE2b-256 of 3, its name in UTF-8 and the last 16 bytes of its sealed value, keyed. */
  factItem(fact: FactRow): Uint8Array;
  /** The cipher of the freshness root in one epoch; its key is BLAKE2b-256 of the epoch in 4 bytes, keyed. */
  rootCipher(epoch: number): AesGcm;
  /** The cipher of the facts of one name; its key is BLAKE2b-256 of the name in UTF-8, keyed. */
  factCipher(name: string): AesGcm;
  /** Wipes the keys. */
  close(): void;
}

/** The keys under a name-index key (32 bytes, the caller's to wipe), in arena memory until `close`. */
export function createIndexKeys(nameIndexKey: Uint8Array, arena: SecureArena): IndexKeys {
  const derive = (purpose: string) => {
    const key = arena.allocate(32);
    sodium.crypto_generichash(key.bytes, utf8(purpose), nameIndexKey);
    return key;
  };
  const rowIdKey = derive(purposes.rowId);
  const freshnessKey = derive(purposes.freshness);
  const rootKey = derive(purposes.root);
  const factKey = derive(purposes.fact);

  const rowInput = new Uint8Array(1 + fingerprintSize);
  rowInput[0] = domains.row;

  const keyed = (key: Uint8Array, input: Uint8Array): Uint8Array => {
    const out = new Uint8Array(idSize);
    sodium.crypto_generichash(out, input, key);
    return out;
  };

  const cipherOf = (key: Uint8Array, input: Uint8Array): AesGcm => {
    const derived = newBytes(32);
    try {
      sodium.crypto_generichash(derived, input, key);
      return createAesGcm(derived);
    } finally {
      wipe(derived);
    }
  };

  return {
    rowId: ({ text }) => keyed(rowIdKey.bytes, utf8(text)),
    rowItem: (fingerprint) => {
      rowInput.set(fingerprint, 1);
      return keyed(freshnessKey.bytes, rowInput);
    },
    counterItem: ({ key, reserved }) => {
      const input = Buffer.concat([Uint8Array.of(domains.counter), utf8(key), new Uint8Array(8)]);
      input.writeBigUInt64BE(BigInt(reserved), input.length - 8);
      return keyed(freshnessKey.bytes, input);
    },
    factItem: ({ name, sealed }) =>
      keyed(
        freshnessKey.bytes,
        Buffer.concat([Uint8Array.of(domains.fact), utf8(name), sealed.subarray(-tagLength)]),
      ),
    rootCipher: (epoch) => {
      const input = new Uint8Array(4);
      new DataView(input.buffer).setUint32(0, epoch);
      return cipherOf(rootKey.bytes, input);
    },
    factCipher: (name) => cipherOf(factKey.bytes, utf8(name)),
    close: () => {
      for (const key of [rowIdKey, freshnessKey, rootKey, factKey]) key.wipe();
    },
  };
}
