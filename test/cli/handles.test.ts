import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import {
  createCryptoProvider,
  LocalCryptoProvider,
  type CryptoContext,
  type CryptoHandle,
} from '../../client/index.ts';
import type { Ended, Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const passphrase = 'correct horse battery staple';

interface Row {
  readonly id?: number;
  readonly handle: CryptoHandle;
  readonly namespace: string;
  readonly key: string;
  readonly tenantId?: string;
}

type Provider = Pick<LocalCryptoProvider, 'encrypt' | 'decrypt'>;

async function providerOf(t: TestContext, shell: Shell, keyring = 'default'): Promise<Provider> {
  const provider = await createCryptoProvider({ env: { HUSH_HOME: shell.home }, keyring });
  t.after(() => {
    provider.close();
  });
  return provider;
}

async function rowsOf(provider: Provider, count: number, tenant?: string): Promise<Row[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, id) => {
      const ctx: CryptoContext = {
        namespace: 'mail',
        key: `smtp-${id}`,
        ...(tenant ? { tenantId: tenant } : {}),
      };
      const { namespace, key } = ctx;
      return { id, handle: await provider.encrypt(`value ${id}`, ctx), namespace, key };
    }),
  );
}

const textOf = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const rowsIn = (text: string): Row[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row);
const errorIn = ({ stderr }: Ended): string => stderr.split('\n')[0] ?? '';

