import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { openBackup } from '../../daemon/backup/reader.ts';
import { restoreProfile } from '../../daemon/backup/restore.ts';
import { checkDirectory } from '../../daemon/home/safety.ts';
import { newFolderIn } from '../../daemon/profiles/unfinished.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { assertOpens, fixtureHome } from '../fixtures/homes.ts';
import {
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { folderFor, restore, take, textAt, valueOf, withProof } from './files.ts';
import { backupOfClosedHome } from './closed-home.ts';
import { assembled, piecesOf } from './forging.ts';

/** All files below a folder with their content. */
function contentOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length), readFileSync(path).toString('base64')]),
  );
}

/** A backup of a profile with one secret, and the daemon that it was taken from. */
async function backedUp(
  t: TestContext,
): Promise<{ path: string; client: HushClient; daemon: TestDaemon; home: TestHome }> {
  const { client, daemon, home } = await startUnlocked(t);
  await client.set('global/a', valueOf('backed up'));
  const path = join(folderFor(t), 'backup');
  await take(client, path);
  return { path, client, daemon, home };
}

/** Unlocks `name` in a home with a daemon of its own. */
async function opened(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient) => Promise<void>,
  name = 'default',
): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect({ profile: name });
  await client.unlock([passphraseCredential()]);
  await use(client);
  client.close();
  assert.equal(await daemon.stop(), 0);
}

const nothingLeft = (home: TestHome): void => {
  for (const folder of [home.paths.profiles, home.paths.profileAudits])
    assert.deepEqual(existsSync(folder) ? readdirSync(folder) : [], []);
};

