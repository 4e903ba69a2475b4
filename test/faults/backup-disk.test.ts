import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { openBackup } from '../../daemon/backup/reader.ts';
import { replaceProfile } from '../../daemon/backup/replace.ts';
import { folderFor, restore, take, textAt, valueOf, withProof } from '../backup/files.ts';
import { homeAt, makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { makeDisk, whyNoDisk } from './small-disk.ts';

const isFull = (error: unknown): boolean =>
  error instanceof HushError &&
  error.code === 'UNAVAILABLE' &&
  /no space left|disk is full/i.test(error.message) &&
  error.hint !== '';

async function served(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient) => Promise<void>,
  accept?: string,
): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect({ deadlineMs: 30_000 });
  await client.unlock([passphraseCredential()], accept === undefined ? {} : { acceptRollback: accept });
  await use(client);
  client.close();
  await daemon.stop();
}

/** A backup of about a megabyte that says `older`. */
async function backup(t: TestContext, home: TestHome, path: string): Promise<void> {
  await home.init();
  await served(t, home, async (client) => {
    await client.set('global/a', valueOf('older'));
    for (let at = 0; at < 30; at++) await client.set(`global/big${at}`, valueOf('x'.repeat(32_000)));
    await take(client, path);
    await client.set('global/a', valueOf('newer'));
  });
}

describe('B2: backups on a full disk', { skip: whyNoDisk('tmpfs') ?? false }, () => {
  test('a file for which there is no room is not there in part either, and the daemon goes on', async (t) => {
    const disk = makeDisk(t, 'tmpfs', 2);
    const home = makeHome(t);
    await home.init();
    await served(t, home, async (client) => {
      for (let at = 0; at < 30; at++) await client.set(`global/big${at}`, valueOf('x'.repeat(32_000)));
      disk.fill();
      await assert.rejects(take(client, join(disk.folder, 'backup')), isFull);
      assert.deepEqual(readdirSync(disk.folder), ['filler']);
      disk.free();
      await take(client, join(disk.folder, 'backup'));
      assert.ok(existsSync(join(disk.folder, 'backup')));
    });
  });

  test('a home without room for a profile gets none, and one once there is room', async (t) => {
    const path = join(folderFor(t), 'backup');
    await backup(t, makeHome(t), path);
    const disk = makeDisk(t, 'tmpfs', 4);
    const home = homeAt(join(disk.folder, 'home'));
    await home.init('other');
    disk.fill();
    await assert.rejects(restore(home, path), isFull);
    assert.deepEqual(readdirSync(home.paths.profiles), ['other']);
    assert.deepEqual(readdirSync(home.paths.profileAudits), []);
    disk.free();
    await restore(home, path);
    await served(t, home, async (client) => {
      assert.equal(await textAt(client, 'global/a'), 'older');
    });
  });

  test('a profile is not touched by a restore over it that has no room', async (t) => {
    const disk = makeDisk(t, 'tmpfs', 12);
    const home = homeAt(join(disk.folder, 'home'));
    const path = join(folderFor(t), 'backup');
    await backup(t, home, path);
    const replace = async (): Promise<void> => {
      const file = await openBackup(path);
      await withProof([passphraseCredential()], (proof) =>
        replaceProfile({
          paths: home.paths,
          name: parseProfileName('default'),
          backup: file,
          proof: { ...proof, askPast: undefined },
        }),
      ).finally(() => file.close());
    };
    disk.fill();
    await assert.rejects(replace(), isFull);
    assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
    disk.free();
    await served(t, home, async (client) => {
      assert.equal(await textAt(client, 'global/a'), 'newer');
    });
    await replace();
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await assert.rejects(client.unlock([passphraseCredential()]), { code: 'ROLLBACK' });
    await daemon.stop();
  });

  test('a home without room gives no backup, by name, and one once there is room', async (t) => {
    const disk = makeDisk(t, 'tmpfs', 6);
    const home = homeAt(join(disk.folder, 'home'));
    await home.init();
    const path = join(folderFor(t), 'backup');
    await served(t, home, async (client) => {
      await client.set('global/a', valueOf('kept'));
      disk.fill();
      let refused = 0;
      for (let at = 0; at < 40 && refused === 0; at++) {
        await take(client, `${path}${at}`).catch((error: unknown) => {
          assert.ok(isFull(error), String(error));
          refused++;
        });
      }
      assert.equal(refused, 1);
      disk.free();
      assert.equal(await textAt(client, 'global/a'), 'kept');
      await take(client, path);
    });
    await restore(makeHome(t), path);
  });
});
