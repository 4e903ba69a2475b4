import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  type HeaderBody,
  type Opener,
  parseHeader,
  serialiseHeader,
  type Slot,
} from '../../daemon/keys/header.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { makeGroupOpener, makeSingleOpener, openOpener, resealOpener } from '../../daemon/keys/opener.ts';
import { type Credential, deriveSlotKey, makeSlot } from '../../daemon/keys/slot.ts';
import { deriveMacKey, deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { createSecureArena, type SecureBytes } from '../../daemon/memory/secure-bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { arena, argon2Queue, filled, key, leastCost, now, passphrase, withCode } from './fixtures.ts';

const vaultId = '00112233445566778899aabbccddeeff';
const vaultKey = filled(32, 99);
const recovery = (byte: number): Credential => ({ kind: 'recovery', secret: filled(32, byte) });

async function slotsFor(...credentials: readonly Credential[]): Promise<Slot[]> {
  const slots: Slot[] = [];
  for (const credential of credentials) {
    const about = { label: '', createdAt: now, cost: leastCost };
    slots.push(await makeSlot(credential, about, arena, argon2Queue));
  }
  return slots;
}

const single = (slot: Slot): Opener => makeSingleOpener(vaultId, slot, vaultKey);

function headerBytes(slots: readonly Slot[], openers: readonly Opener[]): Uint8Array {
  const macKey = deriveMacKey(vaultKey, arena);
  const body: HeaderBody = {
    format: 1,
    vaultId,
    generation: 1,
    createdAt: now,
    files: { vault: 'vault.db', keyset: 'keyset' },
    slots: [...slots],
    openers: [...openers],
  };
  try {
    return serialiseHeader(body, macKey.bytes);
  } finally {
    macKey.wipe();
  }
}

/** Opens and gives back what was found, with the vault key as a plain copy. */
async function open(slots: readonly Slot[], openers: readonly Opener[], credentials: readonly Credential[]) {
  const header = parseHeader(headerBytes(slots, openers));
  const { vaultKey: opened, openerId, slotIds } = await openHeader(header, credentials, arena, argon2Queue);
  const copy = Uint8Array.from(opened.bytes);
  opened.wipe();
  return { vaultKey: copy, openerId, slotIds };
}

describe('opening a header', () => {
  test('any one slot gives the vault key, and says which opener it was', async () => {
    const slots = await slotsFor(passphrase('one'), passphrase('two'), key(1), recovery(2));
    const openers = slots.map(single);
    for (const [index, credential] of [passphrase('one'), passphrase('two'), key(1), recovery(2)].entries()) {
      const opened = await open(slots, openers, [credential]);
      assert.deepEqual(opened.vaultKey, vaultKey);
      assert.equal(opened.openerId, openers[index]?.id);
      assert.deepEqual(opened.slotIds, [slots[index]?.id]);
    }
  });

  test('a wrong passphrase and a wrong key are two errors', async () => {
    const slots = await slotsFor(passphrase('one'), key(1), recovery(2));
    const openers = slots.map(single);
    await assert.rejects(open(slots, openers, [passphrase('One')]), withCode('WRONG_PASSPHRASE'));
    await assert.rejects(open(slots, openers, [key(3)]), withCode('WRONG_KEY'));
    await assert.rejects(open(slots, openers, [recovery(3)]), withCode('WRONG_KEY'));
    await assert.rejects(open(slots, openers, [key(3), passphrase('x')]), withCode('WRONG_PASSPHRASE'));
  });

  test('a key is no recovery key and no passphrase, though the bytes are the same', async () => {
    const slots = await slotsFor(key(65));
    const openers = slots.map(single);
    await assert.rejects(open(slots, openers, [recovery(65)]), withCode('WRONG_KEY'));
    const asPassphrase: Credential = { kind: 'passphrase', secret: filled(32, 65) };
    await assert.rejects(open(slots, openers, [asPassphrase]), withCode('WRONG_PASSPHRASE'));
  });

  test('B9: the error for a kind that no slot has names the kinds that do open the profile', async () => {
    const slots = await slotsFor(passphrase('one'));
    await assert.rejects(open(slots, slots.map(single), [key(1)]), (error) => {
      assert.ok(error instanceof HushError);
      assert.equal(error.code, 'WRONG_KEY');
      assert.match(error.message, /opens with a passphrase/);
      assert.equal(error.hint, 'hush unlock');
      return true;
    });
  });

  test('a key opens without the cost of the passphrase given beside it', async () => {
    const slots = await slotsFor(passphrase('one'), key(1));
    const opened = await open(slots, slots.map(single), [passphrase('wrong'), key(1)]);
    assert.deepEqual(opened.slotIds, [slots[1]?.id]);
  });

  test('a group opens with all of its members, and with no fewer', async () => {
    const slots = await slotsFor(passphrase('one'), key(1), key(2));
    const openers = [makeGroupOpener(vaultId, slots, vaultKey)];
    const opened = await open(slots, openers, [key(2), passphrase('one'), key(1)]);
    assert.deepEqual(opened.vaultKey, vaultKey);
    assert.deepEqual(
      opened.slotIds,
      slots.map(({ id }) => id),
    );
    await assert.rejects(open(slots, openers, [passphrase('one')]), withCode('WRONG_PASSPHRASE'));
    await assert.rejects(open(slots, openers, [key(1), key(2)]), withCode('WRONG_KEY'));
    await assert.rejects(open(slots, openers, [key(1), key(1), passphrase('one')]), withCode('WRONG_KEY'));
  });

  test('a passphrase that is in a group and also stands alone opens alone', async () => {
    const slots = await slotsFor(passphrase('one'), key(1), passphrase('one'));
    const [first, second, alone] = slots;
    assert.ok(first !== undefined && second !== undefined && alone !== undefined);
    const openers = [makeGroupOpener(vaultId, [first, second], vaultKey), single(alone)];
    const opened = await open(slots, openers, [passphrase('one')]);
    assert.deepEqual(opened.slotIds, [alone.id]);
  });

  test('a sealed vault key that was swapped for one of another opener, slot or vault is tampering', async () => {
    const slots = await slotsFor(key(1), key(2));
    const openers = slots.map(single);
    const [first, second] = openers;
    const [slot] = slots;
    assert.ok(first !== undefined && second !== undefined && slot !== undefined);
    const elsewhere = makeSingleOpener('ff112233445566778899aabbccddeeff', slot, vaultKey);
    for (const sealed of [second.sealed, elsewhere.sealed, single(slot).sealed]) {
      await assert.rejects(open(slots, [{ ...first, sealed }, second], [key(1)]), withCode('INTEGRITY'));
    }
  });

  test('shares that were swapped between the slots of a group are tampering', async () => {
    const slots = await slotsFor(key(1), key(2));
    const opener = makeGroupOpener(vaultId, slots, vaultKey);
    const [first, second] = opener.shares ?? [];
    assert.ok(first !== undefined && second !== undefined);
    const shares = [
      { slot: first.slot, sealed: second.sealed },
      { slot: second.slot, sealed: first.sealed },
    ];
    await assert.rejects(open(slots, [{ ...opener, shares }], [key(1), key(2)]), withCode('INTEGRITY'));
  });

  test('a header whose vault key was replaced by one of the forger has a wrong MAC', async () => {
    const slots = await slotsFor(key(1));
    const [slot] = slots;
    assert.ok(slot !== undefined);
    const forged = makeSingleOpener(vaultId, slot, filled(32, 1));
    await assert.rejects(open(slots, [forged], [key(1)]), withCode('INTEGRITY'));
  });

  test('a new vault key is sealed for every opener with nobody present', async () => {
    const slots = await slotsFor(key(1), key(2));
    const next = filled(32, 3);
    const opener = resealOpener(vaultId, makeGroupOpener(vaultId, slots, vaultKey), next);
    const privateKeys = new Map<string, SecureBytes>();
    for (const [index, slot] of slots.entries()) {
      privateKeys.set(slot.id, await deriveSlotKey(key(index + 1), slot.kdf, arena, argon2Queue));
    }
    const opened = openOpener(vaultId, opener, privateKeys, arena);
    assert.deepEqual(Uint8Array.from(opened.bytes), next);
    opened.wipe();
    for (const privateKey of privateKeys.values()) privateKey.wipe();
  });

  test('takes one to four credentials of the right length', async () => {
    const slots = await slotsFor(key(1));
    const openers = slots.map(single);
    const bad: Credential[][] = [
      [],
      [key(1), key(1), key(1), key(1), key(1)],
      [{ kind: 'key', secret: filled(31, 1) }],
      [{ kind: 'recovery', secret: filled(33, 1) }],
      [{ kind: 'passphrase', secret: filled(0, 1) }],
      [{ kind: 'passphrase', secret: filled(4097, 1) }],
    ];
    for (const credentials of bad) {
      await assert.rejects(open(slots, openers, credentials), withCode('BAD_REQUEST'));
    }
  });

  test('leaves nothing in the arena but the vault key, and nothing at all when it fails', async () => {
    const slots = await slotsFor(passphrase('one'), key(1));
    const openers = slots.map(single);
    const before = arena.used;
    await open(slots, openers, [passphrase('one')]);
    await assert.rejects(open(slots, openers, [passphrase('two'), key(2)]));
    assert.equal(arena.used, before);
  });

  test('leaves nothing behind where the memory for keys is full, however far it came', async () => {
    const slots = await slotsFor(key(1));
    const header = parseHeader(headerBytes(slots, slots.map(single)));
    const small = createSecureArena({ bytes: 4096, prefer: 'sodium_malloc' });
    const taken = small.allocate(4096 - 96);
    const piece = 32;
    for (let room = 0; room < 96; room += piece) {
      const rest = small.allocate(96 - room);
      await assert.rejects(openHeader(header, [key(1)], small, argon2Queue), withCode('UNAVAILABLE'));
      if (room > 0) assert.throws(() => deriveSubkeys(vaultKey, small), withCode('UNAVAILABLE'));
      assert.equal(small.used, 4096 - room);
      rest.wipe();
    }
    const { vaultKey: opened } = await openHeader(header, [key(1)], small, argon2Queue);
    assert.deepEqual(Uint8Array.from(opened.bytes), vaultKey);
    opened.wipe();
    taken.wipe();
    small.close();
  });
});
