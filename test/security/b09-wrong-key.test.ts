import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openShell } from '../cli/hush.ts';
import { keyCredential, makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';
import { hashesBelow, recordsIn, textOf, utf8 } from './facts.ts';
import { refusedStart } from './starts.ts';
import { within } from './wire.ts';

const key = new Uint8Array(new ArrayBuffer(32)).fill(11);
const wrong = new Uint8Array(new ArrayBuffer(32)).fill(12);
/** The hashes of a profile's files, without the one that counts wrong passphrases. */
const profileHashes = (folder: string): Record<string, string> =>
  Object.fromEntries(Object.entries(hashesBelow(folder)).filter(([name]) => name !== 'backoff'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('B9: a key that is not the one that sealed the vault is named so before anything is written', async (t) => {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  const { folder, audit } = home.profile();
  const first = await startDaemon(t, home, { env: { HUSH_MASTER_KEY: hexOf(key) } });
  await (await first.connect()).set('global/a', utf8('value'));
  assert.equal(await first.stop(), 0);
  const before = profileHashes(folder);
  assert.deepEqual(Object.keys(before), ['header', 'keyset', 'vault.db']);

  const keyFile = join(home.folder, '..', 'wrong.key');
  writeFileSync(keyFile, hexOf(wrong), { mode: 0o600 });
  const starts = [
    { env: { HUSH_MASTER_KEY: hexOf(wrong) } },
    { args: ['--key-file', keyFile], env: { HUSH_MASTER_KEY: hexOf(key) } },
  ];
  for (const options of starts) {
    const daemon = await startDaemon(t, home, options);
    const unlock: unknown = daemon.listening['unlock'];
    assert.equal(within(unlock, 'code'), 'WRONG_KEY');
    await daemon.logged('WRONG_KEY');
    const client = await daemon.connect();
    await assert.rejects(client.get('global/a'), { code: 'LOCKED' });
    await assert.rejects(client.unlock([keyCredential(wrong)]), { code: 'WRONG_KEY' });
    await assert.rejects(client.unlock([passphraseCredential()]), { code: /^WRONG_(KEY|PASSPHRASE)$/ });
    assert.deepEqual(profileHashes(folder), before);
    assert.equal(await daemon.stop(), 0);
    assert.deepEqual(profileHashes(folder), before, 'nor when it stops');
  }
  const refusals = recordsIn(audit).filter(({ event, code }) => event === 'unlock' && code === 'WRONG_KEY');
  assert.ok(refusals.length >= 2, 'each attempt is on record');

  const last = await startDaemon(t, home, { env: { HUSH_MASTER_KEY: hexOf(key) } });
  assert.equal(textOf((await (await last.connect()).get('global/a')).value), 'value');
});

test('B9: a passphrase that is not the right one is named so, and nothing is written', async (t) => {
  const home = makeHome(t);
  await home.init('default', [passphraseCredential('the right one')]);
  const { folder } = home.profile();
  const before = profileHashes(folder);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  for (const text of ['The right one', 'the right one ']) {
    await assert.rejects(client.unlock([passphraseCredential(text)]), { code: 'WRONG_PASSPHRASE' }, text);
  }
  await assert.rejects(client.unlock([keyCredential(wrong)]), { code: 'WRONG_KEY' });
  assert.deepEqual(profileHashes(folder), before);
  await client.unlock([passphraseCredential('the right one')]);
});

test('B9: what is no key at all ends the start with exit code 2, and is not repeated', async (t) => {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  const before = hashesBelow(home.profile().folder);
  const { said } = await refusedStart(t, home, 2, { env: { HUSH_MASTER_KEY: 'hunter2 hunter2 hunter2' } });
  assert.doesNotMatch(said, /hunter2/);
  assert.deepEqual(hashesBelow(home.profile().folder), before);
});

test('B9: hush start tells of the wrong key with exit code 9, and the daemon stays up, locked', async (t) => {
  const shell = openShell(t);
  assert.equal((await shell.run('hush init', { env: { HUSH_MASTER_KEY: hexOf(key) } })).code, 0);
  const before = hashesBelow(join(shell.home, 'profiles'));
  const start = await shell.run('hush start', { env: { HUSH_MASTER_KEY: hexOf(wrong) } });
  assert.equal(start.code, 9, start.stderr);
  assert.match(start.stderr, /^hush: error: .*key.*$/m);
  const unlock = await shell.run('hush unlock', { env: { HUSH_MASTER_KEY: hexOf(wrong) } });
  assert.equal(unlock.code, 9, unlock.stderr);
  assert.deepEqual(hashesBelow(join(shell.home, 'profiles')), before);
  assert.equal((await shell.run('hush unlock', { env: { HUSH_MASTER_KEY: hexOf(key) } })).code, 0);
});
