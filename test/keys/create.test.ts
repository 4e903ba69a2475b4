import assert from 'node:assert/strict';
import { test } from 'node:test';

import { storedLine } from '../../daemon/keys/create.ts';
import { parseHeader } from '../../daemon/keys/header.ts';
import { openKeyring } from '../../daemon/keys/keyring.ts';
import { readKeyset } from '../../daemon/keys/keyset.ts';
import { createNonceSource } from '../../daemon/keys/nonce.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createSealer, parseSealedValue } from '../../daemon/keys/sealed.ts';
import type { Credential } from '../../daemon/keys/slot.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import {
  arena,
  argon2Queue,
  bytesOf,
  key,
  newProfileKeys,
  passphrase,
  textOf,
  withCode,
} from './fixtures.ts';

const place = { part: 'value', scope: 'global', name: 'db', version: 1 } as const;

test('what a new profile seals opens again from its files, with any of its credentials', async () => {
  const credentials: Credential[] = [passphrase('one'), key(1), { kind: 'recovery', secret: key(2).secret }];
  const made = await newProfileKeys(credentials);
  const sealer = createSealer(made.header.vaultId, createNonceSource());
  const dek = made.keyring.activeDek(storedLine.keyring, storedLine.tenant);
  const sealed = sealer.sealValue(dek, place, bytesOf('a secret'));
  const vaultFileKey = Uint8Array.from(made.vaultFileKey.bytes);
  made.keyring.close();
  made.vaultFileKey.wipe();

  for (const credential of credentials) {
    const header = parseHeader(made.headerBytes);
    const { vaultKey } = await openHeader(header, [credential], arena, argon2Queue);
    const subkeys = deriveSubkeys(vaultKey.bytes, arena);
    vaultKey.wipe();
    assert.deepEqual(Uint8Array.from(subkeys.vaultFileKey.bytes), vaultFileKey);
    subkeys.vaultFileKey.wipe();
    const keyset = readKeyset(made.keysetLines, header.body.vaultId, subkeys.macKey.bytes);
    const keyring = openKeyring({ keyset, wrappingKey: subkeys.wrappingKey, macKey: subkeys.macKey, arena });
    const parsed = parseSealedValue(sealed);
    const plain = sealer.openValue(keyring.dek('default', '', parsed.dekVersion), place, parsed);
    assert.equal(textOf(plain), 'a secret');
    keyring.close();
  }
  assert.equal(arena.used, 0);
});

test('two profiles share nothing', async () => {
  const [one, two] = [await newProfileKeys(), await newProfileKeys()];
  assert.notEqual(one.header.vaultId, two.header.vaultId);
  assert.notDeepEqual(Uint8Array.from(one.vaultFileKey.bytes), Uint8Array.from(two.vaultFileKey.bytes));
  for (const made of [one, two]) {
    made.keyring.close();
    made.vaultFileKey.wipe();
  }
});

test('a profile is not made from a malformed key, and the arena is left as it was', async () => {
  const short: Credential = { kind: 'key', secret: new Uint8Array(31) };
  await assert.rejects(newProfileKeys([key(1), short]), withCode('BAD_REQUEST'));
  await assert.rejects(newProfileKeys([]), withCode('INTEGRITY'));
  assert.equal(arena.used, 0);
});
