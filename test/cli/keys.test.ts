import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { progressText } from '../../cli/progress-bar.ts';
import { legacyRow } from '../vault/legacy-rows.ts';
import type { Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

/** The lines of JSON on standard output. */
const jsonLines = (stdout: string): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

interface Written {
  readonly file: string;
  readonly keyFile: string;
}

/** A file of values that were sealed straight under a master key, and the file of that key. */
function writeLegacy(shell: Shell, lines: readonly string[], key: Uint8Array, name = 'old'): Written {
  const [file, keyFile] = [join(shell.home, `${name}.jsonl`), join(shell.home, `${name}.key`)];
  writeFileSync(file, `${lines.join('\n')}\n`);
  writeFileSync(keyFile, `${Buffer.from(key).toString('hex')}\n`, { mode: 0o600 });
  return { file, keyFile };
}

function legacyLine(key: Uint8Array, path: string, value: string, name: 'nonce' | 'iv' = 'nonce'): string {
  const { nonce, sealed } = legacyRow(key, path, value);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return JSON.stringify({ path, keyVersion: null, [name]: base64(nonce), ciphertext: base64(sealed) });
}

describe('hush keys', () => {
  test('status tells each key, what it seals, and what to do next', async (t) => {
    const shell = await openUnlocked(t);
    await shell.run('hush set global/a', { input: 'value' });
    await shell.run('hush keys rotate');
    const { code, stdout } = await shell.run('hush keys status');
    assert.equal(code, 0);
    const lines = stdout.split('\n');
    assert.match(lines[0] ?? '', /^keyring default: key v2 is active, \d+ s old, 2 messages \(0\.00 %/);
    assert.match(lines[1] ?? '', /^v2 {2}active {3}1 value {3}made .+ by owner, in no backup$/);
    assert.match(
      lines[2] ?? '',
      /^v1 {2}retired {2}0 values {2}made .+, retired .+ by daemon, no decrypt since/,
    );
    assert.match(stdout, /^1 stored value$/m);
    assert.match(
      stdout,
      /^warning: 2 data keys are in no backup that this vault knows of: .+: hush backup create FILE$/m,
    );
    assert.match(
      stdout,
      /^next: retired key v1 only opens what the platform keeps: .+hush keys retire VERSION --yes$/m,
    );

    const [facts] = jsonLines((await shell.run('hush keys status --json')).stdout);
    assert.deepEqual(
      [
        facts?.['profile'],
        facts?.['active'],
        facts?.['values'],
        facts?.['legacyValues'],
        facts?.['newerThanBackup'],
      ],
      ['default', 2, 1, 0, 2],
    );
  });

  test('rotate with --json ends in one line with all the facts, after lines of how far it is', async (t) => {
    const shell = await openUnlocked(t);
    await shell.run('hush set global/a', { input: 'value' });
    const { code, stdout } = await shell.run('hush keys rotate --json');
    assert.equal(code, 0);
    const lines = jsonLines(stdout);
    const last = lines.at(-1);
    assert.deepEqual(
      [last?.['profile'], last?.['version'], last?.['moved'], last?.['left']],
      ['default', 2, 1, 0],
    );
    for (const line of lines.slice(0, -1)) assert.equal(line['state'], 'running');
  });

  test('rotate --no-wait leaves the values to the daemon', async (t) => {
    const shell = await openUnlocked(t);
    await shell.run('hush set global/a', { input: 'value' });
    const { code, stdout, stderr } = await shell.run('hush keys rotate --no-wait');
    assert.equal(code, 0);
    assert.match(stdout, /^key hush:[0-9a-f]{32}:default:v2 is active/);
    assert.equal(stderr, 'hush: note: 1 value is sealed anew: hush keys status\n');
  });

  test('rotate shows on a terminal how far it is', async (t) => {
    const shell = await openUnlocked(t);
    const key = randomBytes(32);
    const lines = Array.from({ length: 4_000 }, (_, number) => legacyLine(key, `global/s${number}`, 'x'));
    const { file, keyFile } = writeLegacy(shell, lines, key);
    assert.equal((await shell.run(`hush import --legacy ${file} --key-file ${keyFile}`)).code, 0);
    const { code, screen } = await shell.type('hush keys rotate --yes', []);
    assert.equal(code, 0, screen);
    assert.match(screen, /\[[#-]{20}\] \d+ %, \d+ of 4000 values, \d+ a second/);
    assert.match(screen, /hush: note: 4000 values sealed anew in \d+\.\d s/);
  });

  test('retire says first what would become unreadable, and destroys with --yes alone', async (t) => {
    const shell = await openUnlocked(t);
    await shell.run('hush keys rotate');
    const asked = await shell.run('hush keys retire 1');
    assert.deepEqual([asked.code, asked.stdout], [2, '']);
    assert.match(
      asked.stderr,
      /destroys key v1 for ever: no stored value needs it, and every handle .+ unreadable/,
    );
    assert.match(asked.stderr, /^hush: hint: hush keys retire 1 --yes$/m);
    const kept = jsonLines((await shell.run('hush keys status --json')).stdout)[0]?.['keys'];
    assert.deepEqual(
      (kept as { state: string }[]).map(({ state }) => state),
      ['active', 'retired'],
    );

    const asking = await shell.run('hush keys retire 2');
    assert.equal(asking.code, 10);
    assert.equal(
      asking.stderr,
      'hush: error: key v2 is active: new values are sealed under it, and is not destroyed\n' +
        'hush: hint: hush keys rotate, which makes another one active\n',
    );
    const active = await shell.run('hush keys retire 2 --yes');
    assert.equal(active.code, 10);
    assert.match(active.stderr, /key 2 of keyring default is active/);
    const backedUp = async (name: string): Promise<string> =>
      jsonLines((await shell.run(`hush backup create ${join(shell.home, name)} --json`)).stdout)[0]?.[
        'id'
      ] as string;
    const before = await backedUp('before');
    assert.match(
      (await shell.run('hush keys retire 1')).stderr,
      /values that backups from before hold under it do not come back in this home any more/,
    );
    const retired = await shell.run('hush keys retire v1 --yes');
    assert.equal(retired.code, 0);
    assert.match(
      retired.stdout,
      new RegExp(`^key v1 is destroyed\nbackup ${before} of \\S+Z may still hold it\n$`),
    );
    assert.match(retired.stderr, /do not come back in this home any more: take a new backup/);
    // One that was taken afterwards is as good as it can be.
    await backedUp('after');
    const again = await shell.run('hush keys retire 1 --yes');
    assert.match(
      again.stdout,
      new RegExp(`^key v1 was destroyed already\nbackup ${before} of \\S+Z may still hold it\n$`),
    );
    assert.equal((await shell.run('hush keys retire 7 --yes')).code, 6);
    assert.equal((await shell.run('hush keys retire latest --yes')).code, 2);
  });
});

describe('hush import --legacy', () => {
  const key = randomBytes(32);

  test('brings values in that are readable at once, and that the next rotation seals anew', async (t) => {
    const shell = await openUnlocked(t);
    const lines = [legacyLine(key, 'global/a', 'one'), '', legacyLine(key, 'ws:1/b', 'two', 'iv')];
    const { file, keyFile } = writeLegacy(shell, lines, key);
    const checked = await shell.run(`hush import --legacy ${file} --key-file ${keyFile} --check`);
    assert.deepEqual([checked.code, checked.stdout], [0, '2 values can be imported\n']);
    assert.equal((await shell.run('hush get global/a')).code, 6);

    const imported = await shell.run(`hush import --legacy ${file}`, {
      env: { HUSH_LEGACY_KEY: Buffer.from(key).toString('base64') },
    });
    assert.deepEqual([imported.code, imported.stdout], [0, '2 values are imported\n']);
    assert.match(imported.stderr, /hush keys rotate seals them anew/);
    assert.equal((await shell.run('hush get global/a --reveal')).stdout, 'one');
    assert.match(
      (await shell.run('hush keys status')).stdout,
      /^2 stored values, 2 of them under legacy keys$/m,
    );
    const again = await shell.run(`hush import --legacy ${file} --key-file ${keyFile} --json`);
    assert.deepEqual(jsonLines(again.stdout), [
      { profile: 'default', checked: false, stored: 0, already: 2 },
    ]);
    const { screen } = await shell.type(`hush import --legacy ${file} --key-file ${keyFile} --check`, []);
    assert.ok(screen.endsWith('\r\x1b[K0 values can be imported, 2 were there already\r\n'), screen);

    const needed = await shell.run('hush keys retire 1 --legacy');
    assert.equal(needed.code, 10);
    assert.match(needed.stderr, /legacy key v1 is needed: 2 stored values under legacy keys, and is not/);
    assert.equal((await shell.run('hush keys retire 2 --legacy')).code, 6);

    await shell.run('hush keys rotate');
    assert.match((await shell.run('hush keys status')).stdout, /^2 stored values$/m);
    const spare = await shell.run('hush keys retire 1 --legacy');
    assert.equal(spare.code, 2);
    assert.match(spare.stderr, /this destroys legacy key v1 for ever: nothing is sealed under it any more/);
    assert.equal((await shell.run('hush get ws:1/b --reveal')).stdout, 'two');
  });

  test('names the line that is wrong, and stores none of the file', async (t) => {
    const shell = await openUnlocked(t);
    const good = legacyLine(key, 'global/a', 'one');
    const cases: readonly (readonly [line: string, code: number, says: RegExp])[] = [
      ['{"path":', 2, /line 2: it is not JSON/],
      ['{"path":"global/b"}', 2, /line 2: row.ciphertext: not a string/],
      [good.replace('"global/a"', '"nonsense"'), 2, /line 2: /],
      [good.replace('null', '3'), 2, /line 2: keyVersion is not null/],
      [good.replace(/"nonce":"..../, '"nonce":"'), 2, /line 2: the nonce has 9 bytes/],
      [legacyLine(randomBytes(32), 'global/b', 'x'), 8, /line 2: the value does not open under the key/],
      [good, 10, /line 2: its path stands on line 1 already/],
    ];
    for (const [line, code, says] of cases) {
      const { file, keyFile } = writeLegacy(shell, [good, line], key);
      const ended = await shell.run(`hush import --legacy ${file} --key-file ${keyFile}`);
      assert.equal(ended.code, code, `${line}\n${ended.stderr}`);
      assert.match(ended.stderr, says);
      assert.equal((await shell.run('hush list')).stdout, '', line);
    }
  });

  test('with a wrong key is WRONG_KEY, without one says how to give it, and stores nothing', async (t) => {
    const shell = await openUnlocked(t);
    const { file } = writeLegacy(shell, [legacyLine(key, 'global/a', 'one')], key);
    const { keyFile } = writeLegacy(shell, [], randomBytes(32), 'other');
    const wrong = await shell.run(`hush import --legacy ${file} --key-file ${keyFile}`);
    assert.equal(wrong.code, 9, wrong.stderr);
    const none = await shell.run(`hush import --legacy ${file}`);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /HUSH_LEGACY_KEY/);
    assert.equal(
      (await shell.run(`hush import --legacy ${join(shell.home, 'nosuch')} --key-file ${keyFile}`)).code,
      2,
    );
    assert.equal((await shell.run('hush import')).code, 2);
    assert.equal((await shell.run('hush list')).stdout, '');
  });

  test('leaves what is there with another value alone, unless --overwrite gives it a new version', async (t) => {
    const shell = await openUnlocked(t);
    await shell.run('hush set global/a', { input: 'other' });
    const { file, keyFile } = writeLegacy(shell, [legacyLine(key, 'global/a', 'one')], key);
    const refused = await shell.run(`hush import --legacy ${file} --key-file ${keyFile}`);
    assert.equal(refused.code, 10);
    assert.match(refused.stderr, /line 1: .+another value/);
    assert.equal((await shell.run('hush get global/a --reveal')).stdout, 'other');
    assert.equal((await shell.run(`hush import --legacy ${file} --key-file ${keyFile} --overwrite`)).code, 0);
    assert.equal((await shell.run('hush get global/a --reveal')).stdout, 'one');
  });
});

test('a progress line tells share, numbers, rate and time left', () => {
  assert.equal(
    progressText({ done: 450, total: 1_000, rate: 100 }, 'values'),
    '[#########-----------] 45 %, 450 of 1000 values, 100 a second, 6 s left',
  );
  assert.equal(
    progressText({ done: 0, total: 0, rate: 0 }, 'values'),
    '[####################] 100 %, 0 of 0 values, 0 a second',
  );
});
