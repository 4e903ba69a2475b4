import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { readHeaderFile, writeHeaderFile } from '../../daemon/keys/header-file.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createHeaderFile } from '../../daemon/profiles/header-in-place.ts';
import { createSlots, type Raised } from '../../daemon/profiles/slots.ts';
import { HushError } from '../../protocol/errors.ts';
import { arena, argon2Queue, key, newProfileKeys, passphrase, withCode } from '../keys/fixtures.ts';

const wanted = { memoryKiB: 20 * 1024, passes: 2 };

const proof = { credentials: [key(7)], by: 'owner' };

/** Slots over a real header file, of which `path` is the place. */
async function slotsIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-slots-'));
  const path = join(folder, 'header');
  const { headerBytes, keyring, vaultFileKey } = await newProfileKeys([passphrase('one'), key(7)]);
  vaultFileKey.wipe();
  t.after(() => {
    keyring.close();
    rmSync(folder, { recursive: true });
  });
  writeHeaderFile(path, headerBytes);
  const place = createHeaderFile(path, readHeaderFile(path));
  const slots = createSlots({
    header: place.body,
    putHeader: (next) => {
      place.replace(next, keyring.headerBytes(next));
    },
    open: ({ credentials }) => openHeader(place.header(), credentials, arena, argon2Queue),
    arena,
    argon2Queue,
    wantedCost: () => wanted,
  });
  const open = () => openHeader(place.header(), [passphrase('one')], arena, argon2Queue);
  return { path, place, slots, open };
}

describe('the slots of an unlocked profile', () => {
  test('that cannot be raised stay as they are, and nobody is refused for it', async (t) => {
    const { path, place, slots, open } = await slotsIn(t);
    const before = place.body();
    const told: Raised[] = [];
    rmSync(path);
    const opened = await open();
    await slots.raise(opened, (outcome) => told.push(outcome));
    opened.vaultKey.wipe();
    const [outcome, ...more] = told;
    assert.deepEqual(more, []);
    assert.ok(outcome !== undefined && 'error' in outcome && outcome.error instanceof HushError);
    assert.equal(outcome.error.code, 'DAMAGED');
    assert.equal(place.body(), before);
  });

  test('are raised for the passphrase that opened, with the same id and a new salt', async (t) => {
    const { path, place, slots, open } = await slotsIn(t);
    const [before] = place.body().slots;
    const opened = await open();
    await slots.raise(opened, (outcome) => {
      assert.deepEqual(outcome, { slot: before?.id, cost: wanted });
    });
    opened.vaultKey.wipe();
    const [after, other] = readHeaderFile(path).body.slots;
    assert.deepEqual(
      [after?.id, after?.label, after?.createdAt],
      [before?.id, before?.label, before?.createdAt],
    );
    assert.notEqual(after?.kdf.salt, before?.kdf.salt);
    assert.equal(other?.kind, 'key');
    (await open()).vaultKey.wipe();
  });

  test('change no more once they are closed, and the arena holds nothing of what was under way', async (t) => {
    const { place, slots } = await slotsIn(t);
    const before = place.body();
    const used = arena.used;
    const added = slots.add(proof, passphrase('two'), undefined);
    const grouped = slots.group(
      { credentials: [passphrase('one')], by: 'owner' },
      before.slots.map(({ id }) => id),
    );
    slots.close();
    await assert.rejects(added, withCode('LOCKED'));
    await assert.rejects(grouped, withCode('LOCKED'));
    await assert.rejects(slots.change(proof, passphrase('two'), undefined), withCode('LOCKED'));
    assert.equal(place.body(), before);
    assert.equal(arena.used, used);
  });
});
