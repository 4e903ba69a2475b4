import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseClientKey } from '../../noise/client-key.ts';
import { openShell } from './hush.ts';

const passphrase = 'correct horse battery staple\n';

test('hush client enrols clients that prove themselves by a key, lists and removes them', async (t) => {
  const { home, run, runScript } = openShell(t);
  appendFileSync(
    join(home, 'config.toml'),
    "[clients.plain]\nuid = 2001\n[profiles.default.grants.shop]\nread = ['global/*']\n",
  );
  await run('hush init --passphrase-stdin', { input: passphrase });
  const offline = await run(`hush client add shop --key-file ${join(home, 'shop.key')}`);
  assert.equal(offline.code, 3);
  assert.ok(!existsSync(join(home, 'shop.key')), 'no file is left of a client that was not enrolled');
  await run('hush start');
  await run('hush unlock --passphrase-stdin', { input: passphrase });
  await run('hush set global/a', { input: 'the value' });
  const file = join(home, 'shop.key');

  await t.test(
    'add writes the key into a new file of mode 0600, and the daemon keeps only the public half',
    async () => {
      const added = await run(`hush client add shop --key-file ${file}`);
      assert.deepEqual(added, {
        code: 0,
        stdout: `the client shop is enrolled; its key is in ${file}\n`,
        stderr: '',
      });
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const { name, publicKey } = parseClientKey(readFileSync(file));
      assert.equal(name, 'shop');
      const listed = await run('hush client list');
      assert.match(listed.stdout, /^shop {2}since \S+ by owner {2}0 connections {2}[0-9a-f]{64}\n$/);
      assert.ok(listed.stdout.includes(Buffer.from(publicKey).toString('hex')));
      const secret = /private ([0-9a-f]{64})/.exec(readFileSync(file, 'latin1'))?.[1] ?? '';
      const kept = await runScript(`grep -rl ${secret} . || true`);
      assert.equal(kept.stdout, './shop.key\n');
    },
  );

  await t.test('add without a file shows the key once on standard output, which is that file', async () => {
    const shown = await run('hush client add ci');
    assert.equal(shown.code, 0);
    assert.equal(parseClientKey(Buffer.from(shown.stdout)).name, 'ci');
    assert.match(shown.stderr, /^hush: note: the client ci is enrolled.*only now\n$/);
    const json = JSON.parse((await run('hush client add two --json')).stdout) as Record<string, string>;
    assert.deepEqual(Object.keys(json).sort(), ['key', 'name', 'publicKey', 'warnings']);
    assert.equal(parseClientKey(Buffer.from(json['key'] ?? '')).name, 'two');
  });

  await t.test('a key that could not be shown is enrolled no longer', async () => {
    const lost = await runScript('hush client add lost > /dev/full');
    assert.equal(lost.code, 1);
    assert.doesNotMatch((await run('hush client list')).stdout, /lost/);
  });

  await t.test('add refuses what is there already, and what is no name', async () => {
    const before = readFileSync(file);
    for (const [line, code, said] of [
      ['hush client add shop', 10, /a client shop is enrolled already/],
      [`hush client add other --key-file ${file}`, 10, /exists already/],
      ['hush client add owner', 2, /a name which hushd gives itself/],
      ['hush client add a/b', 2, /not the name of a client/],
      [`hush client add other --key-file ${join(home, 'no', 'folder')}`, 1, /cannot write/],
    ] as const) {
      const refused = await run(line);
      assert.equal(refused.code, code, refused.stderr);
      assert.match(refused.stderr, said);
    }
    assert.deepEqual(readFileSync(file), before);
    const names = JSON.parse((await run('hush client list --json')).stdout) as {
      clients: { name: string }[];
    };
    assert.deepEqual(
      names.clients.map(({ name }) => name),
      ['shop', 'ci', 'two'],
    );
  });

  await t.test('add and remove say whom the kernel still calls by the name, and whom no more', async () => {
    const added = await run(`hush client add plain --key-file ${join(home, 'plain.key')}`);
    assert.match(added.stderr, /^hush: note: uid 2001 is plain no more: only the key says so from now on\n$/);
    const removed = await run('hush client remove plain --yes');
    const warning = 'uid 2001 is plain again without a key: add enrolled = true to [clients.plain]';
    assert.equal(removed.stderr, `hush: note: ${warning}\n`);
    await run(`hush client add plain`);
    const json = JSON.parse((await run('hush client remove plain --yes --json')).stdout) as object;
    assert.deepEqual(json, { name: 'plain', removed: true, closed: 0, warnings: [warning] });
  });

  await t.test('with --client-key or HUSH_CLIENT_KEY_FILE every command is that client', async () => {
    for (const [line, env] of [
      [`hush get global/a --reveal --client-key ${file}`, {}],
      [`hush --client-key ${file} get global/a --reveal`, {}],
      [`hush --client-key=${file} get global/a --reveal`, {}],
      ['hush get global/a --reveal', { HUSH_CLIENT_KEY_FILE: file }],
    ] as const) {
      assert.equal((await run(line, { env })).stdout, 'the value', line);
    }
    assert.equal((await run(`hush delete global/a --client-key ${file}`)).code, 5);
    assert.equal((await run(`hush client list --client-key ${file}`)).code, 5);
  });

  await t.test(
    'a key file that others can reach, that is a link, damaged or not there is refused by name',
    async () => {
      const get = async (path: string) => run(`hush get global/a --client-key ${path}`);
      const loose = join(home, 'loose.key');
      writeFileSync(loose, readFileSync(file), { mode: 0o600 });
      chmodSync(loose, 0o644);
      assert.deepEqual((await get(loose)).code, 10);
      symlinkSync(file, join(home, 'link.key'));
      assert.equal((await get(join(home, 'link.key'))).code, 10);
      const cut = join(home, 'cut.key');
      writeFileSync(cut, readFileSync(file).subarray(0, 200), { mode: 0o600 });
      const damaged = await get(cut);
      assert.equal(damaged.code, 8);
      assert.doesNotMatch(damaged.stderr, /[0-9a-f]{32}/, 'no part of a key is in the error');
      const missing = await get(join(home, 'none.key'));
      assert.equal(missing.code, 2);
      assert.match(missing.stderr, /does not exist/);
    },
  );

  await t.test('remove ends what the key was good for', async () => {
    const removed = await run('hush client remove shop --json');
    assert.deepEqual(JSON.parse(removed.stdout), { name: 'shop', removed: true, closed: 0, warnings: [] });
    const refused = await run(`hush get global/a --client-key ${file}`);
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /handshake/);
    assert.equal((await run('hush client remove shop')).code, 6);
    assert.match(
      (await run('hush client remove ci')).stdout,
      /^the client ci is enrolled no longer; 0 connections ended\n$/,
    );
  });
});
