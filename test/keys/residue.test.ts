import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { test } from 'node:test';

import koffi from 'koffi';

import { storedLine } from '../../daemon/keys/create.ts';
import { parseHeader } from '../../daemon/keys/header.ts';
import { openKeyring } from '../../daemon/keys/keyring.ts';
import { readKeyset } from '../../daemon/keys/keyset.ts';
import { createNonceSource } from '../../daemon/keys/nonce.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createSealer, parseSealedValue } from '../../daemon/keys/sealed.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { newBytes } from '../../daemon/memory/plain-bytes.ts';
import { argon2Queue, key, newProfileKeys, passphrase } from './fixtures.ts';

/** A secret remembered so that the memory does not hold it: what is looked for is in no place but those found. */
const masked = (secret: Uint8Array): Uint8Array =>
  newBytes(secret.length).map((_, index) => ~(secret[index] ?? 0));

const chunk = newBytes(1 << 20);
const needle = newBytes(32);
const addressOf = (bytes: Uint8Array): bigint => koffi.address(bytes);

/** In how many places of this process's writable memory the secret lies, whole or its last 16 bytes. */
function copiesOf(mask: Uint8Array): number {
  const own = [chunk, needle].map((bytes) => ({
    from: addressOf(bytes),
    to: addressOf(bytes) + BigInt(bytes.length),
  }));
  const tail = needle.subarray(0, 16);
  for (let index = 0; index < 16; index += 1) tail[index] = ~(mask[mask.length - 16 + index] ?? 0);
  const memory = openSync('/proc/self/mem', 'r');
  let found = 0;
  try {
    for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      const end = BigInt(`0x${to}`);
      for (let at = BigInt(`0x${from}`); at < end; at += BigInt(chunk.length - 15)) {
        const length = Math.min(chunk.length, Number(end - at));
        const read = readMemory(memory, length, at);
        const view = Buffer.from(chunk.buffer, 0, read);
        for (let hit = view.indexOf(tail); hit >= 0; hit = view.indexOf(tail, hit + 1)) {
          const place = at + BigInt(hit);
          if (!own.some((range) => place >= range.from && place < range.to)) found += 1;
        }
      }
    }
  } finally {
    closeSync(memory);
    needle.fill(0);
    chunk.fill(0);
  }
  return found;
}

function readMemory(memory: number, length: number, at: bigint): number {
  try {
    return readSync(memory, chunk, 0, length, at);
  } catch {
    return 0;
  }
}

const place = (version: number) => ({ part: 'value', scope: 'global', name: 'db', version }) as const;

test('A16: a value that was opened and wiped leaves no copy in the process', async () => {
  const made = await newProfileKeys();
  const sealer = createSealer(made.header.vaultId, createNonceSource());
  const dek = made.keyring.activeDek(storedLine.keyring, storedLine.tenant);
  for (const size of [32, 64, 200, 5000]) {
    const plain = newBytes(size);
    crypto.getRandomValues(plain);
    const mask = masked(plain);
    const sealed = sealer.sealValue(dek, place(size), plain);
    assert.equal(copiesOf(mask), 1, 'the value itself is found where it is');
    for (let count = 0; count < 50; count += 1) {
      sealer.openValue(dek, place(size), parseSealedValue(sealed)).fill(0);
    }
    plain.fill(0);
    assert.equal(copiesOf(mask), 0, `${size} bytes`);
  }
  made.keyring.close();
});

test('A16: no key of a profile is left in the process once it is locked', async () => {
  const arena = createSecureArena({ bytes: 4096, prefer: 'sodium_malloc' });
  for (const credential of [passphrase('correct horse'), key(3)]) {
    const made = await newProfileKeys([credential]);
    made.keyring.close();
    made.vaultFileKey.wipe();

    const header = parseHeader(made.headerBytes);
    const { vaultKey } = await openHeader(header, [credential], arena, argon2Queue);
    const subkeys = deriveSubkeys(vaultKey.bytes, arena);
    const keyset = readKeyset(made.keysetLines, header.body.vaultId, subkeys.macKey.bytes);
    const { vaultFileKey, wrappingKey, macKey } = subkeys;
    const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
    keyring.activeDek(storedLine.keyring, storedLine.tenant);
    const secrets = { vaultKey, vaultFileKey, wrappingKey, macKey, audit: keyring.auditKey().key };
    const masks = Object.entries(secrets).map(([name, { bytes }]) => ({ name, mask: masked(bytes) }));
    assert.equal(copiesOf(masked(vaultKey.bytes)), 1, 'the vault key is found where it is');
    vaultKey.wipe();
    vaultFileKey.wipe();
    keyring.close();
    for (const { name, mask } of masks) assert.equal(copiesOf(mask), 0, name);
  }
  arena.close();
});
