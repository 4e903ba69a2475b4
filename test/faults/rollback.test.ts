import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { serialiseHeader } from '../../daemon/keys/header.ts';
import { keyCredential, makeHome, startDaemon, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { secretsOf } from './keys.ts';
import { seededRandom } from './random.ts';

const patient = { deadlineMs: 60_000 };
const key = seededRandom(7).bytes(32);
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const path = 'global/secret';

/** A home on which a daemon runs with a locked profile, and what its files were yesterday. */
interface Scene {
  readonly home: TestHome;
  readonly daemon: TestDaemon;
  readonly client: HushClient;
  readonly yesterday: string;
}

const unlock = (client: HushClient, acceptRollback?: string) =>
  client.unlock([keyCredential(key)], acceptRollback === undefined ? {} : { acceptRollback });

/** Yesterday the secret was `old`, and the header of generation 1; today it is `new`, of 2, with one more DEK. */
async function scene(t: TestContext): Promise<Scene> {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await unlock(client);
  await client.set(path, text('old'));
  await client.lock();
  const yesterday = join(home.folder, '..', 'yesterday');
  cpSync(home.profile().folder, yesterday, { recursive: true });

  const { macKey } = await secretsOf(home.profile(), keyCredential(key));
  const { body } = readHeaderFile(home.profile().header);
  writeFileSync(home.profile().header, serialiseHeader({ ...body, generation: 2 }, macKey));
  await unlock(client);
  await client.set(path, text('new'));
  await client.call('keys.rotate', {});
  await client.lock();
  return { home, daemon, client, yesterday };
}

/** Puts files of yesterday in the place of today's. */
function putBack({ home, yesterday }: Scene, ...files: readonly string[]): void {
  const { folder } = home.profile();
  for (const file of readdirSync(folder))
    if (files.some((name) => file.startsWith(name))) rmSync(join(folder, file));
  for (const file of readdirSync(yesterday)) {
    if (files.some((name) => file.startsWith(name))) cpSync(join(yesterday, file), join(folder, file));
  }
}

/** The id of the rollback that unlock is refused with, twice the same. */
async function refused({ client }: Scene): Promise<string> {
  const ids = new Set<string>();
  for (let time = 0; time < 2; time += 1) {
    const error: unknown = await unlock(client).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof HushError, 'it was unlocked');
    assert.equal(error.code, 'ROLLBACK', error.message);
    ids.add(/--accept-rollback (\S+)/.exec(error.hint)?.[1] ?? assert.fail(error.hint));
  }
  const [id, second] = [...ids];
  assert.ok(id !== undefined && second === undefined, 'the id of a finding stays');
  return id;
}

/** Takes the rollback; the profile then works, also after the next lock. */
async function accept({ client }: Scene, id: string, expected: string): Promise<void> {
  await unlock(client, id);
  assert.equal(Buffer.from((await client.get(path)).value).toString(), expected);
  await client.set(path, text('newer'));
  await client.lock();
  await unlock(client);
  assert.equal(Buffer.from((await client.get(path)).value).toString(), 'newer');
}

describe('A7: files of yesterday over those of today', () => {
  for (const { files, expected } of [
    { files: ['vault.db'], expected: 'old' },
    { files: ['keyset'], expected: 'new' },
    { files: ['header'], expected: 'new' },
    { files: ['vault.db', 'keyset'], expected: 'old' },
    { files: ['header', 'vault.db', 'keyset'], expected: 'old' },
  ]) {
    test(`${files.join(' and ')}: refused as ROLLBACK until an operator takes it by its id`, async (t) => {
      const today = await scene(t);
      putBack(today, ...files);
      const id = await refused(today);
      await assert.rejects(today.client.get(path), { code: 'LOCKED' });
      await accept(today, id, expected);
    });
  }

  test('a refused rollback changes nothing: with the newer files back, the profile opens as before', async (t) => {
    const today = await scene(t);
    const { home, client } = today;
    const kept = join(home.folder, '..', 'today');
    cpSync(home.profile().folder, kept, { recursive: true });
    putBack(today, 'vault.db', 'header');
    await refused(today);
    putBack({ ...today, yesterday: kept }, 'vault.db', 'header');
    await unlock(client);
    assert.equal(Buffer.from((await client.get(path)).value).toString(), 'new');
  });

  test('the id of one finding accepts no other', async (t) => {
    const today = await scene(t);
    putBack(today, 'keyset');
    const ofKeyset = await refused(today);
    putBack(today, 'vault.db');
    const ofVault = await refused(today);
    assert.notEqual(ofKeyset, ofVault);
    await assert.rejects(unlock(today.client, ofKeyset), { code: 'ROLLBACK' });
    await accept(today, ofVault, 'old');
  });
});

describe('A7: several things that were put back', () => {
  const vaultAndHeader = /the vault is older than the audit: .*; the header is older than the audit: /;

  test('are all told at once, and the id of some of them accepts no others', async (t) => {
    const today = await scene(t);
    putBack(today, 'vault.db');
    const ofVault = await refused(today);
    putBack(today, 'header');
    await assert.rejects(unlock(today.client, ofVault), { code: 'ROLLBACK', message: vaultAndHeader });
    const ofBoth = await refused(today);
    putBack(today, 'keyset');
    await assert.rejects(unlock(today.client), { code: 'ROLLBACK', message: vaultAndHeader });
    await accept(today, ofBoth, 'old');
  });

  test('show behind an audit without its tail, and behind one that was changed', async (t) => {
    const today = await scene(t);
    const { home } = today;
    await today.daemon.stop();
    putBack(today, 'header');
    const audit = join(home.profile().audit, chainFileName);
    const lines = readFileSync(audit, 'utf8').split('\n');
    writeFileSync(audit, `${lines.slice(0, -4).join('\n')}\n`);
    const client = await (await startDaemon(t, home)).connect(patient);
    const message = /^the audit lacks its tail: .*; the header is older than the audit: /;
    await assert.rejects(unlock(client), { code: 'ROLLBACK', message });
    // Refused unlocks have put other records in its place by now.
    for (let call = 0; call < 5; call += 1) await assert.rejects(client.get(path), { code: 'LOCKED' });
    await assert.rejects(unlock(client), {
      code: 'INTEGRITY',
      message: /^the audit was tampered with: .*; the header is older than the audit: /,
    });
  });

  test('and were taken are under seal by the time of the reply: the same header once more is a rollback once more', async (t) => {
    const today = await scene(t);
    putBack(today, 'header', 'vault.db', 'keyset');
    await unlock(today.client, await refused(today));
    await today.daemon.kill();
    putBack(today, 'header');
    const client = await (await startDaemon(t, today.home)).connect(patient);
    await assert.rejects(unlock(client), { code: 'ROLLBACK', message: /the header is older than the audit/ });
  });
});

describe('A5, A7: an audit that lacks what the vault remembers', () => {
  test('a deleted audit is named, and can be accepted by its id', async (t) => {
    const today = await scene(t);
    rmSync(today.home.profile().audit, { recursive: true });
    await assert.rejects(unlock(today.client), {
      code: 'ROLLBACK',
      message: /the audit lacks its tail: it ends at record \d+/,
    });
    await accept(today, await refused(today), 'new');
  });

  test('an audit that is deleted while no daemon runs is named at the next unlock', async (t) => {
    const { home, daemon } = await scene(t);
    await daemon.stop();
    rmSync(home.profile().audit, { recursive: true });
    const next = await startDaemon(t, home);
    const client = await next.connect(patient);
    await assert.rejects(unlock(client), { code: 'ROLLBACK', message: /the audit lacks its tail/ });
  });
});
