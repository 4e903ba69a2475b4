import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { x25519 } from '@noble/curves/ed25519.js';
import argon2 from 'argon2';
import { z } from 'zod';

import { aadOf } from '../../daemon/keys/aad.ts';
import { createAesGcm } from '../../daemon/keys/aes-gcm.ts';
import { digestKeyInfo } from '../../daemon/keys/contexts.ts';
import { parseHeader, type Slot } from '../../daemon/keys/header.ts';
import { hkdfSha256 } from '../../daemon/keys/hmac.ts';
import { hpkeOpen, publicKeyOf } from '../../daemon/keys/hpke.ts';
import { readKeyset } from '../../daemon/keys/keyset.ts';
import { createNonceSource } from '../../daemon/keys/nonce.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createSealer, parseSealedHandle, parseSealedValue } from '../../daemon/keys/sealed.ts';
import type { Credential } from '../../daemon/keys/slot.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { unwrapKey } from '../../daemon/keys/wrapped-key.ts';
import { parseRecoveryKey, recoveryTextLength, writeRecoveryKey } from '../../protocol/recovery-key.ts';
import { arena, argon2Queue, bytesOf, textOf } from './fixtures.ts';

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block = '']): unknown =>
  JSON.parse(block),
);

/** The vector of that name on the page. */
function vector<Shape extends z.ZodRawShape>(name: string, shape: Shape) {
  const schema = z.strictObject({ vector: z.literal(name), ...shape });
  const found = blocks.filter((block) => schema.safeParse(block).success);
  assert.equal(found.length, 1, `one vector ${name}`);
  return schema.parse(found[0]);
}

const hex = z.string().regex(/^([0-9a-f]{2})+$/);
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

test('the subkeys of docs/formats.md come from its vault key', () => {
  const given = vector('subkeys', { vaultKey: hex, vaultFileKey: hex, wrappingKey: hex, macKey: hex });
  const subkeys = deriveSubkeys(bytes(given.vaultKey), arena);
  const { vaultFileKey, wrappingKey, macKey } = subkeys;
  assert.deepEqual(
    [vaultFileKey, wrappingKey, macKey].map((key) => hexOf(key.bytes)),
    [given.vaultFileKey, given.wrappingKey, given.macKey],
  );
  subkeys.wipe();
});

test('the digest key of docs/formats.md comes from its digest root', () => {
  const given = vector('digest-key', { digestRoot: hex, keyring: z.string(), digestKey: hex });
  const out = new Uint8Array(32);
  hkdfSha256(bytes(given.digestRoot), new Uint8Array(32), bytesOf(digestKeyInfo(given.keyring)), out);
  assert.equal(hexOf(out), given.digestKey);
});

test('the HPKE message of docs/formats.md opens', () => {
  const given = vector('hpke', {
    privateKey: hex,
    publicKey: hex,
    info: z.string(),
    plain: hex,
    sealed: hex,
  });
  const out = new Uint8Array(32);
  assert.equal(hexOf(publicKeyOf(bytes(given.privateKey))), given.publicKey);
  assert.ok(hpkeOpen(bytes(given.privateKey), given.info, bytes(given.sealed), out));
  assert.equal(hexOf(out), given.plain);
});

/** The master key of a slot, by other libraries than ours where there is a cost to get wrong. */
async function masterKey({ kdf, kind }: Slot, secret: Uint8Array): Promise<Uint8Array> {
  const salt = Buffer.from(kdf.salt, 'base64');
  if (kdf.name === 'argon2id') {
    return argon2.hash(Buffer.from(secret), {
      raw: true,
      type: argon2.argon2id,
      salt,
      hashLength: 32,
      memoryCost: kdf.memoryKiB,
      timeCost: kdf.passes,
      parallelism: kdf.lanes,
    });
  }
  const out = new Uint8Array(32);
  const info = kind === 'recovery' ? 'hushd v1 slot recovery key' : 'hushd v1 slot key';
  hkdfSha256(secret, salt, bytesOf(info), out);
  return out;
}

