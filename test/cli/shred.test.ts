import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { createCryptoProvider } from '../../client/index.ts';
import { openUnlocked } from './unlocked.ts';

const acme = { namespace: 'mail', key: 'smtp', tenantId: 'acme' };

describe('hush keys shred', () => {
  test('destroys a tenant’s keys once it is named twice; reopen makes a new one on purpose', async (t) => {
    const shell = await openUnlocked(t);
    const { run } = shell;
    const provider = await createCryptoProvider({ env: { HUSH_HOME: shell.home } });
    t.after(() => {
      provider.close();
    });
    const handle = await provider.encrypt('x', acme);
    const other = await provider.encrypt('y', { ...acme, tenantId: 'other' });

    for (const options of ['', '--yes', '--confirm acme', '--yes --confirm amce']) {
      const refused = await run(`hush keys shred --tenant acme ${options}`);
      assert.equal(refused.code, 2, options);
      assert.match(refused.stderr, /hush: hint: hush keys shred --tenant acme --yes --confirm acme\n$/);
    }
    assert.equal(await provider.decrypt(handle, acme), 'x');

    assert.deepEqual(await run('hush keys shred --tenant acme --yes --confirm acme'), {
      code: 0,
      stdout: '1 key of tenant acme destroyed (keyring default)\n',
      stderr: '',
    });
    await assert.rejects(provider.decrypt(handle, acme), { code: 'KEY_DESTROYED' });
    await assert.rejects(provider.encrypt('z', acme), { code: 'KEY_DESTROYED', hint: /hush keys reopen/ });
    await assert.rejects(provider.decrypt(other, acme), { code: 'INTEGRITY' });
    assert.equal(await provider.decrypt(other, { ...acme, tenantId: 'other' }), 'y');

    const again = await run('hush keys shred --tenant acme --yes --confirm acme --json');
    assert.deepEqual(JSON.parse(again.stdout), {
      profile: 'default',
      tenant: 'acme',
      keyrings: ['default'],
      keys: 0,
      erased: true,
      backups: [],
      copies: [],
    });
    assert.equal((await run('hush keys shred --tenant nobody --yes --confirm nobody')).code, 6);

    const reopened = await run('hush keys reopen --tenant acme');
    assert.match(
      reopened.stdout,
      /^tenant acme has a new key in keyring default: hush:[0-9a-f]{32}:default:v2\n$/,
    );
    assert.equal((await run('hush keys reopen --tenant acme')).stdout, 'tenant acme has a key already\n');
    const newer = await provider.encrypt('z', acme);
    assert.equal(await provider.decrypt(newer, acme), 'z');
    await assert.rejects(provider.decrypt(handle, acme), { code: 'KEY_DESTROYED' });

    const audit = readFileSync(join(shell.home, 'audit/profiles/default/0000000001.jsonl'), 'utf8');
    const records = audit
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const of = (event: string) =>
      records
        .filter((record) => record['event'] === event)
        .map(({ key, outcome, code }) => [key, outcome, code]);
    assert.deepEqual(of('keys.shred'), [
      ['tenant acme', 'ok', undefined],
      ['tenant acme', 'ok', undefined],
      ['tenant nobody', 'failed', 'NOT_FOUND'],
    ]);
    assert.deepEqual(of('keys.reopen'), [
      ['tenant acme', 'ok', undefined],
      ['tenant acme', 'ok', undefined],
    ]);
    assert.ok(
      of('crypto.encrypt').some((fields) => fields.join() === 'default/mail/smtp,failed,KEY_DESTROYED'),
    );
  });

  test('lists the backups that may still open what it destroyed', async (t) => {
    const shell = await openUnlocked(t);
    const provider = await createCryptoProvider({ env: { HUSH_HOME: shell.home } });
    t.after(() => {
      provider.close();
    });
    const file = `${shell.home}.backup`;
    t.after(() => {
      rmSync(`${file}1`, { force: true });
      rmSync(`${file}2`, { force: true });
    });
    assert.equal((await shell.run(`hush backup create ${file}1`)).code, 0);
    await provider.encrypt('x', acme);
    const made = await shell.run(`hush backup create ${file}2 --json`);
    assert.equal(made.code, 0, made.stderr);
    const { id } = JSON.parse(made.stdout) as { id: string };
    const { stdout, stderr } = await shell.run('hush keys shred --tenant acme --yes --confirm acme');
    const [, ...backups] = stdout.split('\n').filter(Boolean);
    assert.equal(backups.length, 1, stdout);
    assert.match(backups[0] ?? '', new RegExp(`^backup ${id} of \\S+Z may still open it$`));
    assert.match(stderr, /^hush: note: destroy these too/);
  });

  test('asks on a terminal for the tenant to be typed, and does nothing for another word', async (t) => {
    const shell = await openUnlocked(t);
    const provider = await createCryptoProvider({ env: { HUSH_HOME: shell.home } });
    t.after(() => {
      provider.close();
    });
    const handle = await provider.encrypt('x', acme);
    const wait = 'Type the tenant to go on';
    const refused = await shell.type('hush keys shred --tenant acme', [{ wait, send: 'yes\r' }]);
    assert.equal(refused.code, 2);
    assert.match(refused.screen, /that is not the tenant: nothing was destroyed/);
    assert.equal(await provider.decrypt(handle, acme), 'x');
    const done = await shell.type('hush keys shred --tenant acme', [{ wait, send: 'acme\r' }]);
    assert.equal(done.code, 0, done.screen);
    assert.match(done.screen, /1 key of tenant acme destroyed/);
    await assert.rejects(provider.decrypt(handle, acme), { code: 'KEY_DESTROYED' });
  });
});
