import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import type { Credential, HushClient } from '../../client/index.ts';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  keyCredential,
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestHome,
} from '../support/daemon.ts';

const old = passphraseCredential();
const fresh = passphraseCredential('the passphrase of today');
const key = keyCredential(copyBytes(randomBytes(32)));

/** The id of the rollback that an unlock is refused with. */
async function rollbackOf(client: HushClient, ...credentials: Credential[]): Promise<string> {
  const refusal: unknown = await client.unlock(credentials).catch((error: unknown) => error);
  assert(refusal instanceof HushError, 'it was unlocked');
  assert.equal(refusal.code, 'ROLLBACK', refusal.message);
  return /--accept-rollback (\S+)/.exec(refusal.hint)?.[1] ?? assert.fail(refusal.hint);
}

/** A home whose header was changed by `change` and acknowledged, and then the daemon killed; gives the header before. */
async function changed(
  t: TestContext,
  change: (client: HushClient) => Promise<unknown>,
): Promise<{ readonly home: TestHome; readonly past: Buffer; readonly client: () => Promise<HushClient> }> {
  const { client, home, daemon } = await startUnlocked(t);
  await client.call('slot.add', { credentials: [old], added: key, label: 'server' });
  const past = readFileSync(home.profile().header);
  await change(client);
  // With the lock the vault remembers what else would be told within a second.
  await client.lock();
  await daemon.kill();
  return { home, past, client: async () => (await startDaemon(t, home)).connect() };
}

describe('A7: last week’s header over today’s', () => {
  test('A7: an old passphrase with its old header is ROLLBACK, and today’s passphrase does not fit it', async (t) => {
    const { home, past, client } = await changed(t, (open) =>
      open.call('slot.change', { credentials: [old], replacement: fresh }),
    );
    const today = readFileSync(home.profile().header);
    writeFileSync(home.profile().header, past);
    renameSync(home.profile().audit, `${home.folder}/audit-aside`);
    const without = await startDaemon(t, home);
    await assert.rejects((await without.connect()).unlock([old]), {
      code: 'ROLLBACK',
      message: /the audit lacks its tail.*; the header is older than the vault remembers/,
    });
    await without.kill();
    rmSync(home.profile().audit, { recursive: true });
    renameSync(`${home.folder}/audit-aside`, home.profile().audit);
    const first = await client();
    const id = await rollbackOf(first, old);
    assert.equal(await rollbackOf(first, key), id);
    await assert.rejects(first.unlock([fresh]), { code: 'WRONG_PASSPHRASE' });
    await assert.rejects(first.get('global/a'), { code: 'LOCKED' });
    assert.deepEqual(readFileSync(home.profile().header), past);
    writeFileSync(home.profile().header, today);
    await assert.rejects(first.unlock([old]), { code: 'WRONG_PASSPHRASE' });
    await first.unlock([fresh]);
  });

  test('A7: so are the header of before a slot was removed and that of before a group, unless taken on purpose', async (t) => {
    const removed = await changed(t, async (open) => {
      const { slots } = await open.call('slot.list', {});
      const slot = slots.find(({ label }) => label === 'server')?.id ?? assert.fail();
      await open.call('slot.remove', { slot });
    });
    writeFileSync(removed.home.profile().header, removed.past);
    const one = await removed.client();
    const id = await rollbackOf(one, key);
    await one.unlock([key], { acceptRollback: id });
    await one.lock();
    await one.unlock([key]);

    const grouped = await changed(t, async (open) => {
      const { slots } = await open.call('slot.list', {});
      await open.call('slot.group', { credentials: [key], slots: slots.map((slot) => slot.id) });
    });
    const two = await grouped.client();
    await assert.rejects(two.unlock([key]), { code: 'WRONG_KEY' });
    writeFileSync(grouped.home.profile().header, grouped.past);
    await rollbackOf(two, key);
  });

  test('A7: and the header of before its Argon2id was raised', async (t) => {
    const home = makeHome(t);
    await home.init();
    const cheap = readFileSync(home.profile().header);
    home.configure('[kdf]\nmemory_mib = 20\npasses = 2\n');
    const daemon = await startDaemon(t, home);
    await (await daemon.connect()).unlock([old]);
    await daemon.kill();
    assert.notDeepEqual(readFileSync(home.profile().header), cheap);
    writeFileSync(home.profile().header, cheap);
    await rollbackOf(await (await startDaemon(t, home)).connect(), old);
  });

  test('A7: a header of another vault is not opened, whatever opens it', async (t) => {
    const { home, client } = await changed(t, () => Promise.resolve());
    const other = makeHome(t);
    await other.init();
    writeFileSync(home.profile().header, readFileSync(other.profile().header));
    await assert.rejects((await client()).unlock([old]), (error) => {
      assert(error instanceof HushError);
      assert.equal(error.code, 'INTEGRITY', error.message);
      assert.match(error.message, /^the header is of vault/);
      return true;
    });
  });
});
