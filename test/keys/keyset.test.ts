import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { splitKeyset } from '../../daemon/keys/keyset-file.ts';
import {
  addEntries,
  emptyKeyset,
  hasDestroyedBytes,
  type KeyEntry,
  type Keyset,
  type NewEntry,
  readKeyset,
  withoutDestroyedBytes,
} from '../../daemon/keys/keyset.ts';
import { reconcile } from '../../daemon/keys/reconcile.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { bytesOf, filled, flip, now, textOf, withCode } from './fixtures.ts';

const vaultId = '00112233445566778899aabbccddeeff';
const macKey = filled(32, 42);
const wrapped = Buffer.alloc(60, 7).toString('base64');
const id = (number: number): string => number.toString(16).padStart(16, '0');

const dek = (number: number, version: number, tenant = ''): Omit<KeyEntry, 'seq'> => ({
  type: 'key',
  id: id(number),
  use: 'dek',
  keyring: 'default',
  tenant,
  version,
  wrapped,
  createdAt: now,
  by: 'uid:1000',
});
const state = (number: number, next: 'active' | 'retired' | 'destroyed'): NewEntry => ({
  type: 'state',
  key: id(number),
  state: next,
  at: now,
  by: 'uid:1000',
});
const keysetOf = (...entries: readonly NewEntry[]): Keyset =>
  addEntries(emptyKeyset(vaultId, 1, macKey), entries, macKey).keyset;
const fileOf = (lines: readonly string[]): Uint8Array => bytesOf(lines.map((line) => `${line}\n`).join(''));

const whole = keysetOf(
  dek(1, 1),
  dek(2, 1, 'ténant\u2028\n"x"'),
  dek(3, 2),
  state(1, 'retired'),
  state(1, 'destroyed'),
);

/** Key sets with random tenants, rotations and states. */
const keysets = fc
  .array(fc.tuple(fc.nat(3), fc.nat(2), fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 12 })
  .map((steps) => {
    const versions = new Map<string, number>();
    const states = new Map<number, number>();
    let next = 1;
    const entries: NewEntry[] = [];
    for (const [kind, pick, tenant] of steps) {
      const known = [...states.keys()][pick];
      const stage = known === undefined ? 2 : (states.get(known) ?? 2);
      if (kind > 1 && known !== undefined && stage < 2) {
        states.set(known, stage + 1);
        entries.push(state(known, stage === 0 ? 'retired' : 'destroyed'));
        continue;
      }
      const version = (versions.get(tenant) ?? 0) + 1;
      versions.set(tenant, version);
      states.set(next, 0);
      entries.push(dek(next, version, tenant));
      next += 1;
    }
    return keysetOf(...entries);
  });

