import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';

const path = 'global/password';
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Runs a daemon for as long as `use` takes; `use` unlocks it. */
async function session(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon(t, home);
  await use(await daemon.connect());
  await daemon.stop();
}

const unlocked =
  (change: (client: HushClient) => Promise<unknown>) =>
  async (client: HushClient): Promise<void> => {
    await client.unlock([passphraseCredential()]);
    await change(client);
  };

/** What `unlock` is refused with; it must be a ROLLBACK whose hint names the id by which it can be taken. */
async function refusedRollback(client: HushClient): Promise<string> {
  const error: unknown = await client.unlock([passphraseCredential()]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert(error instanceof HushError, 'it was unlocked');
  assert.equal(error.code, 'ROLLBACK', error.message);
  const id = /--accept-rollback (\S+)/.exec(error.hint)?.[1];
  assert(id !== undefined, error.hint);
  return id;
}

/** A home whose secret was set to `first`, then to `second`, and what its profile was in between. */
async function homeWithPast(t: TestContext): Promise<{ readonly home: TestHome; readonly past: string }> {
  const home = makeHome(t);
  await home.init();
  await session(
    t,
    home,
    unlocked((client) => client.set(path, bytesOf('first'))),
  );
  const past = join(home.folder, '..', 'past');
  cpSync(home.profile().folder, past, { recursive: true });
  await session(
    t,
    home,
    unlocked(async (client) => {
      await client.set(path, bytesOf('second'));
      await client.call('keys.rotate', {});
    }),
  );
  return { home, past };
}

describe('A7: last week’s files over today’s', () => {
  test('A7: an older profile is ROLLBACK at unlock, each time, until an operator takes it by its id', async (t) => {
    const { home, past } = await homeWithPast(t);
    const { folder } = home.profile();
    for (const file of readdirSync(folder)) rmSync(join(folder, file));
    for (const file of readdirSync(past)) cpSync(join(past, file), join(folder, file));
    let id = '';
    await session(t, home, async (client) => {
      id = await refusedRollback(client);
      assert.equal(await refusedRollback(client), id);
      await assert.rejects(client.get(path), { code: 'LOCKED' });
      await assert.rejects(client.unlock([passphraseCredential()], { acceptRollback: `${id}0` }), {
        code: 'ROLLBACK',
      });
    });
    await session(t, home, async (client) => {
      await client.unlock([passphraseCredential()], { acceptRollback: id });
      assert.deepEqual(Buffer.from((await client.get(path)).value), Buffer.from('first'));
    });
    await session(
      t,
      home,
      unlocked((client) => client.set(path, bytesOf('third'))),
    );
  });

  test('A7: an older vault beside today’s header and key set is ROLLBACK at unlock', async (t) => {
    const { home, past } = await homeWithPast(t);
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${home.profile().vault}${suffix}`, { force: true });
    cpSync(join(past, 'vault.db'), home.profile().vault);
    await session(t, home, async (client) => {
      await refusedRollback(client);
    });
  });

  test('A7, A5: an audit without its tail shows at unlock, also when refused calls have put records in its place', async (t) => {
    const { home } = await homeWithPast(t);
    const audit = join(home.profile().audit, '0000000001.jsonl');
    const lines = readFileSync(audit, 'utf8').split('\n');
    writeFileSync(audit, `${lines.slice(0, -3).join('\n')}\n`);
    let id = '';
    await session(t, home, async (client) => {
      id = await refusedRollback(client);
      for (let call = 0; call < 20; call += 1) await assert.rejects(client.get(path), { code: 'LOCKED' });
      await assert.rejects(client.unlock([passphraseCredential()]), (error) => {
        assert(error instanceof HushError);
        assert.equal(error.code, 'INTEGRITY', error.message);
        assert.match(error.hint, new RegExp(id));
        return true;
      });
      await client.unlock([passphraseCredential()], { acceptRollback: id });
      assert.deepEqual(Buffer.from((await client.get(path)).value), Buffer.from('second'));
    });
    await session(
      t,
      home,
      unlocked(() => Promise.resolve()),
    );
  });
});
