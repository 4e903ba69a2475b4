import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { blake3 } from '@noble/hashes/blake3.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';

import { storedLine } from '../../daemon/keys/create.ts';
import { newKeyEntry } from '../../daemon/keys/key-change.ts';
import { type Keyring, openKeyring } from '../../daemon/keys/keyring.ts';
import { addEntries, emptyKeyset, type Keyset, readKeyset } from '../../daemon/keys/keyset.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { unwrapKey } from '../../daemon/keys/wrapped-key.ts';
import { arena, bytesOf, filled, newProfileKeys, note, withCode } from './fixtures.ts';

const vaultId = '00112233445566778899aabbccddeeff';
const tenant = (name: string) => ({ keyring: 'default', tenant: name });

/** A keyring over a known vault key, with the key set of a new profile and so many audit keys. */
function newKeyring(auditKeys = 1): Keyring {
  const { vaultFileKey, wrappingKey, macKey } = deriveSubkeys(filled(32, 1), arena);
  vaultFileKey.wipe();
  const parts = { vaultId, wrappingKey: wrappingKey.bytes, arena };
  const none = { keyring: '', tenant: '' };
  const places = [
    { use: 'dek', ...storedLine, version: 1 },
    { use: 'digest', ...none, version: 1 },
    { use: 'name-index', ...none, version: 1 },
    ...Array.from({ length: auditKeys }, (_, at) => ({ use: 'audit', ...none, version: at + 1 }) as const),
  ] as const;
  const entries = places.map((place) => newKeyEntry(place, note, parts));
  const { keyset } = addEntries(emptyKeyset(vaultId, 1, macKey.bytes), entries, macKey.bytes);
  return openKeyring({ keyset, wrappingKey, macKey, arena });
}

function idOf(keyset: Keyset, tenantName: string, version: number): string {
  const found = [...keyset.keys.values()].find(
    ({ entry }) => entry.use === 'dek' && entry.tenant === tenantName && entry.version === version,
  );
  return found?.entry.id ?? assert.fail('no such key');
}

function seals(keyring: Keyring, tenantName: string): Uint8Array {
  const sealed = new Uint8Array(16);
  keyring.activeDek('default', tenantName).cipher.seal(filled(12, 0), filled(0, 0), filled(0, 0), sealed);
  return sealed;
}

