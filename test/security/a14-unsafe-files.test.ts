import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, lstatSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import { openChain } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { checkDirectory } from '../../daemon/home/safety.ts';
import { HushError } from '../../protocol/errors.ts';
import { openShell } from '../cli/hush.ts';
import { keyCredential, makeHome, startDaemon, type TestHome } from '../support/daemon.ts';
import { recordsIn, textOf, utf8 } from './facts.ts';
import { otherUser } from './peers.ts';
import { refusedStart } from './starts.ts';

const key = new Uint8Array(new ArrayBuffer(32)).fill(3);
const credentials = [keyCredential(key)];

/** The ways in which a path can be unsafe; each answers nothing and leaves what the path holds reachable. */
const breakings: Readonly<Record<string, (path: string) => void>> = {
  'a loose mode': (path) => chmodSync(path, lstatSync(path).isDirectory() ? 0o755 : 0o644),
  'a mode that lets the group write': (path) =>
    chmodSync(path, lstatSync(path).isDirectory() ? 0o720 : 0o620),
  'a symbolic link': (path) => {
    renameSync(path, `${path}.elsewhere`);
    symlinkSync(`${path}.elsewhere`, path);
  },
  'a hard link': (path) => linkSync(path, `${path}.second`),
  'another owner': (path) => chownSync(path, otherUser, otherUser),
};

const appliesTo = (kind: string, path: string): boolean => {
  if (kind === 'a hard link') return !lstatSync(path).isDirectory();
  return kind !== 'another owner' || process.getuid?.() === 0;
};

/** Types a hint at a shell; root needs no sudo. */
function obey(hint: string): void {
  const command = process.getuid?.() === 0 ? hint.replaceAll('sudo ', '') : hint;
  execFileSync('sh', ['-c', command], { stdio: 'pipe' });
}

/** Removes what the ways above leave beside a path. */
function clearAway(paths: readonly string[]): void {
  execFileSync('rm', ['-rf', ...paths.flatMap((path) => [`${path}.elsewhere`, `${path}.second`])]);
}

/** A home with everything in it that a daemon makes, and profiles that the key opens. */
async function usedHome(t: TestContext, ...profiles: string[]): Promise<TestHome> {
  const home = makeHome(t);
  for (const profile of profiles) await home.init(profile, [keyCredential(key)]);
  home.paths.ownFolders.forEach(checkDirectory);
  await openChain(home.paths.daemonAudit, 'daemon').close();
  for (const path of [home.paths.config, home.paths.lock, home.paths.log])
    writeFileSync(path, '', { mode: 0o600 });
  return home;
}

