import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CryptoContext, CryptoHandle, ErrorCode, ICryptoProvider } from '../../client/index.ts';
import {
  cleanEnvironment,
  makeHome,
  passphraseCredential,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.ts';
import { installPackage } from '../support/installed-package.ts';

const program = fileURLToPath(new URL('platform-program.js', import.meta.url));

/** The provider waits so long for an answer; what is refused "at once" comes long before. */
const deadlineMs = 60_000;
const atOnceMs = deadlineMs / 4;

interface Failure {
  readonly typed: boolean;
  readonly code: string;
  readonly message: string;
  readonly tookMs: number;
}
type Answer = { readonly id: number } & ({ readonly ok: unknown } | { readonly error: Failure });
type Message = Answer | { readonly event: 'disconnect' | 'reconnect' };

/** What the program can do, asked of it over its channel. */
interface Platform extends Pick<ICryptoProvider, 'encrypt' | 'decrypt' | 'rotateKey'> {
  start(options: object): Promise<{ vaultId: string; operations: string[] }>;
  digest(plain: string): Promise<string>;
  /** Resolves at the next event of this name. */
  told(event: 'disconnect' | 'reconnect'): Promise<void>;
}

/** Puts the program, and the package that it imports, into a folder outside the repository; answers its path there. */
async function installProgram(t: TestContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-platform-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  await installPackage(folder);
  const copy = join(folder, 'program.js');
  copyFileSync(program, copy);
  return copy;
}

/** The answer to a call that failed in the other process. */
class Refusal extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(`${failure.code}: ${failure.message}`);
    this.failure = failure;
  }
}

const startPlatform = (t: TestContext, path: string): Platform => {
  const child = fork(path, { env: cleanEnvironment(), serialization: 'json' });
  t.after(() => child.kill('SIGKILL'));
  let lastId = 0;
  const waiting = new Map<number, { resolve(value: unknown): void; reject(reason: Error): void }>();
  child.on('message', (message) => {
    // The program sends nothing else.
    const answer = message as Message;
    if ('event' in answer) {
      child.emit(`hushd ${answer.event}`);
      return;
    }
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('ok' in answer) call?.resolve(answer.ok);
    else call?.reject(new Refusal(answer.error));
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the program ended'));
  });
  const ask = async (name: string, ...args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      child.send({ id: lastId, name, args });
    });
  // Each result is what the function of that name gives in platform-program.js.
  return {
    start: (options) => ask('start', options) as ReturnType<Platform['start']>,
    encrypt: (plain, context) => ask('encrypt', plain, context) as Promise<CryptoHandle>,
    decrypt: (handle, context) => ask('decrypt', handle, context) as Promise<string>,
    rotateKey: (handle, context) => ask('rotateKey', handle, context) as Promise<CryptoHandle>,
    digest: (plain) => ask('digest', plain) as Promise<string>,
    told: async (event) => {
      await once(child, `hushd ${event}`);
    },
  };
};

/** Holds if the call is refused with this code, by a HushError of the package that names hushd, without a wait. */
async function refusedAtOnce(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(call, (error) => {
    assert(error instanceof Refusal, String(error));
    const { typed, code: given, message, tookMs } = error.failure;
    assert.deepEqual({ typed, code: given }, { typed: true, code }, message);
    assert.match(message, /hushd/);
    assert(tookMs < atOnceMs, `it took ${tookMs} ms`);
    return true;
  });
}

async function unlock(daemon: TestDaemon): Promise<void> {
  const client = await daemon.connect();
  await client.unlock([passphraseCredential()]);
  client.close();
}

const smtp: CryptoContext = { namespace: 'mail', key: 'smtp_password', tenantId: 'acme' };
const plain = 'ключ 🔑 "quoted"\n';

describe("a platform's process that has nothing but the package's public exports", () => {
  test('keeps its secrets sealed over restarts of the daemon, and is refused by name when it cannot', async (t) => {
    const platform = startPlatform(t, await installProgram(t));
    const home = makeHome(t);
    const vaultId = await home.init();
    const options = { socket: home.paths.socket, deadlineMs };

    await t.test('gets no provider without a daemon', async () => {
      await refusedAtOnce(platform.start(options), 'UNREACHABLE');
    });

    const first = await startDaemon(t, home);
    await t.test('gets no provider from a locked daemon', async () => {
      await refusedAtOnce(platform.start(options), 'LOCKED');
    });

    await unlock(first);
    const started = await platform.start(options);
    assert.equal(started.vaultId, vaultId);
    assert(started.operations.includes('crypto.encrypt'));
    const handle = await platform.encrypt(plain, smtp);
    const digest = await platform.digest(plain);

    await t.test('is refused while the daemon is gone', async () => {
      const gone = platform.told('disconnect');
      await first.stop();
      await gone;
      await refusedAtOnce(platform.decrypt(handle, smtp), 'UNREACHABLE');
      await refusedAtOnce(platform.encrypt(plain, smtp), 'UNREACHABLE');
    });

    const second = await startDaemon(t, home);
    await t.test('decrypts after the daemon was restarted and unlocked', async () => {
      await refusedAtOnce(platform.decrypt(handle, smtp), 'LOCKED');
      const back = platform.told('reconnect');
      await unlock(second);
      await back;
      assert.equal(await platform.decrypt(handle, smtp), plain);
      assert.equal(await platform.digest(plain), digest);
    });

    await t.test('rotates to the same id, the next version and the newest key', async () => {
      const operator = await second.connect();
      const { kmsKeyId } = await operator.call('keys.rotate', {});
      const rotated = await platform.rotateKey(handle, smtp);
      assert.deepEqual(
        { id: rotated.id, version: rotated.version, kmsKeyId: rotated.kmsKeyId },
        { id: handle.id, version: handle.version + 1, kmsKeyId },
      );
      assert.notEqual(rotated.ciphertext, handle.ciphertext);
      assert.equal(await platform.decrypt(rotated, smtp), plain);
      assert.equal(await platform.decrypt(handle, smtp), plain);
    });

    await t.test('is refused with the wrong namespace, key, tenant or id', async () => {
      const other = await platform.encrypt('another value', smtp);
      const wrong: readonly (readonly [CryptoHandle, CryptoContext])[] = [
        [handle, { ...smtp, namespace: 'sms' }],
        [handle, { ...smtp, key: 'imap_password' }],
        [handle, { ...smtp, tenantId: 'other' }],
        [{ ...handle, id: other.id }, smtp],
        [{ ...handle, ciphertext: other.ciphertext }, smtp],
      ];
      for (const [given, context] of wrong) {
        await refusedAtOnce(platform.decrypt(given, context), 'INTEGRITY');
        await refusedAtOnce(platform.rotateKey(given, context), 'INTEGRITY');
      }
      assert.equal(await platform.decrypt(handle, { namespace: smtp.namespace, key: smtp.key }), plain);
    });

    await t.test('is refused after lock', async () => {
      const operator = await second.connect();
      await operator.lock();
      await refusedAtOnce(platform.decrypt(handle, smtp), 'LOCKED');
      await refusedAtOnce(platform.encrypt(plain, smtp), 'LOCKED');
      await refusedAtOnce(platform.rotateKey(handle, smtp), 'LOCKED');
      assert.equal(await platform.digest(plain), digest);
    });

    await t.test('is refused when the daemon was killed', async () => {
      await second.kill();
      await refusedAtOnce(platform.decrypt(handle, smtp), 'UNREACHABLE');
    });
  });
});
