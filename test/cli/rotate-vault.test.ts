import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { untilAnswer } from '../support/poll.ts';
import type { Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

async function mustRun({ run }: Shell, line: string, input: string): Promise<void> {
  const { code, stderr } = await run(line, { input });
  assert.equal(code, 0, `${line}: ${stderr}`);
}

/** The files of the profile, without the one that the vault's writes go through. */
const filesIn = ({ home }: Shell): string[] =>
  readdirSync(join(home, 'profiles', 'default'))
    .filter((name) => !name.endsWith('-wal'))
    .sort();

const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('keys rotate --vault', () => {
  test('writes the vault anew under another key, and says what still opens with the old one', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush set global/a', 'kept');
    const { code, stdout, stderr } = await shell.run('hush keys rotate --vault');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'profile default has another vault key: 1 secret in vault-2.db\n');
    assert.match(
      stderr,
      /^hush: note: copies of the files from before still open with what opened them then/,
    );
    assert.deepEqual(await shell.run('hush get global/a --reveal'), { code: 0, stdout: 'kept', stderr: '' });
    assert.deepEqual(filesIn(shell), ['header', 'keyset-2', 'vault-2.db']);
  });

  test('with --json prints lines of progress, and the facts last', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush set global/a', 'kept');
    const { code, stdout, stderr } = await shell.run('hush keys rotate --vault --json --yes');
    assert.deepEqual([code, stderr], [0, '']);
    const lines = linesOf(stdout);
    assert.deepEqual(lines.pop(), {
      profile: 'default',
      generation: 2,
      keysetGeneration: 2,
      files: { vault: 'vault-2.db', keyset: 'keyset-2' },
      secrets: 1,
      removed: true,
    });
    for (const line of lines) assert.deepEqual(Object.keys(line), ['phase', 'done', 'total']);
  });

  test('with --no-wait it ends at once, and the rotation does not', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush set global/a', 'kept');
    const { code, stdout } = await shell.run('hush keys rotate --vault --no-wait');
    assert.equal(code, 0);
    // A vault this small may be done before anybody asks.
    assert.match(stdout, /^the vault of profile default is being written anew\n$|has another vault key/);
    await untilAnswer(
      () => Promise.resolve(filesIn(shell)),
      (files) => files.join() === 'header,keyset-2,vault-2.db',
    );
    const status = linesOf((await shell.run('hush keys status --json')).stdout);
    assert.deepEqual(status[0]?.['vaultRotation'], { underWay: false });
    assert.equal((await shell.run('hush get global/a --reveal')).stdout, 'kept');
  });

  test('is refused where the profile is locked, and has no keyring', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush lock', '');
    assert.equal((await shell.run('hush keys rotate --vault')).code, 4);
    const both = await shell.run('hush keys rotate --vault --keyring default');
    assert.equal(both.code, 2);
    assert.match(both.stderr, /--vault.*cannot be used with.*--keyring/);
  });
});
