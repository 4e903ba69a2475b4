import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openShell } from '../cli/hush.ts';
import { openUnlocked } from '../cli/unlocked.ts';
import { installPackage } from '../support/installed-package.ts';

const checkout = fileURLToPath(new URL('../../', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(folder: string, home: string, args: readonly string[]): Promise<Ended> {
  const env = { HUSH_HOME: home, HOME: home, PATH: process.env['PATH'] };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--', join(folder, 'bin/hush.js'), ...args],
      { env, cwd: home },
      (error, stdout, stderr) => {
        resolve({
          code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
          stdout,
          stderr,
        });
      },
    );
  });
}

/** A folder that goes with the test. */
function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-start-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

describe('the one file that an installed hush starts from', () => {
  test('says and does what the sources do, whatever is typed', async (t) => {
    const { home, run: hush } = await openUnlocked(t, openShell(t));
    const installed = await installPackage(temporaryFolder(t));
    await hush('hush set global/a', { input: 'two\nlines' });
    await hush('hush set global/old --expires 2099-01-01T00:00:00Z', { input: 'x' });
    symlinkSync('elsewhere', join(home, 'link'));

    const lines = [
      'get global/a --reveal',
      'get global/a --reveal --json',
      'get global/a',
      'get hush://default/global/a --reveal -p default',
      'get hush://other/global/a --reveal -p default',
      '-p default get global/a --reveal',
      '-p nobody get global/a --reveal',
      'get global/none --reveal',
      'get global/none --json',
      'get nowhere --reveal',
      'get global/old',
      'get global/a --version 7 --reveal',
      'get global/a --output link',
      'get global/a --output file --reveal',
      'get',
      'get global/a extra',
      'get global/a --no-such',
      'get --help',
      'list --prefix global/o',
      'no-such-command',
      'help get',
      'run --only a --prefix X_ -- sh -c true',
      'run --references-only --env-file none -- sh -c true',
      'door aws global/a',
    ];
    const differing: unknown[] = [];
    for (const line of lines) {
      const args = line.split(' ');
      const [built, source] = await Promise.all([run(installed, home, args), run(checkout, home, args)]);
      if (JSON.stringify(built) !== JSON.stringify(source)) differing.push({ line, built, source });
    }
    assert.deepEqual(differing, []);

    await t.test('again from what was compiled, and where that is damaged', async () => {
      const compiled = join(installed, '.compiled');
      const kept = readdirSync(compiled).filter((name) => name.startsWith('hush-get-'));
      assert.equal(kept.length, 1);
      const [, text = '', stamp = ''] =
        /^(.*)\n\/\/(.{32})$/s.exec(readFileSync(join(installed, 'dist/bundles/hush.bundle'), 'utf8')) ?? [];
      assert.equal(createHash('sha256').update(text).digest('hex').slice(0, 32), stamp);
      assert.ok(kept[0]?.endsWith(stamp));
      const get = () => run(installed, home, ['get', 'global/a', '--reveal']);
      const expected = { code: 0, stdout: 'two\nlines', stderr: '' };
      assert.deepEqual(await get(), expected);
      const file = join(compiled, kept[0] ?? '');
      const whole = readFileSync(file);
      for (const at of [1_000, whole.length / 3, whole.length - 1_000].map(Math.floor)) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ 0x10;
        writeFileSync(file, damaged);
        assert.deepEqual(await get(), expected);
      }
      for (const text of ['', 'no code at all', whole.subarray(0, 50_000)]) {
        writeFileSync(file, text);
        assert.deepEqual([await get(), await get()], [expected, expected]);
      }
      assert.ok(readFileSync(file).length > 100_000);
    });

    await t.test('without a daemon', async () => {
      const elsewhere = temporaryFolder(t);
      const args = ['get', 'global/a', '--reveal'];
      const [built, source] = await Promise.all([
        run(installed, elsewhere, args),
        run(checkout, elsewhere, args),
      ]);
      assert.equal(built.code, 3);
      assert.deepEqual(built, source);
    });
  });
});
