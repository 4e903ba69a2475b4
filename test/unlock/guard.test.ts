import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { HushError } from '../../protocol/errors.ts';
import { createGuard, type Guard, type GuardTrouble } from '../../daemon/unlock/guard.ts';
import { keyCredential, passphraseCredential } from '../support/daemon.ts';

const wrongPassphrase = (): Promise<never> => Promise.reject(new HushError('WRONG_PASSPHRASE'));
const right = (): Promise<string> => Promise.resolve('opened');
const one = [passphraseCredential('guess')];
const key = [keyCredential(new Uint8Array(new ArrayBuffer(32)))];

/** Guards over one file, on a clock of the test; each stands for a daemon that was started anew. */
function guardsIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-guard-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const path = join(folder, 'backoff');
  const troubles: GuardTrouble[] = [];
  const time = { now: 0 };
  const start = (): Guard =>
    createGuard({
      path,
      clock: () => time.now,
      since: time.now,
      onTrouble: (trouble) => troubles.push(trouble),
    });
  const fail = async (guard: Guard, times: number, who = 'owner'): Promise<void> => {
    for (let count = 0; count < times; count += 1) {
      await assert.rejects(guard.attempt(who, one, wrongPassphrase), { code: 'WRONG_PASSPHRASE' });
    }
  };
  return { folder, path, troubles, time, start, fail };
}

describe('the guard of a profile', () => {
  test('A3: refuses without a try until the delay is served, and tells how long that is', async (t) => {
    const { start, fail, time } = guardsIn(t);
    const guard = start();
    await fail(guard, 3);
    let tries = 0;
    const counted = (): Promise<never> => {
      tries += 1;
      return wrongPassphrase();
    };
    const refused = { code: 'BACKOFF', retryAfterMs: 500, hint: /32-byte key or a recovery key/ };
    await assert.rejects(guard.attempt('owner', one, counted), refused);
    assert.throws(() => {
      guard.requireTurn('owner', one);
    }, refused);
    time.now += 499;
    await assert.rejects(guard.attempt('owner', one, counted), { code: 'BACKOFF', retryAfterMs: 1 });
    assert.equal(tries, 0);
    time.now += 1;
    assert.equal(await guard.attempt('owner', one, right), 'opened');
    assert.equal(await guard.attempt('owner', one, right), 'opened');
  });

  test('A3: what queues while an attempt runs does not get through with it', async (t) => {
    const { start } = guardsIn(t);
    const guard = start();
    let tries = 0;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        guard.attempt('owner', one, async () => {
          tries += 1;
          await Promise.resolve();
          return wrongPassphrase();
        }),
      ),
    );
    assert.equal(tries, 3);
    const codes = outcomes.map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as HushError).code : '',
    );
    assert.deepEqual(codes.slice(3), Array(17).fill('BACKOFF'));
  });

  test('each passphrase of an attempt counts', async (t) => {
    const { start } = guardsIn(t);
    const guard = start();
    const four = [...one, ...one, ...one, ...one];
    await assert.rejects(guard.attempt('owner', four, wrongPassphrase), { code: 'WRONG_PASSPHRASE' });
    await assert.rejects(guard.attempt('owner', one, right), { code: 'BACKOFF', retryAfterMs: 1000 });
  });

  test('A3: keys and recovery keys are not held up, and what they open is forgiven', async (t) => {
    const { start, fail, path } = guardsIn(t);
    const guard = start();
    await fail(guard, 3);
    for (let count = 0; count < 100; count += 1) {
      await assert.rejects(
        guard.attempt('owner', key, () => Promise.reject(new HushError('WRONG_KEY'))),
        {
          code: 'WRONG_KEY',
        },
      );
    }
    assert.equal(await guard.attempt('owner', key, right), 'opened');
    assert.equal(existsSync(path), false);
    assert.equal(await guard.attempt('owner', one, right), 'opened');
  });

  test('A3: a restart neither clears nor shortens a delay, even in the middle of an attempt', async (t) => {
    const { start, fail, time, path } = guardsIn(t);
    await fail(start(), 3);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    time.now += 400;
    const again = start();
    await assert.rejects(again.attempt('owner', one, right), { code: 'BACKOFF', retryAfterMs: 500 });
    time.now += 500;
    // The daemon is killed while Argon2id runs: nothing settles this attempt.
    const killed = again.attempt('owner', one, () => new Promise<never>(() => undefined));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(killed instanceof Promise);
    await assert.rejects(start().attempt('owner', one, right), { code: 'BACKOFF', retryAfterMs: 1000 });
  });

  test('A3: the delay of one identity does not hold another one up', async (t) => {
    const { start, fail } = guardsIn(t);
    const guard = start();
    await fail(guard, 3, 'operator:64102');
    assert.equal(await guard.attempt('owner', one, right), 'opened');
    await assert.rejects(guard.attempt('operator:64102', one, right), { code: 'BACKOFF' });
  });

  test('the delay counts from the end of an attempt, however long it took', async (t) => {
    const { start, fail, time } = guardsIn(t);
    const guard = start();
    await fail(guard, 2);
    const slow = guard.attempt('owner', one, () => {
      time.now += 60_000;
      return wrongPassphrase();
    });
    await assert.rejects(slow, { code: 'WRONG_PASSPHRASE' });
    await assert.rejects(guard.attempt('owner', one, right), { code: 'BACKOFF', retryAfterMs: 500 });
  });

  test('a damaged file costs everybody the longest delay, is told, and holds no key up', async (t) => {
    const { start, fail, time, path, troubles } = guardsIn(t);
    await fail(start(), 1);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"wrong":1', '"wrong":0'));
    const guard = start();
    await assert.rejects(guard.attempt('owner', one, right), { code: 'BACKOFF', retryAfterMs: 300_000 });
    assert.deepEqual(
      troubles.map(({ kind, error }) => [kind, error.code]),
      [['damaged', 'DAMAGED']],
    );
    assert.equal(await start().attempt('owner', key, right), 'opened');
    assert.equal(existsSync(path), false);
    time.now += 300_000;
    assert.equal(await guard.attempt('owner', one, right), 'opened');
  });

  test('a passphrase that cannot be counted on the disk is not tried, and a key is', async (t) => {
    const { start, folder } = guardsIn(t);
    const guard = start();
    rmSync(folder, { recursive: true });
    await assert.rejects(guard.attempt('owner', one, right), { code: 'UNAVAILABLE' });
    assert.equal(await guard.attempt('owner', key, right), 'opened');
  });

  test('a file of a newer format is refused by name before it is written over, and holds no key up', async (t) => {
    const { start, path, troubles } = guardsIn(t);
    writeFileSync(path, 'hushd-backoff 2\nwhatever\n', { mode: 0o600 });
    const guard = start();
    await assert.rejects(guard.attempt('owner', one, right), { code: 'NEWER_FORMAT' });
    assert.equal(await guard.attempt('owner', key, right), 'opened');
    assert.equal(readFileSync(path, 'utf8'), 'hushd-backoff 2\nwhatever\n');
    assert.deepEqual(
      troubles.map(({ kind, error }) => [kind, error.code]),
      [['unwritten', 'NEWER_FORMAT']],
    );
  });
});