describe('backup restore', () => {
  for (const isProved of [true, false]) {
    test(`into an empty home gives a profile that unlocks without a false alarm, ${isProved ? 'proved' : 'unproved'}`, async (t) => {
      const { path, client } = await backedUp(t);
      await client.set('global/a', valueOf('later'));
      const home = makeHome(t);
      await restore(home, path, { isProved });
      await opened(t, home, async (restored) => {
        assert.equal(await textAt(restored, 'global/a'), 'backed up');
        await restored.set('global/b', valueOf('new'));
      });
      await opened(t, home, async (restored) => {
        assert.equal(await textAt(restored, 'global/b'), 'new');
      });
    });
  }

  test('the audit of the profile comes with it, and goes on in one chain', async (t) => {
    const { path } = await backedUp(t);
    const home = makeHome(t);
    await restore(home, path);
    await opened(t, home, async (restored) => {
      await restored.get('global/a');
    });
    const { bad, head } = await verifyChain(join(home.profile().audit, chainFileName));
    assert.equal(bad, undefined);
    const lines = readFileSync(join(home.profile().audit, chainFileName), 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, head.seq);
    const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
    for (const event of ['secret.set', 'backup.restored', 'unlock', 'secret.get'])
      assert.ok(events.includes(event), event);
    assert.ok(events.indexOf('secret.set') < events.indexOf('backup.restored'));
    assert.ok(events.indexOf('backup.restored') < events.lastIndexOf('unlock'));
  });

  test('under another name it is the same vault, and a daemon that runs finds it by itself', async (t) => {
    const { path, client, home } = await backedUp(t);
    const place = { keyring: 'default', namespace: 'mail', key: 'password' };
    const { handle } = await client.call('crypto.encrypt', { ...place, plaintext: valueOf('sealed') });
    await assert.rejects(client.call('secret.get', { profile: 'second', path: 'global/a' }), {
      code: 'NO_SUCH_PROFILE',
    });
    await restore(home, path, { name: 'second' });
    const credentials = [passphraseCredential()];
    const { vaultId } = await client.call('unlock', { profile: 'second', credentials });
    assert.equal(vaultId, (await client.unlock([passphraseCredential()])).vaultId);
    const { value } = await client.call('secret.get', { profile: 'second', path: 'global/a' });
    assert.equal(Buffer.from(value).toString(), 'backed up');
    const { plaintext } = await client.call('crypto.decrypt', { profile: 'second', ...place, handle });
    assert.equal(Buffer.from(plaintext).toString(), 'sealed');
  });

  test('over a profile that is there is refused, and nothing of that is touched', async (t) => {
    const { path, client, home, daemon } = await backedUp(t);
    await client.set('global/a', valueOf('later'));
    client.close();
    await daemon.stop();
    const before = contentOf(home.folder);
    await assert.rejects(restore(home, path), { code: 'EXISTS', hint: /--replace/ });
    assert.deepEqual(contentOf(home.folder), before);
    const damaged = makeHome(t);
    mkdirSync(damaged.profile().folder, { recursive: true, mode: 0o700 });
    await assert.rejects(restore(damaged, path), { code: 'EXISTS' });
  });

  test('the audit of an earlier profile of that name is kept aside', async (t) => {
    const { path, client, home } = await backedUp(t);
    await client.call('profile.delete', {});
    await restore(home, path);
    const audits = readdirSync(home.paths.profileAudits).sort();
    assert.equal(audits[0], 'default');
    assert.ok(audits.filter((name) => name.startsWith('default.')).length >= 1, audits.join());
    await client.unlock([passphraseCredential()]);
    assert.equal(await textAt(client, 'global/a'), 'backed up');
  });

  for (const umask of [0, 0o777]) {
    test(`every folder has mode 0700 and every file 0600, under umask ${umask.toString(8)}`, async (t) => {
      const { path } = await backedUp(t);
      const home = makeHome(t);
      const before = process.umask(umask);
      try {
        await restore(home, path);
      } finally {
        process.umask(before);
      }
      for (const folder of [home.profile().folder, home.profile().audit]) {
        assert.equal(lstatSync(folder).mode & 0o777, 0o700, folder);
        for (const name of readdirSync(folder))
          assert.equal(lstatSync(join(folder, name)).mode & 0o777, 0o600, name);
      }
    });
  }

  test('a wrong passphrase is that, and leaves nothing', async (t) => {
    const { path } = await backedUp(t);
    const home = makeHome(t);
    const backup = await openBackup(path);
    await withProof([passphraseCredential('wrong')], async (proof) => {
      const request = { paths: home.paths, name: parseProfileName('default'), backup, proof };
      await assert.rejects(restoreProfile(request), { code: 'WRONG_PASSPHRASE' });
    });
    await backup.close();
    nothingLeft(home);
  });

  test('what a cut-off restore has left goes with the next one, and what another works on does not', async (t) => {
    const { path } = await backedUp(t);
    const home = makeHome(t);
    for (const folder of home.paths.ownFolders) checkDirectory(folder);
    const folders = [home.paths.profiles, home.paths.profileAudits];
    const left = folders.map((folder) => join(folder, '.new-0123456789abcdef'));
    for (const folder of left) {
      mkdirSync(folder, { mode: 0o700 });
      writeFileSync(join(folder, 'file'), 'left');
    }
    // Neither is what no restore has made: it is in nobody's way.
    symlinkSync(path, join(home.paths.profiles, '.new-0000000000000001'));
    writeFileSync(join(home.paths.profileAudits, '.new-0000000000000002'), '');
    const others = folders.map(newFolderIn);
    await restore(home, path);
    assert.deepEqual(left.filter(existsSync), []);
    for (const other of others) {
      assert.ok(existsSync(other.path));
      other.end();
    }
  });

  for (const [what, damage] of Object.entries({
    'whose last record was changed': (audit: string) => {
      const lines = readFileSync(audit, 'utf8').trimEnd().split('\n');
      writeFileSync(audit, [...lines.slice(0, -1), lines.at(-1)?.replace('"ok"', '"no"'), ''].join('\n'));
    },
    'that is no audit at all': (audit: string) => writeFileSync(audit, 'broken\n', { mode: 0o600 }),
  })) {
    test(`an audit of this vault ${what} is set aside, and that of the backup goes on`, async (t) => {
      const { path, client, home, daemon } = await backedUp(t);
      client.close();
      await daemon.stop();
      rmSync(home.profile().folder, { recursive: true });
      damage(join(home.profile().audit, chainFileName));
      await restore(home, path);
      const aside = readdirSync(home.paths.profileAudits).filter((name) => name.startsWith('default.'));
      assert.equal(aside.length, 1);
      assert.match(readFileSync(join(home.profile().audit, chainFileName), 'utf8'), /"backup.restored"/);
      await opened(t, home, async (restored) => {
        assert.equal(await textAt(restored, 'global/a'), 'backed up');
      });
    });
  }

  describe('beside a profile of the same vault', () => {
    const besideShredded = async (t: TestContext) => {
      const home = makeHome(t);
      await home.init();
      const path = join(folderFor(t), 'backup');
      const place = { keyring: 'default', namespace: 'mail', key: 'password', tenant: 'acme' };
      await opened(t, home, async (client) => {
        await client.call('crypto.encrypt', { ...place, plaintext: valueOf('x') });
        await take(client, path);
        await client.call('keys.shred', { tenant: 'acme' });
      });
      return { home, path };
    };

    test('that has destroyed keys of the backup it is refused, and told where else they can stay destroyed', async (t) => {
      const { home, path } = await besideShredded(t);
      await assert.rejects(restore(home, path, { name: 'second' }), {
        code: 'CONFLICT',
        message: 'the profile default is the same vault, and has destroyed keys that this backup holds',
        hint: /--replace -p default; or move that profile out of the home: mv /,
      });
    });

    test('whose key set cannot be read it is refused too, and one of another vault does not matter', async (t) => {
      const { home, path } = await besideShredded(t);
      await home.init('stranger');
      for (const file of ['header', 'keyset'])
        writeFileSync(join(home.profile('stranger').folder, file), 'broken\n', { mode: 0o644 });
      writeFileSync(join(home.paths.profiles, 'no-folder'), '');
      chmodSync(home.profile().header, 0o644);
      await assert.rejects(restore(home, path, { name: 'second' }), {
        code: 'CONFLICT',
        message: /has destroyed keys/,
      });
      chmodSync(home.profile().header, 0o600);
      chmodSync(home.profile().keyset, 0o644);
      await assert.rejects(restore(home, path, { name: 'second' }), {
        code: 'CONFLICT',
        message: /the profile default is the same vault, and its key set cannot be read/,
      });
      // What a restore has set aside tells of it as well.
      const aside = join(home.paths.profiles, '.replaced-default-2025-01-02T03-04-05-678Z-012345');
      chmodSync(home.profile().keyset, 0o600);
      renameSync(home.profile().folder, aside);
      await assert.rejects(restore(home, path, { name: 'second' }), {
        code: 'CONFLICT',
        message:
          /\.replaced-default-.*, which a restore has set aside, is the same vault, and has destroyed keys/,
        hint: /ELSEWHERE$/,
      });
      rmSync(aside, { recursive: true });
      assert.deepEqual((await restore(home, path, { name: 'second' })).revived, []);
      // Where only the audit is left to tell of it, the restore names what it has brought back.
      const { revived } = await restore(home, path);
      assert.deepEqual(
        revived.map(({ event }) => event),
        ['keys.shred'],
      );
    });
  });

  test('a home of an earlier format comes back, and is brought up to date at its unlock', async (t) => {
    const fixture = fixtureHome(t, 'format-1');
    const path = join(folderFor(t), 'backup');
    await backupOfClosedHome(fixture.home, fixture.key, path);
    for (const isProved of [true, false]) {
      const home = makeHome(t);
      const backup = await openBackup(path);
      await withProof([fixture.key], (proof) =>
        restoreProfile({
          paths: home.paths,
          name: parseProfileName('default'),
          backup,
          proof: isProved ? proof : undefined,
        }),
      );
      await backup.close();
      const daemon = await startDaemon(t, home);
      const client = await daemon.connect();
      await client.unlock([fixture.passphrase]);
      await assertOpens(client, fixture.expected);
      client.close();
      await daemon.stop();
    }
  });
});