test('the header of docs/formats.md opens in every way that the page says', async () => {
  const credential = z.union([
    z.strictObject({ kind: z.literal('passphrase'), text: z.string() }),
    z.strictObject({ kind: z.enum(['key', 'recovery']), hex }),
  ]);
  const given = vector('header', {
    lines: z.array(z.string()),
    vaultKey: hex,
    opens: z.array(
      z.strictObject({
        credentials: z.array(credential),
        opener: z.string(),
        privateKeys: z.array(hex),
      }),
    ),
  });
  const header = parseHeader(bytesOf(given.lines.map((line) => `${line}\n`).join('')));
  assert.equal(given.opens.length, header.body.openers.length);
  for (const { credentials, opener, privateKeys } of given.opens) {
    const secrets = credentials.map((one): Credential =>
      one.kind === 'passphrase'
        ? { kind: one.kind, secret: bytesOf(one.text) }
        : { kind: one.kind, secret: bytes(one.hex) },
    );
    const opened = await openHeader(header, secrets, arena, argon2Queue);
    assert.equal(hexOf(opened.vaultKey.bytes), given.vaultKey);
    assert.equal(opened.openerId, opener);
    opened.vaultKey.wipe();

    for (const [index, id] of opened.slotIds.entries()) {
      const slot = header.body.slots.find((one) => one.id === id) ?? assert.fail(id);
      const key = await masterKey(slot, secrets[index]?.secret ?? assert.fail(id));
      assert.equal(hexOf(key), privateKeys[index]);
      assert.equal(Buffer.from(x25519.getPublicKey(key)).toString('base64'), slot.public);
    }
  }
});

test('the recovery key of docs/formats.md is written and read as the page says', () => {
  const given = vector('recovery-key', { key: hex, text: z.string() });
  const text = new Uint8Array(recoveryTextLength);
  writeRecoveryKey(bytes(given.key), text);
  assert.equal(textOf(text), given.text);
  const key = new Uint8Array(32);
  parseRecoveryKey(bytesOf(given.text), key);
  assert.equal(hexOf(key), given.key);
});

test('the key set of docs/formats.md verifies, and its keys unwrap', () => {
  const given = vector('keyset', {
    vaultId: hex,
    macKey: hex,
    wrappingKey: hex,
    lines: z.array(z.string()),
    keys: z.record(hex, hex),
    headMac: hex,
  });
  const keyset = readKeyset(given.lines, given.vaultId, bytes(given.macKey));
  const out = new Uint8Array(32);
  for (const [id, { entry }] of keyset.keys) {
    unwrapKey(bytes(given.wrappingKey), given.vaultId, entry, out);
    assert.equal(hexOf(out), given.keys[id]);
  }
  assert.equal(keyset.keys.size, Object.keys(given.keys).length);
  assert.equal(hexOf(keyset.head.mac), given.headMac);
});

const dekOf = (raw: string, keyring: string, tenant: string, version: number) => ({
  keyring,
  tenant,
  version,
  cipher: createAesGcm(bytes(raw)),
  opened: false,
});

test('the sealed value of docs/formats.md opens', () => {
  const given = vector('sealed-value', {
    dek: hex,
    dekVersion: z.int(),
    vaultId: hex,
    part: z.literal('value'),
    scope: z.string(),
    name: z.string(),
    version: z.int(),
    aad: hex,
    plain: hex,
    sealed: hex,
  });
  const { vaultId, part, scope, name, version } = given;
  const parsed = parseSealedValue(bytes(given.sealed));
  assert.equal(parsed.dekVersion, given.dekVersion);
  const dek = dekOf(given.dek, 'default', '', given.dekVersion);
  const sealer = createSealer(vaultId, createNonceSource());
  assert.equal(hexOf(sealer.openValue(dek, { part, scope, name, version }, parsed)), given.plain);
  assert.equal(hexOf(aadOf(['hushd', '1', part, vaultId, scope, name, String(version)])), given.aad);
});

test('the sealed handle of docs/formats.md opens', () => {
  const given = vector('sealed-handle', {
    dek: hex,
    dekVersion: z.int(),
    vaultId: hex,
    keyring: z.string(),
    handleId: z.string(),
    namespace: z.string(),
    key: z.string(),
    tenant: z.string(),
    revision: z.int(),
    aad: hex,
    plain: hex,
    ciphertext: z.string(),
  });
  const { vaultId, keyring, handleId, namespace, key, tenant, revision } = given;
  const parsed = parseSealedHandle(given.ciphertext);
  assert.deepEqual([parsed.dekVersion, parsed.revision, parsed.tenant], [given.dekVersion, revision, tenant]);
  const dek = dekOf(given.dek, keyring, tenant, given.dekVersion);
  const sealer = createSealer(vaultId, createNonceSource());
  const plain = sealer.openHandle(dek, { keyring, handleId, namespace, key }, parsed);
  assert.equal(textOf(plain), textOf(bytes(given.plain)));
  const fields = [
    'hushd',
    '2',
    'handle',
    vaultId,
    keyring,
    handleId,
    namespace,
    key,
    tenant,
    String(revision),
  ];
  assert.equal(hexOf(aadOf(fields)), given.aad);
});