describe('hush keys rewrap', () => {
  test('seals a table of handles anew under the newest key, in order, and it opens as before', async (t) => {
    const shell = await openUnlocked(t);
    const provider = await providerOf(t, shell);
    const rows = [...(await rowsOf(provider, 700)), ...(await rowsOf(provider, 5, 'acme'))];
    assert.equal((await shell.run('hush keys rotate')).code, 0);
    const ended = await shell.run('hush keys rewrap --stdin', { input: textOf(rows) });
    assert.deepEqual([ended.code, ended.stderr], [0, 'hush: note: 705 handles rewrapped\n']);
    const after = rowsIn(ended.stdout);
    assert.equal(after.length, rows.length);
    for (const [at, { handle, ...rest }] of after.entries()) {
      const before = rows[at];
      assert.ok(before);
      assert.deepEqual(rest, { id: before.id, namespace: before.namespace, key: before.key });
      assert.deepEqual([handle.id, handle.version], [before.handle.id, 2]);
      assert.match(handle.kmsKeyId, /:default:v2$/);
      assert.equal(await provider.decrypt(handle, before), `value ${before.id}`);
    }
  });

  test('passes on what else a line holds byte for byte, and takes a tenant of null for none', async (t) => {
    const shell = await openUnlocked(t);
    const [row] = await rowsOf(await providerOf(t, shell), 1);
    assert.ok(row);
    const around =
      '"rowid" : 9007199254740993, "note":"a\\"}{\\u00e9\\\\", "deep":[{"x":1.10},"]"],"tenantId":null';
    const line = `{ ${around},  "\\u0068andle":${JSON.stringify(row.handle)},"namespace":"mail","key":"smtp-0" }\r\n`;
    const { code, stdout, stderr } = await shell.run('hush keys rewrap --stdin', { input: line });
    assert.equal(code, 0, stderr);
    for (const text of around.split(', ')) assert.ok(stdout.includes(text), `${text} in ${stdout}`);
    assert.equal(rowsIn(stdout)[0]?.handle.version, 2);
  });

  test('stops at the first line that fails, with its number and the exit code of its error', async (t) => {
    const shell = await openUnlocked(t);
    const rows = await rowsOf(await providerOf(t, shell), 5);
    const lines = textOf(rows).split('\n');
    const cases: [string, number, RegExp][] = [
      ['nonsense', 2, /^hush: error: line 3: it is not a JSON object; 2 handles before it are done$/],
      ['', 2, /^hush: error: line 3: it is not a JSON object/],
      ['[]', 2, /^hush: error: line 3: it is not a JSON object/],
      ['{"handle":{},"namespace":"n","key":"k"}', 2, /^hush: error: line 3: handle\.id: /],
      [
        (lines[2] ?? '').replace('"mail"', '"other"'),
        8,
        /^hush: error: line 3: the handle was tampered with/,
      ],
      [(lines[2] ?? '').replace('"mail"', '7'), 2, /^hush: error: line 3: namespace: /],
      [`{"handle":1,${(lines[2] ?? '').slice(1)}`, 2, /^hush: error: line 3: handle: it stands there twice/],
    ];
    for (const [bad, code, error] of cases) {
      const input = [...lines.slice(0, 2), bad, ...lines.slice(3)].join('\n');
      const ended = await shell.run('hush keys rewrap --stdin', { input });
      assert.equal(ended.code, code, ended.stderr);
      assert.match(errorIn(ended), error);
      assert.deepEqual(
        rowsIn(ended.stdout).map(({ id }) => id),
        [0, 1],
      );
    }
  });

  test('--keep-going writes failures in their places, and their lines may be fed in again', async (t) => {
    const shell = await openUnlocked(t);
    const rows = await rowsOf(await providerOf(t, shell), 4);
    const bad = rows.map((row, at) => (at % 2 === 1 ? { ...row, namespace: 'other' } : row));
    const input = `${textOf(bad)}\xff\n`;
    const ended = await shell.run('hush keys rewrap --stdin --keep-going', {
      input: Buffer.from(input, 'latin1'),
    });
    assert.equal(ended.code, 8);
    assert.match(
      errorIn(ended),
      /^hush: error: 3 of 5 lines failed, the first is line 2: the handle was tampered/,
    );
    const out = ended.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      out.map((line) => [line['line'], (line['error'] as { code: string } | undefined)?.code]),
      [
        [undefined, undefined],
        [2, 'INTEGRITY'],
        [undefined, undefined],
        [4, 'INTEGRITY'],
        [5, 'BAD_REQUEST'],
      ],
    );
    assert.equal(out[1]?.['id'], 1);
    const mended = ended.stdout.split('\n').slice(1, 2).join('').replace('"other"', '"mail"');
    const again = await shell.run('hush keys rewrap --stdin', { input: mended });
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(Object.keys(rowsIn(again.stdout)[0] ?? {}), ['id', 'handle', 'namespace', 'key']);
  });

  test('a locked profile ends it even with --keep-going, and nothing at all is nothing done', async (t) => {
    const shell = await openUnlocked(t);
    const rows = await rowsOf(await providerOf(t, shell), 3);
    const nothing = await shell.run('hush keys rewrap --stdin');
    assert.deepEqual(nothing, { code: 0, stdout: '', stderr: 'hush: note: 0 handles rewrapped\n' });
    await shell.run('hush lock');
    const ended = await shell.run('hush keys rewrap --stdin --keep-going', { input: textOf(rows) });
    assert.deepEqual([ended.code, ended.stdout], [4, '']);
    assert.match(errorIn(ended), /^hush: error: line 1: the profile default is locked/);
    assert.equal((await shell.run('hush keys rewrap')).code, 2);
  });

  test('answers each line at once, for a program that waits for it before it sends the next', async (t) => {
    const shell = await openUnlocked(t);
    const rows = await rowsOf(await providerOf(t, shell), 3);
    writeFileSync(join(shell.home, 'rows'), textOf(rows));
    const script =
      'mkfifo in out; hush keys rewrap --stdin < in > out & exec 3> in 4< out; ' +
      'while read -r row; do printf "%s\\n" "$row" >&3; read -r answer <&4; printf "%s\\n" "$answer"; done < rows; ' +
      'exec 3>&-; wait';
    const ended = await shell.runScript(script);
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(
      rowsIn(ended.stdout).map(({ id, handle }) => [id, handle.version]),
      [
        [0, 2],
        [1, 2],
        [2, 2],
      ],
    );
  });

  test('ends at a failure even while whoever feeds it sends nothing more', async (t) => {
    const shell = await openUnlocked(t);
    const script =
      'mkfifo in; hush keys rewrap --stdin < in & exec 3> in; echo nonsense >&3; wait $!; echo "code $?"';
    assert.equal((await shell.runScript(script)).stdout, 'code 2\n');
  });
});

