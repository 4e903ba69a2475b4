import assert from 'node:assert/strict';
import { chmodSync, chownSync, unlinkSync } from 'node:fs';
import { test } from 'node:test';
import { makeHome, startUnlocked } from '../support/daemon.ts';
import { eventually, recordsIn, utf8 } from './facts.ts';
import { daemonUser, otherProgram, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet } from './wire.ts';

const profile = 'default';

test('SIGHUP takes a good config, for connections that are open too; a bad or unsafe one is refused and the old one stays', async (t) => {
  const exe = otherProgram(t);
  const granting = (...paths: string[]): string =>
    `[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = [${paths.map((path) => `'${path}'`).join()}]\n`;
  const { daemon, home, client } = await startUnlocked(t, granting('global/a'));
  for (const path of ['global/a', 'global/b']) await client.set(path, utf8('x'));
  const app = await greet(await wireAs(t, daemon.socket, { exe }));
  const allowed = async (): Promise<string[]> => {
    const codes = [];
    for (const path of ['global/a', 'global/b'])
      codes.push(codeOf(await app.ask('secret.get', { profile, path })));
    return codes;
  };
  const generation = async (): Promise<number> => (await client.status()).configGeneration;
  const reloads = (): number => daemon.stderr().split('"event":"config.reload"').length - 1;
  const reload = async (): Promise<void> => {
    const before = reloads();
    daemon.signal('SIGHUP');
    await eventually('the config was read again', () => reloads() > before);
  };
  assert.deepEqual(await allowed(), ['ok', 'ACCESS_DENIED']);
  const first = await generation();

  const bad = [
    'this is no TOML [',
    `${granting('global/a', 'global/b')}\n[limits]\nvalue_byte = 1`,
    granting('global/**'),
    `${granting('global/a', 'global/b')}\n[operators]\nuids = ['root']`,
    `${granting('global/a', 'global/b')}\n[transport]\nsocket_mode = '0660'\nsocket_group = 'no-such-group'`,
    'gone',
  ];
  for (const toml of bad) {
    home.configure(toml);
    if (toml === 'gone') unlinkSync(home.paths.config);
    await reload();
    assert.deepEqual(await allowed(), ['ok', 'ACCESS_DENIED'], toml);
    assert.equal(await generation(), first, toml);
  }
  home.configure(granting('global/a', 'global/b'));
  chmodSync(home.paths.config, 0o666);
  await reload();
  assert.deepEqual(await allowed(), ['ok', 'ACCESS_DENIED'], 'what others could have written is not read');
  assert.match(daemon.stderr(), /"event":"config.reload","code":"UNSAFE_MODE"/);

  chmodSync(home.paths.config, 0o600);
  await reload();
  assert.deepEqual(await allowed(), ['ok', 'ok']);
  assert.equal(await generation(), first + 1);
  home.configure(granting('global/b'));
  await reload();
  assert.deepEqual(await allowed(), ['ACCESS_DENIED', 'ok'], 'a grant that was taken away is gone at once');

  const told = recordsIn(home.paths.daemonAudit).filter(({ event }) => event.startsWith('config.'));
  assert.deepEqual(
    told.map(({ outcome }) => outcome),
    [...bad.map(() => 'failed'), 'failed', 'ok', 'ok'],
  );
});

test('SIGHUP refuses a group that the daemon may not give its socket to: the next start would be refused', async (t) => {
  if (skippedUnlessRoot(t)) return;
  const home = makeHome(t);
  await home.init();
  const { daemon } = await startOpenToAll(t, home);
  const reload = async (group: number): Promise<string> => {
    home.configure(`[transport]\nsocket_mode = '0660'\nsocket_group = ${group}\n`);
    chownSync(home.paths.config, daemonUser, daemonUser);
    const lines = (): string[] =>
      daemon
        .stderr()
        .split('\n')
        .filter((line) => line.includes('"config.reload"'));
    const before = lines().length;
    daemon.signal('SIGHUP');
    await eventually('the config was read again', () => lines().length > before);
    return lines().at(-1) ?? '';
  };
  assert.match(await reload(daemonUser + 100), /"code":"BAD_REQUEST".*the daemon's user is not in/);
  assert.doesNotMatch(await reload(daemonUser), /"code"/);
});
