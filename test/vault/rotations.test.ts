import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { appendToKeysetFile } from '../../daemon/keys/keyset-file.ts';
import type { Vault } from '../../daemon/vault/vault.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { newProfile } from './profile.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const place = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const tenants = 200;
const noRule = { afterDays: undefined, afterMessages: undefined };

/** The versions of the newest keys: the keyring's own first, then how many tenants have each. */
function versionsOf(vault: Vault): Record<number, number> {
  const found: Record<number, number> = {};
  for (let tenant = 0; tenant <= tenants; tenant++) {
    const name = tenant === 0 ? '' : `t${tenant}`;
    const status = vault.keyStatus({ keyring: 'default', tenant: name, before: undefined, limit: 1 });
    const [newest] = status.keys;
    assert.ok(newest);
    found[newest.version] = (found[newest.version] ?? 0) + 1;
  }
  return found;
}

function fill(vault: Vault): void {
  vault.set(parseSecretPath('global/a'), bytes('x'));
  for (let tenant = 1; tenant <= tenants; tenant++)
    vault.encrypt({ ...place, tenant: `t${tenant}` }, bytes('x'));
}

describe('a rotation of many tenants', () => {
  test('reaches all of them in one result, and others are served in between', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open({ maxTenants: 1000 });
    fill(vault);
    let turns = 0;
    let isDone = false;
    const rotating = vault.rotateKeys('default', 'operator').finally(() => {
      isDone = true;
    });
    const hasEnded = (): boolean => isDone;
    while (!hasEnded()) {
      await nextTurn();
      vault.encrypt({ ...place, tenant: `new${turns++}` }, bytes('x'));
    }
    const { lines, version, commit } = await rotating;
    assert.deepEqual([lines, version], [tenants + 1, 2]);
    assert.ok(commit <= vault.commitCounter());
    assert.ok(turns > 2, `${turns} turns`);
    assert.deepEqual(versionsOf(vault), { 2: tenants + 1 });
    assert.deepEqual(vault.dueKeys.find(noRule, 10), []);
    assert.equal(vault.facts.get('rotations'), undefined);
  });

  test('that was cut off goes on at the next unlock, and reaches each of them once', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    let room = Infinity;
    let vault = await profile.open({
      maxTenants: 1000,
      appendKeys: (present, added) => {
        if (room-- <= 0) throw new HushError('UNAVAILABLE', 'the disk is full');
        appendToKeysetFile(profile.keysetPath, present, added);
      },
    });
    fill(vault);
    room = 2;
    await assert.rejects(vault.rotateKeys('default', 'operator'), { code: 'UNAVAILABLE' });
    assert.deepEqual(versionsOf(vault), { 1: tenants + 1 - 128, 2: 128 });
    vault = await profile.open({ maxTenants: 1000 });
    vault.encrypt({ ...place, tenant: 'later' }, bytes('x'));
    const rounds: number[] = [];
    for (;;) {
      const due = vault.dueKeys.find(noRule, 64);
      if (due.length === 0) break;
      assert.ok(due.every(({ reason, version }) => reason === 'rotation' && version === 1));
      rounds.push(due.length);
      vault.dueKeys.renew(due);
    }
    assert.deepEqual(rounds, [64, 9]);
    assert.deepEqual(versionsOf(vault), { 2: tenants + 1 });
    vault = await profile.open({ maxTenants: 1000 });
    assert.equal(vault.facts.get('rotations'), undefined);
    assert.equal(
      vault.encrypt({ ...place, tenant: 'later' }, bytes('x')).kmsKeyId,
      `hush:${vault.vaultId}:default:v1`,
    );
  });

  test('ends with LOCKED when the profile is locked meanwhile', async (t) => {
    const profile = await newProfile(t, 'memory');
    const vault = await profile.open({ maxTenants: 1000 });
    fill(vault);
    const rotating = vault.rotateKeys('default', 'operator');
    vault.close();
    await assert.rejects(rotating, { code: 'LOCKED' });
    const again = await profile.open({ maxTenants: 1000 });
    assert.equal(again.dueKeys.find(noRule, 1000).length, tenants + 1 - 64);
    // Another one takes in what the first has left.
    assert.equal((await again.rotateKeys('default', 'operator')).lines, tenants + 1);
    assert.deepEqual(again.dueKeys.find(noRule, 10), []);
  });
});
