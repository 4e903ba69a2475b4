import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { installPackage } from '../support/installed-package.ts';

const run = promisify(execFile);

/** A connector and a platform without a daemon, which have nothing but the package. */
const program = `
import * as hushd from 'hushd';
import * as credentials from 'hushd/credentials';

const context = { namespace: 'mail', key: 'token' };
const provider = await hushd.cryptoProviderFromEnv();
const handle = await provider.encrypt('s3cret', context);
const keyring = credentials.keyringFromEnv();
const envelope = credentials.encryptCredentials({ password: 's3cret' }, keyring);
const { code } = await provider.decrypt({ ...handle, id: 'sec_' }, context).catch((error) => error);
console.log(JSON.stringify({
  names: { hushd: Object.keys(hushd), credentials: Object.keys(credentials) },
  plain: await provider.decrypt(handle, context),
  kmsKeyId: handle.kmsKeyId,
  opened: credentials.decryptCredentials(envelope, keyring),
  code,
  sameError: hushd.HushError === credentials.HushError,
}));
`;

test('a program without a daemon works with what the package exports, and the package exports no more', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-exports-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  await installPackage(folder);
  writeFileSync(join(folder, 'program.js'), program);
  const key = Buffer.alloc(32, 5);
  const env = {
    NODE_ENV: 'production',
    OS_SECRET_KEY: key.toString('hex'),
    CONNECTOR_CRED_KEY: key.toString('base64'),
  };
  const { stdout, stderr } = await run(process.execPath, ['program.js'], { cwd: folder, env });
  assert.equal(stderr, '');
  const { names, kmsKeyId, ...rest } = JSON.parse(stdout) as {
    names: Record<string, string[]>;
    kmsKeyId: string;
  };
  assert.deepEqual(rest, {
    plain: 's3cret',
    opened: { password: 's3cret' },
    code: 'INTEGRITY',
    sameError: true,
  });
  assert.match(kmsKeyId, /^local:[0-9a-f]{16}$/);
  assert.deepEqual(names, {
    hushd: [
      'HushError',
      'LocalCryptoProvider',
      'NoStableKeyError',
      'connect',
      'createCryptoProvider',
      'cryptoProviderFromEnv',
    ],
    credentials: [
      'HushError',
      'NoStableKeyError',
      'decryptCredentials',
      'encryptCredentials',
      'generateKeyBase64',
      'isEncrypted',
      'keyringFromDaemon',
      'keyringFromEnv',
    ],
  });
});