describe('a backup that somebody has changed', () => {
  test('with right checksums is noticed by its MAC when it is proved, and nothing of it is put in place', async (t) => {
    const { path, client } = await backedUp(t);
    const folder = folderFor(t);
    await client.set('global/a', valueOf('later'));
    const later = join(folder, 'later');
    await take(client, later);
    const [old, fresh] = [piecesOf(path), piecesOf(later)];
    const forgeries = {
      'another name': assembled({
        ...old,
        manifest: { ...old.manifest, profile: parseProfileName('other') },
      }),
      'another time': assembled({
        ...old,
        manifest: { ...old.manifest, createdAt: '2030-01-01T00:00:00.000Z' },
      }),
      'the vault of another backup': assembled({
        ...old,
        files: new Map([...old.files, ...only(fresh.files, 'vault.db')]),
      }),
      'the audit of another backup': assembled({
        ...old,
        files: new Map([...old.files, ...only(fresh.files, chainFileName)]),
      }),
      'a MAC of another backup': assembled({ ...old, mac: fresh.mac }),
    };
    for (const [what, bytes] of Object.entries(forgeries)) {
      const forged = join(folder, 'forged');
      writeFileSync(forged, bytes);
      const home = makeHome(t);
      await assert.rejects(restore(home, forged), { code: 'INTEGRITY' }, what);
      nothingLeft(home);
    }
  });

  test('put together from two backups is noticed at the unlock, even if nothing was proved before', async (t) => {
    const { path, client, daemon: source } = await backedUp(t);
    const folder = folderFor(t);
    await client.set('global/a', valueOf('later'));
    await client.call('keys.rotate', {});
    const later = join(folder, 'later');
    await take(client, later);
    await source.stop();
    const [old, fresh] = [piecesOf(path), piecesOf(later)];
    const mixtures: Record<string, [Buffer, RegExp]> = {
      'an older vault': [
        assembled({ ...fresh, files: new Map([...fresh.files, ...only(old.files, 'vault.db')]) }),
        /ROLLBACK/,
      ],
      'an older audit': [
        assembled({ ...fresh, files: new Map([...fresh.files, ...only(old.files, chainFileName)]) }),
        /ROLLBACK/,
      ],
      'a vault with a changed byte': [
        assembled({
          ...fresh,
          files: new Map([...fresh.files, ['vault.db', flipped(fresh.files.get('vault.db'))]]),
        }),
        /DAMAGED|INTEGRITY/,
      ],
    };
    for (const [what, [bytes, code]] of Object.entries(mixtures)) {
      const forged = join(folder, 'forged');
      writeFileSync(forged, bytes);
      const home = makeHome(t);
      await restore(home, forged, { isProved: false });
      const daemon = await startDaemon(t, home);
      const restored = await daemon.connect();
      await assert.rejects(
        restored.unlock([passphraseCredential()]),
        (error: { code?: string }) => code.test(error.code ?? ''),
        what,
      );
      restored.close();
      await daemon.stop();
    }
    const olderKeyset = assembled({
      ...fresh,
      files: new Map([...fresh.files, ...only(old.files, 'keyset')]),
    });
    writeFileSync(join(folder, 'forged'), olderKeyset);
    await assert.rejects(restore(makeHome(t), join(folder, 'forged'), { isProved: false }), {
      code: 'INTEGRITY',
    });
  });

  test('a copy that was damaged on its way is DAMAGED, and leaves nothing', async (t) => {
    const { path } = await backedUp(t);
    const bytes = readFileSync(path);
    const copy = join(folderFor(t), 'copy');
    for (const [what, changed] of Object.entries({
      'cut off': bytes.subarray(0, bytes.length - 1),
      changed: flipped(bytes),
    })) {
      writeFileSync(copy, changed);
      const home = makeHome(t);
      await assert.rejects(restore(home, copy, { isProved: false }), { code: 'DAMAGED' }, what);
      nothingLeft(home);
    }
    cpSync(path, copy);
    await restore(makeHome(t), copy);
  });
});

function* only(files: ReadonlyMap<string, Buffer>, name: string): Generator<[string, Buffer]> {
  const bytes = files.get(name);
  assert.ok(bytes !== undefined);
  yield [name, bytes];
}

function flipped(bytes: Buffer | undefined): Buffer {
  assert.ok(bytes !== undefined);
  const changed = Buffer.from(bytes);
  const at = Math.floor(changed.length / 2);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
