import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { delayAfter, ownRule } from '../../daemon/unlock/backoff.ts';
import { keyCredential, makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';
import { recordsIn } from './facts.ts';
import { daemonUser, otherUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet } from './wire.ts';

const key = keyCredential(new Uint8Array(new ArrayBuffer(32)).fill(7));
const wrong = passphraseCredential('not this one');
const plenty = '[unlock]\nrate = 100000\nburst = 100000\n';

/** What an unlock came to: its code, and how long to wait. */
async function attempt(
  client: HushClient,
  credential: Parameters<HushClient['unlock']>[0][number] = wrong,
): Promise<{ readonly code: string; readonly wait: number }> {
  try {
    await client.unlock([credential]);
    return { code: 'ok', wait: 0 };
  } catch (error) {
    assert.ok(error instanceof HushError);
    return { code: error.code, wait: error.retryAfterMs ?? 0 };
  }
}

async function attempts(client: HushClient, times: number): Promise<string[]> {
  const codes: string[] = [];
  for (let count = 0; count < times; count += 1) codes.push((await attempt(client)).code);
  return codes;
}

describe('A3: wrong passphrases', () => {
  test('A3: wait longer each time, over lock, new connections and kill -9, hold up no other profile and no key', async (t) => {
    const home = makeHome(t);
    await home.init('default', [passphraseCredential(), key]);
    await home.init('other');
    home.configure(plenty);
    let daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    assert.deepEqual(await attempts(client, 3), Array(3).fill('WRONG_PASSPHRASE'));
    // Four more in one attempt, once that has its turn.
    await delay((await attempt(client, passphraseCredential())).wait);
    await assert.rejects(client.unlock([wrong, wrong, wrong, wrong]), { code: 'WRONG_PASSPHRASE' });
    const first = await attempt(client, passphraseCredential());
    assert.equal(first.code, 'BACKOFF', 'the right passphrase waits too');
    assert.ok(first.wait > 1_000 && first.wait <= delayAfter(7, ownRule), `${first.wait} ms`);

    await client.lock();
    assert.equal((await attempt(client)).code, 'BACKOFF');
    assert.equal((await attempt(await daemon.connect())).code, 'BACKOFF');
    const other = await daemon.connect({ profile: 'other' });
    assert.equal((await attempt(other)).code, 'WRONG_PASSPHRASE');
    assert.equal((await attempt(other, passphraseCredential())).code, 'ok');
    assert.equal((await attempt(client)).code, 'BACKOFF', 'a success elsewhere clears nothing here');
    assert.equal(statSync(home.profile().backoff).mode & 0o777, 0o600);
    assert.ok(!existsSync(home.profile('other').backoff));

    await daemon.kill();
    daemon = await startDaemon(t, home);
    const again = await daemon.connect();
    const served = await attempt(again);
    assert.equal(served.code, 'BACKOFF', 'it is served again after a restart');
    assert.ok(served.wait > 1_000);
    assert.equal((await attempt(again, key)).code, 'ok', 'a 32-byte key is not held up');
    await again.lock();
    assert.equal((await attempt(again, passphraseCredential())).code, 'ok', 'a success clears it');

    const records = recordsIn(home.profile().audit).filter(({ event }) => event === 'unlock');
    const outcomes = records.map(({ outcome, code }) => `${outcome} ${code ?? ''}`);
    assert.equal(outcomes.filter((text) => text === 'failed WRONG_PASSPHRASE').length, 4);
    assert.equal(outcomes.filter((text) => text === 'denied BACKOFF').length, 6);
  });

  test('A3: of 1,000, given over many connections and four daemons, only those are tried whose time has come', async (t) => {
    const home = makeHome(t);
    await home.init('default', [passphraseCredential(), key]);
    home.configure(plenty);
    const begun = performance.now();
    const counts = new Map<string, number>();
    let last: HushClient | undefined;
    for (let life = 0; life < 4; life += 1) {
      const daemon = await startDaemon(t, home);
      for (let connection = 0; connection < 25; connection += 1) {
        const client = await daemon.connect();
        const codes = await Promise.all(Array.from({ length: 10 }, async () => (await attempt(client)).code));
        for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
        if (life === 3) last = client;
        else client.close();
      }
      if (life < 3) await daemon.kill();
    }
    const elapsed = performance.now() - begun;
    const tried = counts.get('WRONG_PASSPHRASE') ?? 0;
    assert.equal(tried + (counts.get('BACKOFF') ?? 0) + (counts.get('LIMIT_EXCEEDED') ?? 0), 1_000);
    let owed = 0;
    for (let count = 0; count < tried; count += 1) owed += delayAfter(count, ownRule);
    assert.ok(tried >= 3 && owed <= elapsed, `${tried} tried in ${elapsed} ms`);
    assert.ok(last !== undefined);
    assert.equal((await attempt(last, key)).code, 'ok');
  });

  test('A3: of a change of slots wait as well', async (t) => {
    const home = makeHome(t);
    await home.init('default', [passphraseCredential(), key]);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([key]);
    const { slots } = await client.call('slot.list', {});
    const group = (credential: typeof wrong | typeof key): Promise<unknown> =>
      client.call('slot.group', { credentials: [credential], slots: slots.map(({ id }) => id) });
    for (let count = 0; count < 3; count += 1)
      await assert.rejects(group(wrong), { code: 'WRONG_PASSPHRASE' });
    await assert.rejects(group(wrong), { code: 'BACKOFF' });
    await group(key);
  });

  test('A3: of one user do not hold another one up', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const home = makeHome(t);
    await home.init();
    home.configure(`[operators]\nuids = [${otherUser}]\n`);
    const { socket } = await startOpenToAll(t, home);
    const guesser = await greet(await wireAs(t, socket, { uid: otherUser }));
    const unlock = (credential: typeof wrong) => ({ profile: 'default', credentials: [credential] });
    const codes: string[] = [];
    for (let count = 0; count < 4; count += 1) codes.push(codeOf(await guesser.ask('unlock', unlock(wrong))));
    assert.deepEqual(codes, [...Array<string>(3).fill('WRONG_PASSPHRASE'), 'BACKOFF']);
    const own = await greet(await wireAs(t, socket, { uid: daemonUser }));
    assert.equal(codeOf(await own.ask('unlock', unlock(passphraseCredential()))), 'ok');
  });
});
