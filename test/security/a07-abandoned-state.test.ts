import assert from 'node:assert/strict';
import { chmodSync, cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import { folderFor, restore, take } from '../backup/files.ts';
import { makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';

const opener = [passphraseCredential()];
const value = new TextEncoder().encode('value');
const place = { keyring: 'default', namespace: 'n', key: 'k', tenant: 'acme' };

/** The id of the rollback that an unlock is refused with. */
async function rollbackOf(client: HushClient): Promise<string> {
  const refusal: unknown = await client.unlock(opener).catch((error: unknown) => error);
  assert(refusal instanceof HushError, 'it was unlocked');
  assert.equal(refusal.code, 'ROLLBACK', refusal.message);
  return /--accept-rollback (\S+)/.exec(refusal.hint)?.[1] ?? assert.fail(refusal.hint);
}

/** Runs a daemon on the home, with a client whose profile is still locked. */
async function running(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await use(client);
  client.close();
  assert.equal(await daemon.stop(), 0);
}

/** A home with a tenant's handle and, kept outside of it, its profile as it was then. */
async function firstState(t: TestContext) {
  const home = makeHome(t);
  await home.init();
  let handle: Awaited<ReturnType<typeof encrypt>> | undefined;
  await running(t, home, async (client) => {
    await client.unlock(opener);
    handle = await encrypt(client);
  });
  assert(handle !== undefined);
  const kept = folderFor(t);
  const keep = (name: string): void => {
    cpSync(home.profile().folder, join(kept, name), { recursive: true });
  };
  const putBack = (name: string): void => {
    rmSync(home.profile().folder, { recursive: true });
    cpSync(join(kept, name), home.profile().folder, { recursive: true });
    chmodSync(home.profile().folder, 0o700);
  };
  return { home, handle, keep, putBack };
}

const encrypt = async (client: HushClient) =>
  (await client.call('crypto.encrypt', { ...place, plaintext: value })).handle;

const shred = (client: HushClient) => client.call('keys.shred', { tenant: 'acme' });

describe('A7: a state that was given up', () => {
  test('A7: cannot be put back without a sign after an older one was taken in its place', async (t) => {
    const { home, handle, keep, putBack } = await firstState(t);
    keep('first');
    await running(t, home, async (client) => {
      await client.unlock(opener);
      for (let count = 0; count < 20; count += 1) await client.set('global/a', value);
      await client.call('slot.rename', {
        slot: (await client.call('slot.list', {})).slots[0]?.id ?? '',
        label: 'renamed',
      });
    });
    keep('given up');
    putBack('first');
    await running(t, home, async (client) => {
      await client.unlock(opener, { acceptRollback: await rollbackOf(client) });
      await shred(client);
      await client.set('global/b', value);
    });
    putBack('given up');
    await running(t, home, async (client) => {
      await rollbackOf(client);
      await assert.rejects(client.call('crypto.decrypt', { ...place, handle }), { code: 'LOCKED' });
    });
  });

  test('A7: no key made after that has the name of one that was given up, in any line', async (t) => {
    const { home, keep, putBack } = await firstState(t);
    keep('first');
    const givenUp: string[] = [];
    await running(t, home, async (client) => {
      await client.unlock(opener);
      for (let count = 0; count < 3; count += 1) await client.call('keys.rotate', {});
      const { kmsKeyId } = (
        await client.call('crypto.encrypt', { ...place, tenant: 'later', plaintext: value })
      ).handle;
      givenUp.push((await encrypt(client)).kmsKeyId, kmsKeyId);
    });
    putBack('first');
    await running(t, home, async (client) => {
      await client.unlock(opener, { acceptRollback: await rollbackOf(client) });
    });
    await running(t, home, async (client) => {
      await client.unlock(opener);
      const { kmsKeyId } = (
        await client.call('crypto.encrypt', { ...place, tenant: 'later', plaintext: value })
      ).handle;
      const rotated = await client.call('keys.rotate', {});
      const after = await encrypt(client);
      assert.equal(rotated.kmsKeyId, after.kmsKeyId);
      for (const name of [kmsKeyId, after.kmsKeyId]) assert(!givenUp.includes(name), name);
      const sealed = await client.call('crypto.decrypt', { ...place, handle: after });
      assert.deepEqual(sealed.plaintext, value);
    });
    await running(t, home, async (client) => {
      await client.unlock(opener);
      await client.call('keys.rotate', {});
    });
  });

  test('A7: nor its header alone', async (t) => {
    const { home, keep, putBack } = await firstState(t);
    keep('first');
    await running(t, home, async (client) => {
      await client.unlock(opener);
      const [slot] = (await client.call('slot.list', {})).slots;
      for (const label of ['one', 'two', 'three'])
        await client.call('slot.rename', { slot: slot?.id ?? '', label });
    });
    const givenUp = join(folderFor(t), 'header');
    cpSync(home.profile().header, givenUp);
    putBack('first');
    await running(t, home, async (client) => {
      await client.unlock(opener, { acceptRollback: await rollbackOf(client) });
      await client.set('global/b', value);
    });
    cpSync(givenUp, home.profile().header);
    await running(t, home, async (client) => {
      await rollbackOf(client);
    });
  });

  test('A5, A7: nor its audit, which is longer than the one that took its place', async (t) => {
    const home = makeHome(t);
    await home.init();
    const { audit } = home.profile();
    const kept = folderFor(t);
    const keep = (name: string): void => {
      cpSync(audit, join(kept, name), { recursive: true });
    };
    const putBack = (name: string): void => {
      rmSync(audit, { recursive: true });
      cpSync(join(kept, name), audit, { recursive: true });
      chmodSync(audit, 0o700);
    };
    const set = async (client: HushClient, times: number): Promise<void> => {
      await client.unlock(opener);
      for (let count = 0; count < times; count += 1) await client.set('global/a', value);
    };
    await running(t, home, (client) => set(client, 1));
    keep('short');
    await running(t, home, (client) => set(client, 40));
    keep('long');
    putBack('short');
    await running(t, home, async (client) => {
      await client.unlock(opener, { acceptRollback: await rollbackOf(client) });
      await client.set('global/b', value);
    });
    putBack('long');
    await running(t, home, async (client) => {
      await assert.rejects(client.unlock(opener), { code: 'INTEGRITY', message: /the vault remembers/ });
      await assert.rejects(client.get('global/b'), { code: 'LOCKED' });
    });
  });

  test('A7: nor a backup over a profile that is gone, whose audit knows better', async (t) => {
    const { home, handle } = await firstState(t);
    const path = join(folderFor(t), 'backup');
    await running(t, home, async (client) => {
      await client.unlock(opener);
      await take(client, path);
      await shred(client);
    });
    rmSync(home.profile().folder, { recursive: true });
    await restore(home, path);
    await running(t, home, async (client) => {
      const id = await rollbackOf(client);
      await assert.rejects(client.call('crypto.decrypt', { ...place, handle }), { code: 'LOCKED' });
      await client.unlock(opener, { acceptRollback: id });
    });
  });

  test('a backup with keys that were destroyed since is not restored beside the profile that destroyed them', async (t) => {
    const { home } = await firstState(t);
    const path = join(folderFor(t), 'backup');
    await running(t, home, async (client) => {
      await client.unlock(opener);
      await take(client, path);
    });
    await restore(home, path, { name: 'before' });
    await running(t, home, async (client) => {
      await client.unlock(opener);
      await shred(client);
    });
    await assert.rejects(restore(home, path, { name: 'beside' }), { code: 'CONFLICT' });
  });

  test('a shred names the copies that still lie in the home', async (t) => {
    const { home, keep } = await firstState(t);
    keep('first');
    const aside = join(home.paths.profiles, '.replaced-default-then');
    cpSync(home.profile().folder, aside, { recursive: true });
    const foreign = join(home.paths.profiles, '.replaced-other-then');
    await home.init('other');
    renameSync(home.profile('other').folder, foreign);
    await running(t, home, async (client) => {
      await client.unlock(opener);
      assert.deepEqual((await shred(client)).copies, ['.replaced-default-then']);
    });
  });
});
