import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { createUnfinishedStore, openCheckedStore, type VaultFile } from '../../daemon/stores/sqlcipher.ts';
import type { SqlcipherStore } from '../../daemon/stores/sqlcipher-store.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import { temporaryFolder } from '../stores/files.ts';
import { newProfile } from './profile.ts';

const at = (name: string): SecretPath => parseSecretPath(`global/${name}`);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const going = (): void => undefined;

/** An open vault with so many secrets, the store that it stands on, and a file to move to. */
async function scene(
  t: TestContext,
  secrets: number,
): Promise<{ vault: Vault; source: SqlcipherStore; file: VaultFile }> {
  const profile = await newProfile(t, 'SQLCipher');
  const reached: SqlcipherStore[] = [];
  const vault = await profile.open({
    wrapStore: (store) => {
      // A profile of this kind opens no other store.
      reached.push(store as SqlcipherStore);
      return store;
    },
  });
  const [source] = reached;
  assert.ok(source);
  for (let name = 0; name < secrets; name++) vault.set(at(`n${name}`), bytes(`value ${name}`));
  const key = new Uint8Array(randomBytes(32));
  return { vault, source, file: { path: join(temporaryFolder(t), 'next.db'), label: 'next.db', key } };
}

/** Copies a vault to the file, up to the step before the last; `meanwhile` runs between any two rows and phases. */
async function copied(
  { vault, source, file }: Awaited<ReturnType<typeof scene>>,
  meanwhile: (where: string) => void,
) {
  const move = vault.beginMove(source, going);
  const unfinished = createUnfinishedStore(file);
  await move.copyTo(unfinished, () => meanwhile('copy'));
  meanwhile('copied');
  unfinished.finish();
  const target = openCheckedStore(file);
  await move.verify(target, () => meanwhile('verify'));
  meanwhile('verified');
  await move.catchUp(target);
  meanwhile('caught up');
  return { move, target };
}

describe('a vault that moves to another file', () => {
  test('takes all with it that was changed, removed and added at any moment of it', async (t) => {
    const parts = await scene(t, 120);
    const { vault, source } = parts;
    vault.remember('fact', 'kept');
    let count = 0;
    const expected = new Map(Array.from({ length: 120 }, (_, name) => [`n${name}`, `value ${name}`]));
    const { move, target } = await copied(parts, (where) => {
      count++;
      const [changed, removed, added] = [`n${count % 60}`, `n${60 + count}`, `later${count}`];
      for (const name of [changed, added]) {
        vault.set(at(name), bytes(`${where} ${count}`));
        expected.set(name, `${where} ${count}`);
      }
      if (expected.delete(removed)) vault.remove(at(removed));
    });
    const lines = source.keysetLines();
    const before = vault.commitCounter();
    move.complete(target, lines, going);
    move.end();
    assert.equal(vault.commitCounter(), before + 1);
    source.discard();
    vault.set(at('after'), bytes('in the new file'));
    expected.set('after', 'in the new file');
    const listed = vault.list({ limit: 1000, visible: () => true }).entries;
    assert.deepEqual(
      listed.map(({ path }) => path).sort(),
      [...expected.keys()].map((name) => `global/${name}`).sort(),
    );
    for (const [name, value] of expected) {
      assert.equal(new TextDecoder().decode(vault.get(at(name)).value), value);
    }
    assert.equal(vault.facts.get('fact'), 'kept');
    assert.deepEqual(target.keysetLines(), lines);
  });

  test('stays where it is when the last step does not succeed', async (t) => {
    const parts = await scene(t, 20);
    const { vault, source } = parts;
    const { move, target } = await copied(parts, going);
    const before = vault.commitCounter();
    assert.throws(
      () => move.complete(target, source.keysetLines(), () => assert.fail('the disk is full')),
      /full/,
    );
    move.end();
    target.close();
    assert.equal(vault.commitCounter(), before);
    vault.set(at('n0'), bytes('in the old file'));
    assert.equal(new TextDecoder().decode(vault.get(at('n0')).value), 'in the old file');
    assert.equal(source.page(undefined, 100).length, 20);
  });

  test('does not move to a file that lost a row, has an old one, or one more', async (t) => {
    const attacks: ((target: SqlcipherStore, root: Uint8Array) => void)[] = [
      (target, root) => target.commit({ drop: target.rows(undefined, 1) }, root),
      (target, root) => {
        const [row] = target.rows(undefined, 1);
        assert.ok(row);
        target.commit({ drop: [row], put: [{ ...row, value: randomBytes(60) }] }, root);
      },
      (target, root) => {
        const [row] = target.rows(undefined, 1);
        assert.ok(row);
        target.commit({ put: [{ ...row, id: new Uint8Array(32).fill(255) }] }, root);
      },
    ];
    for (const attack of attacks) {
      const parts = await scene(t, 20);
      const { vault, source, file } = parts;
      const move = vault.beginMove(source, going);
      const unfinished = createUnfinishedStore(file);
      await move.copyTo(unfinished, going);
      unfinished.finish();
      const target = openCheckedStore(file);
      attack(target, source.root() ?? new Uint8Array(0));
      await move.verify(target, going);
      await move.catchUp(target);
      assert.throws(() => move.complete(target, source.keysetLines(), going), { code: 'INTEGRITY' });
      move.end();
      target.close();
      assert.equal(vault.stats().secrets, 20);
      vault.set(at('n1'), bytes('goes on'));
    }
  });

  test('ends with LOCKED once the vault is closed, and with what it is told to end with', async (t) => {
    const { vault, source, file } = await scene(t, 50);
    let isGoing = true;
    const move = vault.beginMove(source, () => {
      if (!isGoing) throw new RangeError('told to end');
    });
    const unfinished = createUnfinishedStore(file);
    isGoing = false;
    await assert.rejects(move.copyTo(unfinished, going), /told to end/);
    isGoing = true;
    vault.close();
    await assert.rejects(move.copyTo(unfinished, going), { code: 'LOCKED' });
    unfinished.close();
  });
});
