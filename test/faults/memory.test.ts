import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import { startDaemon, keyCredential, makeHome, passphraseCredential } from '../support/daemon.ts';
import { untilAnswer } from '../support/poll.ts';
import { scanMemory, type Found, type Secret } from './image.ts';
import { secretsOf } from './keys.ts';

const patient = { deadlineMs: 60_000 };
const secretCount = 100;
const reads = 1000;
const place = (index: number) => ({
  keyring: index % 2 === 0 ? 'default' : 'other',
  namespace: 'faults',
  key: `k${index}`,
});

const skip = process.getuid?.() === 0 ? false : 'only root can read the memory of another process';

/** Random bytes of a secret, 32 to 2,000 of them. */
const distinctive = (): Uint8Array<ArrayBuffer> =>
  new Uint8Array(randomBytes(32 + (randomBytes(2).readUInt16LE() % 1969)));

/** What the daemon was given to keep while it worked. */
async function work(client: HushClient): Promise<Secret[]> {
  const values: Secret[] = [];
  for (let index = 0; index < secretCount; index += 1) {
    const bytes = distinctive();
    values.push({ name: `value ${index}`, bytes });
    await client.set(`global/secret${index}`, bytes);
  }
  for (let index = 0; index < reads; index += 1) await client.get(`global/secret${index % secretCount}`);
  const plaintexts: Secret[] = [];
  for (let index = 0; index < secretCount; index += 1) {
    const bytes = distinctive();
    plaintexts.push({ name: `plaintext ${index}`, bytes });
    const tenant = index % 5 === 0 ? { tenant: 'acme' } : {};
    const { handle } = await client.call('crypto.encrypt', { ...place(index), ...tenant, plaintext: bytes });
    const rotated = await client.call('crypto.rotate', { ...place(index), ...tenant, handle });
    await client.call('crypto.decrypt', { ...place(index), ...tenant, handle: rotated.handle });
    if (index === 50) await client.call('keys.rotate', {});
  }
  const items = Array.from({ length: 20 }, (_, index) => ({
    op: 'secret.get' as const,
    params: { path: `global/secret${index}` },
  }));
  await client.batch(items);
  await client.call('crypto.digestKey', { keyring: 'default' });
  return [...values, ...plaintexts];
}

const report = (found: readonly Found[]): string =>
  `${found.length} found\n${found
    .slice(0, 60)
    .map(({ name, form, address }) => `${name}, ${form}, at ${address}`)
    .join('\n')}`;

describe('A16: a full image of the daemon', { skip }, () => {
  for (const by of ['passphrase', 'HUSH_MASTER_KEY'] as const) {
    test(`holds no secret after ${by === 'passphrase' ? 'lock' : 'SIGUSR2'}, unlocked by ${by}`, async (t) => {
      const { daemon, credential, secret } = await startWith(t, by);
      const client = await daemon.connect(patient);
      const wrong = passphraseCredential(randomBytes(24).toString('base64'));
      if (by === 'passphrase') {
        await assert.rejects(client.unlock([wrong]), { code: 'WRONG_PASSPHRASE' });
        await client.unlock([credential]);
      }
      const kept = [...(await work(client)), { name: 'wrong passphrase', bytes: wrong.secret }];
      const { all } = await secretsOf(daemon.home.profile(), credential);
      const keys = [...all].map(([name, bytes]): Secret => ({ name, bytes }));
      const unlockSecret = { name: by, bytes: secret };

      const open = scanMemory(daemon.pid, [unlockSecret, ...kept]);
      const names = new Set(open.found.map(({ name }) => name));
      assert.ok(names.has('value 7'), 'a cached value is found while the profile is open: the scan works');
      assert.ok(!names.has(by), `the ${by} is gone as soon as it has opened the profile`);

      if (by === 'passphrase') await client.lock();
      else {
        daemon.signal('SIGUSR2');
        await untilAnswer(
          async () => (await client.status()).profiles[0]?.state,
          (state) => state === 'locked',
        );
      }
      const { found, bytes, unreadable } = scanMemory(daemon.pid, [unlockSecret, ...kept, ...keys]);
      assert.equal(found.length, 0, report(found));
      assert.ok(bytes > 32 * 1024 * 1024, 'the whole process was looked through');
      t.diagnostic(`${bytes} bytes looked through, unreadable: ${unreadable.join(', ')}`);
    });
  }
});

async function startWith(t: TestContext, by: 'passphrase' | 'HUSH_MASTER_KEY') {
  const home = makeHome(t);
  const key = new Uint8Array(randomBytes(32));
  const text = randomBytes(24).toString('base64');
  await home.init('default', [passphraseCredential(text), keyCredential(key)]);
  if (by === 'passphrase') {
    const credential = passphraseCredential(text);
    return { daemon: await startDaemon(t, home), credential, secret: credential.secret };
  }
  const env = { HUSH_MASTER_KEY: Buffer.from(key).toString('base64') };
  const daemon = await startDaemon(t, home, { env });
  assert.deepEqual(daemon.listening['unlock'], { profile: 'default', outcome: 'unlocked' });
  return { daemon, credential: keyCredential(key), secret: key };
}