describe('a handle that does not belong', () => {
  test('is refused by name: of another profile, daemon, keyring or tenant, or cut short', async (t) => {
    const shell = await openUnlocked(t);
    await shell.run('hush init -p work --passphrase-stdin', { input: passphrase });
    await shell.run('hush unlock -p work --passphrase-stdin', { input: passphrase });
    const other = await openUnlocked(t);
    const [own] = await rowsOf(await providerOf(t, shell), 1);
    const [foreign] = await rowsOf(await providerOf(t, other), 1);
    const [second] = await rowsOf(await providerOf(t, shell, 'second'), 1);
    const [local] = await rowsOf(new LocalCryptoProvider({ key: randomBytes(32) }), 1);
    assert.ok(own && foreign && second && local);
    const cut = { ...own.handle, ciphertext: own.handle.ciphertext.slice(0, -8) };
    const cases: [string, Row, number, RegExp][] = [
      ['-p work', own, 8, /sealed by another vault, [0-9a-f]{32}/],
      ['', foreign, 8, /sealed by another vault, [0-9a-f]{32}/],
      ['', second, 8, /of the keyring second, not of default/],
      ['--keyring third', own, 8, /of the keyring default, not of third/],
      ['', { ...own, tenantId: 'acme' }, 8, /belongs to another tenant/],
      ['', { ...own, handle: cut }, 8, /tampered with/],
      ['', { ...own, handle: { ...own.handle, ciphertext: 'AgE=' } }, 8, /tampered with/],
      ['', local, 9, /sealed by a local key, not by the daemon/],
    ];
    for (const [options, row, code, error] of cases) {
      const ended = await shell.run(`hush keys rewrap --stdin ${options}`, { input: textOf([row]) });
      assert.equal(ended.code, code, `${String(error)}: ${ended.stderr}`);
      assert.match(errorIn(ended), error);
      assert.equal(ended.stdout, '');
    }
    assert.equal((await shell.run('hush keys rewrap --stdin', { input: textOf([own]) })).code, 0);
  });
});

describe('hush keys adopt', () => {
  const keyText = randomBytes(32).toString('hex');
  const key = Buffer.from(keyText, 'hex');

  test('turns handles of the local provider into the daemon’s: same id, next version, same value', async (t) => {
    const shell = await openUnlocked(t);
    const local = new LocalCryptoProvider({ key });
    const rows = [...(await rowsOf(local, 200)), ...(await rowsOf(local, 2, 'acme'))];
    const file = join(shell.home, 'old.key');
    writeFileSync(file, keyText, { mode: 0o600 });
    const provider = await providerOf(t, shell);
    const byFile = await shell.run(`hush keys adopt --stdin --key-file ${file}`, { input: textOf(rows) });
    assert.deepEqual([byFile.code, byFile.stderr], [0, 'hush: note: 202 handles adopted\n']);
    const byEnv = await shell.run('hush keys adopt --stdin', {
      input: textOf(rows.slice(0, 1)),
      env: { OS_SECRET_KEY: key.toString('base64') },
    });
    assert.equal(byEnv.code, 0, byEnv.stderr);
    for (const [at, row] of [...rowsIn(byFile.stdout), ...rowsIn(byEnv.stdout)].entries()) {
      const before = rows[at % rows.length];
      assert.ok(before);
      assert.deepEqual([row.handle.id, row.handle.version], [before.handle.id, 2]);
      assert.match(row.handle.kmsKeyId, /^hush:[0-9a-f]{32}:default:v1$/);
      assert.equal(await provider.decrypt(row.handle, row), `value ${before.id}`);
    }
  });

  test('a wrong key is WRONG_KEY, no key a usage error, and a handle of the daemon is left alone', async (t) => {
    const shell = await openUnlocked(t);
    const rows = await rowsOf(new LocalCryptoProvider({ key }), 1);
    const env = { OS_SECRET_KEY: randomBytes(32).toString('hex') };
    const wrong = await shell.run('hush keys adopt --stdin', { input: textOf(rows), env });
    assert.equal(wrong.code, 9);
    assert.match(errorIn(wrong), /line 1: the handle was sealed under the local key [0-9a-f]{16}/);
    const none = await shell.run('hush keys adopt --stdin', { input: textOf(rows) });
    assert.deepEqual([none.code, none.stdout], [2, '']);
    const short = await shell.run('hush keys adopt --stdin', { input: '', env: { OS_SECRET_KEY: 'abcd' } });
    assert.equal(short.code, 2);
    const own = await rowsOf(await providerOf(t, shell), 1);
    const ours = await shell.run('hush keys adopt --stdin', { input: textOf(own), env });
    assert.equal(ours.code, 10);
    assert.match(ours.stderr, /the daemon sealed this handle.*\nhush: hint: hush keys rewrap --stdin\n/);
  });
});
