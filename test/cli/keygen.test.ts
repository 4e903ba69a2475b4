import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { keyringFromEnv } from '../../client/credentials/index.ts';
import { LocalCryptoProvider } from '../../client/index.ts';
import { openShell } from './hush.ts';

describe('hush keygen', () => {
  test('prints 32 fresh bytes as base64 or hex, without a daemon and without a trace', async (t) => {
    const shell = openShell(t);
    const before = readdirSync(shell.home);
    const base64 = await shell.run('hush keygen');
    assert.deepEqual([base64.code, base64.stderr], [0, '']);
    assert.match(base64.stdout, /^[A-Za-z0-9+/]{43}=\n$/);
    const hex = await shell.run('hush keygen --hex');
    assert.deepEqual([hex.code, hex.stderr], [0, '']);
    assert.match(hex.stdout, /^[0-9a-f]{64}\n$/);
    assert.notEqual((await shell.run('hush keygen')).stdout, base64.stdout);
    assert.deepEqual(readdirSync(shell.home), before);

    for (const OS_SECRET_KEY of [base64.stdout.trim(), hex.stdout.trim()])
      assert.match(new LocalCryptoProvider({ env: { OS_SECRET_KEY } }).kmsKeyId, /^local:/);
    assert.equal(keyringFromEnv({ CONNECTOR_CRED_KEY: base64.stdout.trim() }).activeKid, 'v1');
  });

  test('tells the key and how it is written with --json, and takes no words', async (t) => {
    const { run } = openShell(t);
    for (const [line, encoding] of [
      ['hush keygen --json', 'base64'],
      ['hush keygen --hex --json', 'hex'],
    ] as const) {
      const { stdout } = await run(line);
      const { key, ...rest } = JSON.parse(stdout) as { key: string };
      assert.deepEqual(rest, { encoding });
      assert.equal(Buffer.from(key, encoding).length, 32);
      assert.equal(Buffer.from(key, encoding).toString(encoding), key);
    }
    assert.equal((await run('hush keygen 64')).code, 2);
  });
});
