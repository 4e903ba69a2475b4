import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { cryptoProviderFromEnv, LocalCryptoProvider } from '../../../client/index.ts';
import type { HushError } from '../../../client/index.ts';
import { coded } from '../coded.ts';
import { ask, prepare } from './ask.ts';

const isRoot = process.getuid?.() === 0;
const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** A home of a developer, and where the key file then is. */
function developer(t: TestContext): { home: string; file: string; env: Record<string, string> } {
  const home = mkdtempSync(join(tmpdir(), 'hush-developer-'));
  t.after(() => {
    rmSync(home, { recursive: true, force: true });
  });
  const file = join(home, '.local/share/hushd/development.key');
  return { home, file, env: { HOME: home, NODE_ENV: 'development' } };
}

/** Everything below a folder. */
const allBelow = (folder: string): string[] => readdirSync(folder, { recursive: true }).map(String).sort();

describe('the development key file', () => {
  test('is made outside production, kept, and announced on standard error', async (t) => {
    const { home, file, env } = developer(t);
    const first = await ask(env);
    assert.match(first.kmsKeyId ?? '', /^local:[0-9a-f]{16}$/);
    assert.match(
      first.stderr,
      /^hushd: made a key for development, and keeps it in .*development\.key: [^\n]*\n$/,
    );
    assert.deepEqual([modeOf(file), modeOf(dirname(file))], [0o600, 0o700]);
    assert.deepEqual(readdirSync(dirname(file)), ['development.key']);
    assert.match(readFileSync(file, 'utf8'), /^[0-9a-f]{64}\n$/);
    assert(!first.stderr.includes(readFileSync(file, 'utf8').trim()));

    const again = await ask({ ...env, NODE_ENV: 'test' });
    assert.equal(again.kmsKeyId, first.kmsKeyId);
    assert.match(again.stderr, /^hushd: seals with the key for development in [^\n]*\n$/);
    assert.equal(new LocalCryptoProvider({ keyFile: file }).kmsKeyId, first.kmsKeyId);

    const named = join(home, 'mine', 'dev.key');
    const other = await ask(env, { options: { developmentKeyFile: named } });
    assert.notEqual(other.kmsKeyId, first.kmsKeyId);
    assert.equal(new LocalCryptoProvider({ keyFile: named }).kmsKeyId, other.kmsKeyId);
    const data = { ...env, XDG_DATA_HOME: join(home, 'data') };
    assert.match((await ask(data)).stderr, /data\/hushd\/development\.key/);
  });

  test('B8: is neither made nor taken in production, nor where NODE_ENV says nothing', async (t) => {
    const { home, file, env } = developer(t);
    const stages: readonly Record<string, string>[] = [
      { NODE_ENV: 'production' },
      { NODE_ENV: '' },
      { NODE_ENV: 'staging' },
      {},
    ];
    const assertRefused = async (): Promise<void> => {
      for (const stage of stages) {
        const { code, name, message, stderr } = await ask({ HOME: home, ...stage });
        const expected = { code: 'NO_STABLE_KEY', name: 'NoStableKeyError', stderr: '' };
        assert.deepEqual({ code, name, stderr }, expected);
        for (const way of ['HUSH_SOCKET', 'OS_SECRET_KEY ', 'OS_SECRET_KEY_FILE'])
          assert(message?.includes(way));
      }
    };
    await assertRefused();
    const unwanted = cryptoProviderFromEnv({ env, developmentKeyFile: false });
    await assert.rejects(unwanted, coded('NO_STABLE_KEY'));
    assert.deepEqual(readdirSync(home), [], 'nothing was made');
    await ask(env);
    await assertRefused();
    const stable = await ask({ HOME: home, NODE_ENV: 'production', OS_SECRET_KEY_FILE: file });
    assert.equal(
      stable.kmsKeyId,
      (await ask(env)).kmsKeyId,
      'named on purpose, it is a key file like any other',
    );
  });

  test('B8: a container that has lost its key file gets no new key in production', async (t) => {
    const { home, file, env } = developer(t);
    await ask(env);
    rmSync(dirname(file), { recursive: true });
    const before = allBelow(home);
    const production = { HOME: home, NODE_ENV: 'production' };
    const lost = await ask({ ...production, OS_SECRET_KEY_FILE: file });
    assert.equal(lost.code, 'BAD_REQUEST');
    assert.match(lost.message ?? '', /does not exist/);
    const ephemeralKeyForTests = true;
    assert.equal((await ask(production, { options: { ephemeralKeyForTests } })).code, 'NO_STABLE_KEY');
    for (const given of [{ OS_SECRET_KEY_FILE: file }, { OS_SECRET_KEY: 'ab'.repeat(32) }]) {
      const asked = cryptoProviderFromEnv({ env: { ...production, ...given }, ephemeralKeyForTests });
      await assert.rejects(asked, coded('NO_STABLE_KEY', /ephemeral/));
    }
    assert.deepEqual(allBelow(home), before);
  });

  test('is one and the same for processes that start at the same moment', async (t) => {
    const { file, env } = developer(t);
    for (let round = 0; round < 3; round += 1) {
      const ready = await Promise.all(Array.from({ length: 5 }, () => prepare(env)));
      const answers = await Promise.all(ready.map((go) => go()));
      const ids = new Set(answers.map(({ kmsKeyId }) => kmsKeyId));
      assert.deepEqual([...ids], [new LocalCryptoProvider({ keyFile: file }).kmsKeyId]);
      assert.equal(answers.filter(({ stderr }) => stderr.includes('made a key')).length, 1);
      assert.deepEqual(readdirSync(dirname(file)), ['development.key']);
      rmSync(dirname(file), { recursive: true });
    }
  });

  test('that is empty, cut short or malformed is an error, and stays as it is', async (t) => {
    const { file, env } = developer(t);
    await ask(env);
    const whole = readFileSync(file);
    for (const text of [
      '',
      '\n',
      'hunter2',
      whole.subarray(0, 40),
      `${whole.toString()}\n`,
      'x'.repeat(70),
    ]) {
      truncateSync(file);
      writeFileSync(file, text);
      const asked = cryptoProviderFromEnv({ env });
      await assert.rejects(asked, coded('BAD_REQUEST', /development key file .* is not a key/));
      assert.deepEqual(readFileSync(file), Buffer.from(text));
    }
  });

  test(
    'that cannot be read is an error, and no fresh key is put beside it',
    { skip: !isRoot && 'only root can be another user' },
    async (t) => {
      const { home, file, env } = developer(t);
      const uid = 1234;
      chmodSync(home, 0o755);
      mkdirSync(dirname(file), { recursive: true });
      for (const path of ['.local', '.local/share', '.local/share/hushd'])
        chownSync(join(home, path), uid, uid);
      chmodSync(dirname(file), 0o700);
      writeFileSync(file, `${'ab'.repeat(32)}\n`, { mode: 0o000 });
      chownSync(file, uid, uid);
      const { code, message } = await ask(env, { uid });
      assert.equal(code, 'UNAVAILABLE');
      assert.match(message ?? '', /cannot be read: EACCES/);
      assert.deepEqual(readdirSync(dirname(file)), ['development.key']);

      rmSync(file);
      chmodSync(dirname(file), 0o500);
      const unwritable = await ask(env, { uid });
      assert.equal(unwritable.code, 'UNAVAILABLE');
      assert.match(unwritable.message ?? '', /cannot be made: EACCES/);
      const elsewhere = await ask({ ...env, HOME: '/' }, { uid });
      assert.equal(elsewhere.code, 'UNAVAILABLE');
    },
  );

  test('A14: that others can reach, in a folder that they can reach, or by a link is refused', async (t) => {
    const { file, env } = developer(t);
    const { kmsKeyId } = await ask(env);
    const refused = async (hint: RegExp): Promise<void> => {
      await assert.rejects(cryptoProviderFromEnv({ env }), (error: HushError) => {
        assert.match(error.hint, hint);
        return coded('UNSAFE_MODE')(error);
      });
    };
    chmodSync(file, 0o644);
    await refused(/^chmod 600 /);
    chmodSync(file, 0o600);
    chmodSync(dirname(file), 0o755);
    await refused(/^chmod 700 /);
    chmodSync(dirname(file), 0o700);
    linkSync(file, `${file}.twin`);
    await refused(/^cp -p /);
    rmSync(file);
    symlinkSync(`${file}.twin`, file);
    await refused(/^name the file that it leads to/);
    rmSync(`${file}.twin`);
    await refused(/^name the file that it leads to/);
    assert(!existsSync(`${file}.twin`), 'nothing is made at the other end of a link');
    rmSync(file);
    assert.notEqual((await ask(env)).kmsKeyId, kmsKeyId);
  });
});