describe('the key set', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(keysets, (keyset) => {
        const { lines, torn } = splitKeyset(fileOf(keyset.lines));
        assert.equal(torn, false);
        assert.deepEqual(readKeyset(lines, vaultId, macKey), keyset);
      }),
    );
  });

  test('says of each key which state it is in, and of the last entry its number and MAC', () => {
    const states = [...whole.keys.values()].map(({ entry, state: now }) => [entry.id, entry.version, now]);
    assert.deepEqual(states, [
      [id(1), 1, 'destroyed'],
      [id(2), 1, 'active'],
      [id(3), 2, 'active'],
    ]);
    assert.equal(whole.head.seq, 5);
    assert.ok(whole.lines.at(-1)?.includes(Buffer.from(whole.head.mac).toString('hex')));
  });

  test('cut at any byte is rebuilt from the other copy', () => {
    const file = fileOf(whole.lines);
    for (let length = 0; length < file.length; length += 1) {
      const cut = splitKeyset(file.subarray(0, length));
      const mended = reconcile(cut, whole.lines, vaultId, macKey);
      assert.deepEqual(mended.keyset, whole);
      assert.equal(mended.fileNeedsRepair, true, `cut at ${length}`);
      assert.equal(mended.vaultNeedsRepair, false);
    }
  });

  test('in the vault that lacks its last lines is rebuilt from the file', () => {
    for (let length = 0; length < whole.lines.length; length += 1) {
      const file = splitKeyset(fileOf(whole.lines));
      const mended = reconcile(file, whole.lines.slice(0, length), vaultId, macKey);
      assert.deepEqual(mended.keyset, whole);
      assert.deepEqual([mended.fileNeedsRepair, mended.vaultNeedsRepair], [false, true]);
    }
  });

  test('that both copies hold needs no repair, and a torn line that neither holds is dropped', () => {
    const same = reconcile(splitKeyset(fileOf(whole.lines)), whole.lines, vaultId, macKey);
    assert.deepEqual([same.fileNeedsRepair, same.vaultNeedsRepair], [false, false]);
    const torn = splitKeyset(bytesOf(`${textOf(fileOf(whole.lines))}{"seq":6,"ty`));
    const mended = reconcile(torn, whole.lines, vaultId, macKey);
    assert.deepEqual(mended.keyset, whole);
    assert.deepEqual([mended.fileNeedsRepair, mended.vaultNeedsRepair], [true, false]);
  });

  test('with any byte of the file changed is tampering, but for a torn end', () => {
    const file = fileOf(whole.lines);
    const numberAt = 'hushd-keyset '.length;
    for (let index = 0; index < file.length - 1; index += 1) {
      for (const mask of [0x01, 0x02, 0x80]) {
        const codes: ErrorCode[] = index === numberAt && mask === 0x02 ? ['NEWER_FORMAT'] : ['INTEGRITY'];
        const read = () => {
          reconcile(splitKeyset(flip(file, index, mask)), whole.lines, vaultId, macKey);
        };
        const withoutVault = () => {
          reconcile(splitKeyset(flip(file, index, mask)), [], vaultId, macKey);
        };
        assert.throws(read, withCode(...codes), `byte ${index}`);
        assert.throws(withoutVault, withCode(...codes), `byte ${index}`);
        if (codes.includes('NEWER_FORMAT')) continue;
        assert.throws(read, { hint: /vault's copy is whole/ }, `byte ${index}`);
        assert.throws(withoutVault, { hint: /restore from a backup/ }, `byte ${index}`);
      }
    }
    const torn = reconcile(splitKeyset(flip(file, file.length - 1, 1)), whole.lines, vaultId, macKey);
    assert.deepEqual(torn.keyset, whole);
  });

  test('with lines removed, swapped or repeated is tampering', () => {
    const [first = '', second = '', third = '', ...rest] = whole.lines;
    for (const lines of [
      [first, third, ...rest],
      [first, third, second, ...rest],
      [first, second, second, third, ...rest],
      [second, third, ...rest],
      [],
    ]) {
      assert.throws(() => readKeyset(lines, vaultId, macKey), withCode('INTEGRITY'));
    }
  });

  test('of another vault, or under another key, is tampering', () => {
    assert.throws(() => readKeyset(whole.lines, 'ff'.repeat(16), macKey), withCode('INTEGRITY'));
    assert.throws(() => readKeyset(whole.lines, vaultId, filled(32, 1)), withCode('INTEGRITY'));
  });

  test('whose copies contradict each other is tampering, though each alone is whole', () => {
    const other = keysetOf(dek(1, 1), dek(9, 1, 'other'));
    const file = splitKeyset(fileOf(whole.lines));
    assert.throws(() => reconcile(file, other.lines, vaultId, macKey), withCode('INTEGRITY'));
  });

  test('that is in neither copy is tampering, never a new one', () => {
    assert.throws(() => reconcile({ lines: [], torn: false }, [], vaultId, macKey), withCode('INTEGRITY'));
  });

  test('written anew in a later generation takes the place of an older copy, on either side', () => {
    const anew = addEntries(
      emptyKeyset(vaultId, 2, macKey),
      [{ ...dek(1, 1), wrapped: '' }, state(1, 'destroyed')],
      macKey,
    );
    const inFile = reconcile(splitKeyset(fileOf(anew.keyset.lines)), whole.lines, vaultId, macKey);
    assert.deepEqual(inFile.keyset, anew.keyset);
    assert.deepEqual([inFile.fileNeedsRepair, inFile.vaultNeedsRepair], [false, true]);
    const inVault = reconcile(splitKeyset(fileOf(whole.lines)), anew.keyset.lines, vaultId, macKey);
    assert.deepEqual(inVault.keyset, anew.keyset);
    assert.deepEqual([inVault.fileNeedsRepair, inVault.vaultNeedsRepair], [true, false]);
  });

  test('takes no entry that does not follow from those before it', () => {
    const base = keysetOf(dek(1, 1), dek(2, 2), state(1, 'destroyed'));
    for (const entry of [
      dek(2, 3),
      dek(3, 2),
      { ...dek(3, 4), use: 'audit' as const },
      state(1, 'active'),
      state(1, 'retired'),
      state(2, 'active'),
      state(7, 'retired'),
      { ...dek(3, 3), wrapped: '' },
      { ...dek(3, 1), use: 'digest' as const },
    ]) {
      assert.throws(() => addEntries(base, [entry], macKey), withCode('INTEGRITY'), JSON.stringify(entry));
    }
    assert.equal(addEntries(base, [dek(3, 40)], macKey).keyset.keys.size, 3);
    assert.throws(() => addEntries(base, [dek(3, 1, 'x'.repeat(513))], macKey), withCode('BAD_REQUEST'));
  });

  test('with an entry of a type that came later is refused by name', () => {
    const unsigned = '{"seq":6,"type":"escrow","to":"someone"}';
    const mac = createHmac('sha256', macKey)
      .update('keyset')
      .update(whole.head.mac)
      .update(unsigned)
      .digest('hex');
    const line = `${unsigned.slice(0, -1)},"mac":"${mac}"}`;
    assert.throws(() => readKeyset([...whole.lines, line], vaultId, macKey), withCode('NEWER_FORMAT'));
    const newer = [whole.lines[0]?.replace('hushd-keyset 1', 'hushd-keyset 2') ?? ''];
    assert.throws(() => readKeyset(newer, vaultId, macKey), withCode('NEWER_FORMAT'));
  });
});

