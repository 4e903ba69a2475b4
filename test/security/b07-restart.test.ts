import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createCryptoProvider } from '../../client/index.ts';
import type { HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import { keyCredential, makeHome, startDaemon, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';

const key = new Uint8Array(new ArrayBuffer(32)).fill(5);
const credentials = [keyCredential(key)];
const names = Array.from({ length: 40 }, (_, index) => `global/name-${index}`);
const valueOf = (name: string): string => `the value of ${name} and of nothing else`;

/** What calls came to while the daemon went away. */
interface Tally {
  served: number;
  readonly refusals: Map<string, number>;
}

/** Waits for one call: its own result, or a typed refusal that says that the daemon is gone or locked. */
async function tallied(tally: Tally, call: Promise<string>, own: string): Promise<void> {
  try {
    assert.equal(await call, own);
    tally.served++;
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    // DEADLINE would mean that a caller has waited for a daemon that was gone.
    assert.ok(['UNREACHABLE', 'LOCKED'].includes(error.code), `${error.code}: ${error.message}`);
    tally.refusals.set(error.code, (tally.refusals.get(error.code) ?? 0) + 1);
  }
}

async function start(t: TestContext): Promise<{ home: TestHome; daemon: TestDaemon; client: HushClient }> {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock(credentials);
  return { home, daemon, client };
}

describe('B7: a daemon that restarts under a busy client', () => {
  for (const way of ['kill', 'stop'] as const) {
    test(`B7: after ${way === 'kill' ? 'kill -9' : 'SIGTERM'} each call has its own result or a typed error at once, and works again by itself after unlock`, async (t) => {
      const { home, daemon, client } = await start(t);
      for (const name of names) await client.set(name, utf8(valueOf(name)));
      const tally: Tally = { served: 0, refusals: new Map() };
      const get = async (name: string): Promise<string> => textOf((await client.get(name)).value);
      let isBusy = true;
      const workers = names.flatMap((name) =>
        Array.from({ length: 4 }, async () => {
          while (isBusy) {
            await tallied(tally, get(name), valueOf(name));
            // Leaves the loop to others: a refusal that comes at once would otherwise starve it.
            await new Promise((resolve) => setImmediate(resolve));
          }
        }),
      );
      const served = tally.served;
      await get('global/name-0');
      await daemon[way]();
      const next = await startDaemon(t, home);
      await assert.rejects(get('global/name-0'), { code: 'LOCKED' });
      const other = await next.connect();
      await other.unlock(credentials);
      const before = tally.served;
      while (tally.served < before + 2 * names.length) await get('global/name-1');
      isBusy = false;
      await Promise.all(workers);
      assert.ok(before > served, 'calls were under way before');
      assert.ok((tally.refusals.get('UNREACHABLE') ?? 0) > 0, 'calls were made while it was gone');
      assert.ok((tally.refusals.get('LOCKED') ?? 0) > 0, 'calls were made while it was locked');
    });
  }

  test('B7: writes in flight at kill -9 are there, or not, and those acknowledged are there', async (t) => {
    const { home, daemon, client } = await start(t);
    const acknowledged = new Set<string>();
    const writes = Array.from({ length: 200 }, async (_, index) => {
      const name = `global/write-${index}`;
      try {
        await client.set(name, utf8(valueOf(name)));
        acknowledged.add(name);
        if (acknowledged.size === 20) daemon.signal('SIGKILL');
      } catch (error) {
        assert.ok(error instanceof HushError);
        assert.equal(error.code, 'UNREACHABLE');
      }
    });
    await Promise.all(writes);
    await daemon.kill();
    const next = await startDaemon(t, home);
    assert.ok(next.pid !== daemon.pid);
    await client.unlock(credentials);
    const found = new Set<string>();
    for await (const { path } of client.list()) found.add(path);
    for (const name of acknowledged) assert.ok(found.has(name), `${name} was acknowledged`);
    for (const name of found) assert.equal(textOf((await client.get(name)).value), valueOf(name));
  });

  test('B7: the platform is told of the end and of the return, and its handles open as before', async (t) => {
    const { home, daemon } = await start(t);
    const provider = await createCryptoProvider({ socket: daemon.socket, env: {} });
    t.after(() => {
      provider.close();
    });
    const context = (index: number) => ({ namespace: 'settings', key: `key-${index}` });
    const handles = await Promise.all(
      names.map((name, index) => provider.encrypt(valueOf(name), context(index))),
    );
    const digest = provider.digest('the same');
    const gone = new Promise<void>((resolve) => {
      provider.on('disconnect', resolve);
    });
    const back = new Promise<void>((resolve) => {
      provider.on('reconnect', resolve);
    });
    const tally: Tally = { served: 0, refusals: new Map() };
    const decryptAll = (): Promise<unknown> =>
      Promise.all(
        handles.map((handle, index) =>
          tallied(tally, provider.decrypt(handle, context(index)), valueOf(names[index] ?? '')),
        ),
      );
    const first = decryptAll();
    await daemon.kill();
    await first;
    await gone;
    await decryptAll();
    assert.ok((tally.refusals.get('UNREACHABLE') ?? 0) >= handles.length);
    const next = await startDaemon(t, home);
    await (await next.connect()).unlock(credentials);
    await back;
    tally.served = 0;
    await decryptAll();
    assert.equal(tally.served, handles.length);
    assert.equal(provider.digest('the same'), digest);
  });
});