describe('A14: what others could reach', () => {
  test('A14: anything of the home that is unsafe stops the daemon, by name, and the hint mends it', async (t) => {
    const home = await usedHome(t);
    const { config, lock, log, daemonAudit, profiles, profileAudits } = home.paths;
    const chain = join(daemonAudit, '0000000001.jsonl');
    const refusedFor = async (kind: string, paths: readonly string[]): Promise<void> => {
      const { error, hint } = await refusedStart(t, home, 10);
      for (const path of paths) assert.ok(error.includes(`${path} `), `${kind}: ${path} is not in: ${error}`);
      assert.equal(error.split('; ').length, paths.length, `${kind}: ${error}`);
      obey(hint);
    };
    for (const [kind, spoil] of Object.entries(breakings)) {
      // One loose mode is enough here: each kind costs two starts.
      if (kind === 'a mode that lets the group write') continue;
      const spoilt = [config, lock, log, chain, profiles, profileAudits].filter((path) =>
        appliesTo(kind, path),
      );
      if (spoilt.length === 0) continue;
      spoilt.forEach(spoil);
      // A second name of an audit file, left in its folder, would be a problem of its own.
      if (kind === 'a hard link') renameSync(`${chain}.second`, `${home.folder}.second`);
      await refusedFor(kind, spoilt);
      clearAway(spoilt);
      if (!appliesTo(kind, home.folder)) continue;
      spoil(home.folder);
      await refusedFor(kind, [home.folder]);
    }
    const daemon = await startDaemon(t, home);
    assert.equal(await daemon.stop(), 0);
  });

  test('A14: a problem of one profile stops that profile alone, by name, and the hint mends it', async (t) => {
    const home = await usedHome(t, 'default', 'other');
    const other = home.profile('other');
    const chain = join(other.audit, '0000000001.jsonl');
    await makeItsAudit(t, home);
    chmodSync(other.header, 0o640);
    chmodSync(chain, 0o604);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    const early = await refusalOf(client);
    assert.equal(early.code, 'UNSAFE_MODE');
    assert.ok(
      early.message.includes(`${other.header} `) && early.message.includes(`${chain} `),
      early.message,
    );
    await client.unlock(credentials);
    await client.set('global/a', utf8('served all the time'));
    const { profiles } = await client.status();
    assert.match(profiles.find(({ name }) => name === 'other')?.problem ?? '', /header has mode 640/);
    const refused = recordsIn(home.paths.daemonAudit).filter(({ event }) => event === 'unlock');
    assert.deepEqual(
      refused.map(({ profile, code }) => [profile, code]),
      [['other', 'UNSAFE_MODE']],
    );
    await mendsAndOpens(client, other.header);

    const marker = other.inactive;
    const paths = [other.folder, other.header, other.keyset, other.vault, chain];
    for (const [kind, spoil] of Object.entries(breakings)) {
      for (const path of [...paths, other.audit]) {
        if (!appliesTo(kind, path)) continue;
        spoil(path);
        await mendsAndOpens(client, path, kind);
      }
    }
    // What stands beside the profile's files counts too: a marker that others could take away, a log of the vault.
    for (const path of [marker, `${other.vault}-wal`]) {
      writeFileSync(path, '', { mode: 0o600 });
      chmodSync(path, 0o666);
      const refusal = await refusalOf(client);
      assert.equal(refusal.code, 'UNSAFE_MODE', path);
      obey(refusal.hint);
      execFileSync('rm', [path]);
      await client.call('unlock', { profile: 'other', credentials });
      await client.call('lock', { profile: 'other' });
    }
    assert.equal(textOf((await client.get('global/a')).value), 'served all the time');
  });

  test('A14: mending under a running daemon loses no record and raises no false alarm', async (t) => {
    const home = await usedHome(t, 'default');
    const chain = join(home.profile().audit, '0000000001.jsonl');
    let daemon = await startDaemon(t, home);
    let client = await daemon.connect();
    for (const kind of ['a symbolic link', 'a hard link']) {
      await client.unlock(credentials);
      await client.set('global/a', utf8(kind));
      await client.lock();
      breakings[kind]?.(chain);
      const refusal = await client.unlock(credentials).catch((error: unknown) => error);
      assert.ok(refusal instanceof HushError && refusal.code === 'UNSAFE_MODE', String(refusal));
      obey(refusal.hint);
      await client.unlock(credentials);
      await client.set('global/b', utf8(kind));
      assert.equal(await daemon.stop(), 0);
      const { bad } = await verifyChain(chain);
      assert.equal(bad, undefined, kind);
      const events = recordsIn(home.profile().audit).map(({ event, key }) => `${event} ${key}`);
      assert.ok(events.lastIndexOf('secret.set global/b') > events.lastIndexOf('secret.set global/a'), kind);
      daemon = await startDaemon(t, home);
      client = await daemon.connect();
      await client.unlock(credentials);
      assert.equal(textOf((await client.get('global/b')).value), kind);
      await client.lock();
      clearAway([chain]);
    }
  });

  test('A14: a key file that is unsafe stops the daemon, by name, and the hint mends it', async (t) => {
    const home = await usedHome(t, 'default');
    const file = join(home.folder, '..', 'master.key');
    writeFileSync(file, Buffer.from(key).toString('hex'), { mode: 0o600 });
    const args = ['--key-file', file];
    for (const kind of ['a loose mode', 'a hard link', 'another owner']) {
      if (!appliesTo(kind, file)) continue;
      breakings[kind]?.(file);
      const { error, hint } = await refusedStart(t, home, 10, { args });
      assert.ok(error.includes(file), error);
      obey(hint);
    }
    const unlocked = { profile: 'default', outcome: 'unlocked' };
    const daemon = await startDaemon(t, home, { args });
    assert.deepEqual(daemon.listening['unlock'], unlocked);
    assert.equal(await daemon.stop(), 0);

    breakings['a symbolic link']?.(file);
    const { error, hint } = await refusedStart(t, home, 10, { args });
    assert.ok(error.includes(`${file} is a symbolic link`), error);
    const command = /readlink -f .*$/.exec(hint)?.[0];
    assert.ok(command, hint);
    const told = execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim();
    const again = await startDaemon(t, home, { args: ['--key-file', told] });
    assert.deepEqual(again.listening['unlock'], unlocked, 'the hint tells which file to name');
  });

  test('A14: hush refuses with exit code 10, and its hint mends it', async (t) => {
    const shell = openShell(t);
    const secret = { input: 'a passphrase of some length\n' };
    const hintIn = (stderr: string): string => /^hush: hint: (.*)$/m.exec(stderr)?.[1] ?? assert.fail(stderr);
    chmodSync(shell.home, 0o755);
    const init = await shell.run('hush init --passphrase-stdin', secret);
    assert.equal(init.code, 10, init.stderr);
    assert.match(init.stderr, /^hush: error: .* has mode 755: others can reach it$/m);
    obey(hintIn(init.stderr));
    assert.equal((await shell.run('hush init --passphrase-stdin', secret)).code, 0);
    chmodSync(join(shell.home, 'config.toml'), 0o664);
    const start = await shell.run('hush start');
    assert.equal(start.code, 10, start.stderr);
    obey(hintIn(start.stderr));
    assert.equal((await shell.run('hush start')).code, 0);
    const header = join(shell.home, 'profiles', 'default', 'header');
    linkSync(header, `${shell.home}/header-of-mine`);
    const unlock = await shell.run('hush unlock --passphrase-stdin', secret);
    assert.equal(unlock.code, 10, unlock.stderr);
    obey(hintIn(unlock.stderr));
    assert.equal((await shell.run('hush unlock --passphrase-stdin', secret)).code, 0);
  });
});

/** Sees to it that the profile `other` has an audit file. */
async function makeItsAudit(t: TestContext, home: TestHome): Promise<void> {
  const daemon = await startDaemon(t, home);
  await (await daemon.connect()).call('unlock', { profile: 'other', credentials });
  assert.equal(await daemon.stop(), 0);
}

/** What the unlock of the profile `other` is refused with. */
async function refusalOf(client: HushClient): Promise<HushError> {
  try {
    await client.call('unlock', { profile: 'other', credentials });
  } catch (error) {
    assert.ok(error instanceof HushError, String(error));
    return error;
  }
  return assert.fail('the profile was opened');
}

/** That the profile `other` is refused because of a path, and opens once its hint was obeyed. */
async function mendsAndOpens(client: HushClient, path: string, kind = ''): Promise<void> {
  const { code, message, hint } = await refusalOf(client);
  assert.equal(code, 'UNSAFE_MODE', `${kind} on ${path}: ${message}`);
  assert.ok(message.includes(`${path} `), `${path} is not in: ${message}`);
  obey(hint);
  clearAway([path]);
  await client.call('unlock', { profile: 'other', credentials });
  await client.call('lock', { profile: 'other' });
  await client.get('global/a');
}