describe('a key set without its destroyed keys', () => {
  test('is the next generation of the same history, and holds no byte of them', () => {
    fc.assert(
      fc.property(keysets, (keyset) => {
        const after = withoutDestroyedBytes(keyset, macKey);
        assert.deepEqual(readKeyset(after.lines, vaultId, macKey), after);
        assert.equal(after.generation, keyset.generation + 1);
        assert.equal(hasDestroyedBytes(after), false);
        const expected = [...keyset.keys].map(([id, { entry, ...rest }]) => [
          id,
          { entry: rest.state === 'destroyed' ? { ...entry, wrapped: '' } : entry, ...rest },
        ]);
        assert.deepEqual([...after.keys], expected);
        assert.equal(after.head.seq, keyset.head.seq);
      }),
    );
  });

  test('stands over the one before, whichever copy it is in, and goes on with the next version', () => {
    const after = withoutDestroyedBytes(whole, macKey);
    for (const [file, vault] of [
      [after.lines, whole.lines],
      [whole.lines, after.lines],
    ] as const) {
      const found = reconcile({ lines: file, torn: false }, vault, vaultId, macKey);
      assert.deepEqual(found.keyset.lines, after.lines);
      assert.equal(found.vaultNeedsRepair, vault === whole.lines);
      assert.equal(found.fileIsOlder, file === whole.lines);
    }
    assert.equal(addEntries(after, [dek(4, 3)], macKey).keyset.keys.size, 4);
    assert.throws(() => addEntries(after, [dek(4, 1)], macKey), withCode('INTEGRITY'));
  });

  test('cannot leave out a key that is not destroyed', () => {
    assert.throws(() => keysetOf({ ...dek(1, 1), wrapped: '' }), withCode('INTEGRITY'));
  });
});