describe('the keyring', () => {
  test('derives its keys from the vault key by BLAKE3, one context each', () => {
    const vaultKey = filled(32, 5);
    const subkeys = deriveSubkeys(vaultKey, arena);
    const expected = [
      'hushd v1 vault file key, SQLCipher raw',
      'hushd v1 key-wrapping key, AES-256-GCM',
      'hushd v1 header MAC key, HMAC-SHA-256',
    ].map((context) => blake3(vaultKey, { context: bytesOf(context) }));
    const derived = [subkeys.vaultFileKey, subkeys.wrappingKey, subkeys.macKey];
    assert.deepEqual(
      derived.map(({ bytes }) => Uint8Array.from(bytes)),
      expected,
    );
    subkeys.wipe();
  });

  test('gives the same DEK each time, and only for versions and lines that there are', () => {
    const keyring = newKeyring();
    const dek = keyring.activeDek('default', '');
    assert.equal(dek, keyring.dek('default', '', 1));
    assert.deepEqual([dek.keyring, dek.tenant, dek.version], ['default', '', 1]);
    for (const [name, tenantName, version] of [
      ['default', '', 2],
      ['default', '', 0],
      ['default', 'acme', 1],
      ['other', '', 1],
      ['constructor', '__proto__', 1],
    ] as const) {
      assert.throws(() => keyring.dek(name, tenantName, version), withCode('INTEGRITY'));
    }
    assert.throws(() => keyring.activeDek('other', ''), withCode('INTEGRITY'));
    keyring.close();
  });

  test('seals under a new version from its commit on, and still opens what the old one sealed', () => {
    const keyring = newKeyring();
    const old = seals(keyring, '');
    const change = keyring.prepareDeks([storedLine], note);
    assert.equal(keyring.activeDek('default', '').version, 1);
    assert.equal(change.lines.length, 1);
    assert.deepEqual(change.keyset.lines, [...change.before.lines, ...change.lines]);
    keyring.commit(change);
    assert.equal(keyring.activeDek('default', '').version, 2);
    assert.notDeepEqual(seals(keyring, ''), old);
    assert.ok(keyring.dek('default', '', 1).cipher.open(filled(12, 0), filled(0, 0), old, filled(0, 0)));
    keyring.close();
  });

  test('opens a line for a tenant, with a key of its own', () => {
    const keyring = newKeyring();
    assert.equal(keyring.hasLine('default', 'acme'), false);
    keyring.commit(keyring.prepareDeks([tenant('acme'), tenant('umbrella')], note));
    assert.equal(keyring.hasLine('default', 'acme'), true);
    assert.notDeepEqual(seals(keyring, 'acme'), seals(keyring, 'umbrella'));
    keyring.close();
  });

  test('a change that is dropped leaves nothing, and one that came second is a CONFLICT', () => {
    const keyring = newKeyring();
    const before = keyring.keyset();
    const dropped = keyring.prepareDeks([tenant('acme')], note);
    assert.equal(keyring.keyset(), before);
    keyring.commit(keyring.prepareDeks([tenant('umbrella')], note));
    assert.throws(() => {
      keyring.commit(dropped);
    }, withCode('CONFLICT'));
    assert.equal(keyring.hasLine('default', 'acme'), false);
    keyring.close();
  });

  test('a destroyed key neither seals nor opens, and no older key takes its place', () => {
    const keyring = newKeyring();
    keyring.commit(keyring.prepareDeks([tenant('acme')], note));
    keyring.commit(keyring.prepareDeks([tenant('acme')], note));
    const { cipher } = keyring.dek('default', 'acme', 2);
    const destroy = (version: number) => {
      const id = idOf(keyring.keyset(), 'acme', version);
      keyring.commit(keyring.prepareStates([{ id, state: 'destroyed' }], note));
    };
    destroy(2);
    assert.throws(() => keyring.activeDek('default', 'acme'), withCode('KEY_DESTROYED'));
    assert.throws(() => keyring.dek('default', 'acme', 2), withCode('KEY_DESTROYED'));
    assert.throws(
      () => cipher.open(filled(12, 0), filled(0, 0), filled(16, 0), filled(0, 0)),
      withCode('LOCKED'),
    );
    keyring.dek('default', 'acme', 1);
    destroy(1);
    assert.throws(() => keyring.dek('default', 'acme', 1), withCode('KEY_DESTROYED'));
    keyring.commit(keyring.prepareDeks([tenant('acme')], note));
    assert.equal(keyring.activeDek('default', 'acme').version, 3);
    keyring.activeDek('default', '');
    keyring.close();
  });

  test('a retired key opens and does not seal', () => {
    const keyring = newKeyring();
    keyring.commit(keyring.prepareStates([{ id: idOf(keyring.keyset(), '', 1), state: 'retired' }], note));
    keyring.dek('default', '', 1);
    assert.throws(() => keyring.activeDek('default', ''), withCode('UNAVAILABLE'));
    keyring.close();
  });

  test('gives each keyring a digest key of its own, HKDF of the digest root', () => {
    const keyring = newKeyring();
    const [one, again, other, root] = [0, 0, 0, 0].map(() => new Uint8Array(32));
    assert.ok(one !== undefined && again !== undefined && other !== undefined && root !== undefined);
    keyring.digestKey('default', one);
    keyring.digestKey('default', again);
    keyring.digestKey('other', other);
    const subkeys = deriveSubkeys(filled(32, 1), arena);
    const record = [...keyring.keyset().keys.values()].find(({ entry }) => entry.use === 'digest');
    assert.ok(record?.entry !== undefined);
    unwrapKey(subkeys.wrappingKey.bytes, vaultId, record.entry, root);
    subkeys.wipe();
    assert.deepEqual(one, hkdf(sha256, root, undefined, bytesOf('hushd v1 digest key default'), 32));
    assert.deepEqual(again, one);
    assert.notDeepEqual(other, one);
    keyring.close();
  });

  test('keeps the versions of the audit key apart, the newest for new seals', () => {
    const keyring = newKeyring(2);
    const first = Uint8Array.from(keyring.auditKeyOf(1).bytes);
    assert.equal(keyring.auditKey().version, 2);
    assert.notDeepEqual(Uint8Array.from(keyring.auditKey().key.bytes), first);
    assert.equal(keyring.auditKey().key, keyring.auditKeyOf(2));
    assert.throws(() => keyring.auditKeyOf(3), withCode('INTEGRITY'));
    assert.notDeepEqual(Uint8Array.from(keyring.nameIndexKey().bytes), first);
    keyring.close();
  });

  test('a wrapped key that was moved to another place is tampering', () => {
    const keyring = newKeyring();
    const subkeys = deriveSubkeys(filled(32, 1), arena);
    const records = [...keyring.keyset().keys.values()];
    const [dek, digest] = records;
    assert.ok(dek !== undefined && digest !== undefined);
    const out = new Uint8Array(32);
    const unwrap = (entry: typeof dek.entry, id = vaultId) => {
      unwrapKey(subkeys.wrappingKey.bytes, id, entry, out);
    };
    unwrap(dek.entry);
    for (const change of [
      { id: digest.entry.id },
      { use: 'digest' as const },
      { keyring: 'other' },
      { tenant: 'acme' },
      { version: 2 },
      { wrapped: digest.entry.wrapped },
    ]) {
      assert.throws(() => {
        unwrap({ ...dek.entry, ...change });
      }, withCode('INTEGRITY'));
    }
    assert.throws(() => {
      unwrap(dek.entry, 'ff'.repeat(16));
    }, withCode('INTEGRITY'));
    subkeys.wipe();
    keyring.close();
  });

  test('gives nothing once it is closed, and leaves the arena as it was', async () => {
    const before = arena.used;
    const made = await newProfileKeys();
    const { keyring } = made;
    const { cipher } = keyring.activeDek('default', '');
    keyring.close();
    keyring.close();
    made.vaultFileKey.wipe();
    assert.equal(arena.used, before);
    for (const use of [
      () => keyring.activeDek('default', ''),
      () => keyring.dek('default', '', 1),
      () => keyring.nameIndexKey(),
      () => keyring.auditKey(),
      () => keyring.prepareDeks([storedLine], note),
      () => {
        keyring.digestKey('default', new Uint8Array(32));
      },
      () => {
        cipher.seal(filled(12, 0), filled(0, 0), filled(0, 0), filled(16, 0));
      },
    ]) {
      assert.throws(use, withCode('LOCKED'));
    }
  });

  test('does not open over a key set that lacks a key which every profile has', async () => {
    const before = arena.used;
    const made = await newProfileKeys();
    const { wrappingKey, macKey, vaultFileKey } = deriveSubkeys(filled(32, 1), arena);
    vaultFileKey.wipe();
    made.keyring.close();
    made.vaultFileKey.wipe();
    const keyset = emptyKeyset(vaultId, 1, macKey.bytes);
    assert.throws(() => openKeyring({ keyset, wrappingKey, macKey, arena }), withCode('INTEGRITY'));
    assert.equal(arena.used, before);
    assert.throws(
      () => readKeyset(made.keysetLines, made.header.vaultId, filled(32, 1)),
      withCode('INTEGRITY'),
    );
  });
});
