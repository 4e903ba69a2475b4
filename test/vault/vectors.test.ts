import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { gcm } from '@noble/ciphers/aes.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { z } from 'zod';

import { aadOf } from '../../daemon/keys/aad.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { fingerprintOf } from '../../daemon/stores/fingerprint.ts';
import { toggled } from '../../daemon/vault/freshness-sum.ts';
import { createIndexKeys } from '../../daemon/vault/index-keys.ts';
import { createRootCipher } from '../../daemon/vault/root.ts';
import { parseSecretPath } from '../../protocol/names.ts';

const hex = z
  .string()
  .regex(/^([0-9a-f]{2})+$/)
  .transform((text) => Uint8Array.from(Buffer.from(text, 'hex')));
const vector = z.object({
  vector: z.literal('vault-freshness'),
  vaultId: z.string(),
  nameIndexKey: hex,
  rowIdKey: hex,
  freshnessKey: hex,
  rootKey: hex,
  factKey: hex,
  path: z.string().transform(parseSecretPath),
  rowId: hex,
  version: z.number(),
  state: z.number(),
  dek: z.number(),
  metaTag: hex,
  valueTag: hex,
  fingerprint: hex,
  rowItem: hex,
  counterKey: z.string(),
  counterReserved: z.number(),
  counterItem: hex,
  factName: z.string(),
  factValue: z.string(),
  factSealed: hex,
  factItem: hex,
  root: z.string(),
  sealedRoot: hex,
});

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const given = [...page.matchAll(/^```json\n(.*?)^```$/gms)].flatMap(([, block = '']) => {
  const parsed = vector.safeParse(JSON.parse(block));
  return parsed.success ? [parsed.data] : [];
})[0];
assert.ok(given, 'docs/formats.md has the vector of the vault');

const keyed = (key: Uint8Array, input: Uint8Array): Uint8Array => blake2b(input, { key, dkLen: 32 });
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const plain = (value: Uint8Array): number[] => [...value];

test('the rows, counters and facts of docs/formats.md are what the code makes of them', () => {
  const keys = createIndexKeys(given.nameIndexKey, createSecureArena({ prefer: 'sodium_malloc' }));
  const { version, state, dek, metaTag: meta, valueTag: value } = given;
  assert.deepEqual(plain(keys.rowId(given.path)), plain(given.rowId));
  const fingerprint = fingerprintOf({ id: given.rowId, version, state, dek, meta, value });
  assert.deepEqual(plain(fingerprint), plain(given.fingerprint));
  assert.deepEqual(plain(keys.rowItem(fingerprint)), plain(given.rowItem));
  const counter = { key: given.counterKey, reserved: given.counterReserved };
  assert.deepEqual(plain(keys.counterItem(counter)), plain(given.counterItem));
  const fact = { name: given.factName, sealed: given.factSealed };
  assert.deepEqual(plain(keys.factItem(fact)), plain(given.factItem));
  const root = createRootCipher(keys, given.vaultId).open(given.sealedRoot);
  assert.deepEqual(root, JSON.parse(given.root));
  const sum = toggled(new Uint8Array(32), [given.rowItem, given.counterItem, given.factItem]);
  assert.equal(Buffer.from(sum).toString('hex'), root.sum);
});

test('the vector of the vault can be checked with the page and noble alone', () => {
  assert.deepEqual(keyed(given.nameIndexKey, text('hushd v1 row id, BLAKE2b-256')), given.rowIdKey);
  assert.deepEqual(
    keyed(given.nameIndexKey, text('hushd v1 freshness hash, BLAKE2b-256')),
    given.freshnessKey,
  );
  assert.deepEqual(keyed(given.nameIndexKey, text('hushd v1 freshness root, AES-256-GCM')), given.rootKey);
  assert.deepEqual(keyed(given.rowIdKey, text(given.path.text)), given.rowId);
  assert.deepEqual(keyed(given.freshnessKey, Uint8Array.from([1, ...given.fingerprint])), given.rowItem);
  const reserved = Buffer.alloc(8);
  reserved.writeBigUInt64BE(BigInt(given.counterReserved));
  const counterInput = Uint8Array.from([2, ...text(given.counterKey), ...reserved]);
  assert.deepEqual(keyed(given.freshnessKey, counterInput), given.counterItem);
  assert.deepEqual(keyed(given.nameIndexKey, text('hushd v1 fact, AES-256-GCM')), given.factKey);
  const factInput = Uint8Array.from([3, ...text(given.factName), ...given.factSealed.subarray(-16)]);
  assert.deepEqual(keyed(given.freshnessKey, factInput), given.factItem);
  const factAad = aadOf(['hushd', '1', 'fact', given.vaultId, given.factName]);
  const factCipher = gcm(
    keyed(given.factKey, text(given.factName)),
    given.factSealed.subarray(2, 14),
    factAad,
  );
  assert.equal(new TextDecoder().decode(factCipher.decrypt(given.factSealed.subarray(14))), given.factValue);
  const epoch = given.sealedRoot.subarray(2, 6);
  const aad = aadOf(['hushd', '1', 'root', given.vaultId]);
  const cipher = gcm(keyed(given.rootKey, epoch), given.sealedRoot.subarray(6, 18), aad);
  assert.equal(new TextDecoder().decode(cipher.decrypt(given.sealedRoot.subarray(18))), given.root);
});
