import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, HushError } from '../../client/index.ts';
import { openShell } from '../cli/hush.ts';
import { openUnlocked } from '../cli/unlocked.ts';
import { untilAnswer } from '../support/poll.ts';
import { utf8 } from './facts.ts';
import { enrol } from './noise-wire.ts';

test('B12: half the secrets are denied or missing: the child is not started, and all problems are told at once', async (t) => {
  const shell = openShell(t);
  const path = (name: string): string => join(shell.home, name);
  appendFileSync(
    path('config.toml'),
    "[profiles.default]\napprove = ['global/prod-*']\n[profiles.default.grants.app]\nread = ['global/ok-*', 'global/prod-*', 'global/old', 'global/path']\n",
  );
  await openUnlocked(t, shell);
  const owner = await connect({ socket: path('hushd.sock') });
  t.after(() => owner.close());
  writeFileSync(path('app.key'), (await enrol(owner, 'app')).file, { mode: 0o600 });
  for (const name of ['ok-1', 'ok-2', 'ok_2', 'secret-1', 'prod-1', 'path', 'old'])
    if (name !== 'ok_2') await owner.set(`global/${name}`, utf8(`value of ${name}`));
  await owner.call('secret.set', {
    path: 'global/old',
    value: utf8('old value'),
    expiresAt: new Date(Date.now() + 200).toISOString(),
  });
  await untilAnswer(
    () => codeOf(owner.get('global/old')),
    (code) => code === 'EXPIRED',
  );
  const env = { HUSH_CLIENT_KEY_FILE: path('app.key') };
  const names = 'ok-1 ok-2 secret-1 absent prod-1 old path';
  const line = `hush run --only ${names} --map ok-1=OK_2 -- touch ${path('started')}`;

  const { code, stdout, stderr } = await shell.run(line, { env });
  assert.deepEqual([code, stdout], [5, '']);
  const errors = stderr.split('\n').flatMap((text) => /^hush: error: (.*)$/.exec(text)?.[1] ?? []);
  assert.deepEqual(
    errors.map((text) => text.replace(/[0-9a-f]{16}|\d{4}-\S+Z/g, '…').split(':', 1)[0]),
    [
      'SECRET_1 (global/secret-1)',
      'ABSENT (global/absent)',
      'PROD_1 (global/prod-1)',
      'OLD (global/old)',
      'PATH (global/path)',
      'OK_2 would be set twice',
      'the command was not started',
    ],
    stderr,
  );
  const [denied = '', missing = ''] = errors;
  assert.equal(
    denied.replace('SECRET_1 (global/secret-1)', ''),
    missing.replace('ABSENT (global/absent)', ''),
  );
  assert.match(stderr, /^hush: hint: hush approve [0-9a-f]{16}/m);
  assert.equal(existsSync(path('started')), false);

  const fine = await shell.run(`hush run --only ok-* -- touch ${path('started')}`, { env });
  assert.deepEqual([fine.code, fine.stderr, existsSync(path('started'))], [0, '', true]);
  const audit = readFileSync(path('audit/profiles/default/0000000001.jsonl'), 'utf8');
  assert.doesNotMatch(audit, /value of/);
});

/** The code that a call ends with, `ok` for none. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return error instanceof HushError ? error.code : String(error);
  }
}
