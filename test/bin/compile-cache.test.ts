import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cleanEnvironment } from '../support/daemon.ts';

const ours = new URL('../../bin/compile-cache.js', import.meta.url).href;

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-compiled-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Runs a program that keeps its compiled code in `folder`, and tells whether anything was kept there. */
function isKeptIn(folder: string): boolean {
  const program = `import { keepCompiledCode } from ${JSON.stringify(ours)};
    console.log(keepCompiledCode(${JSON.stringify(`${folder}/`)}));
    await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../protocol/names.ts')).href)});`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: cleanEnvironment(),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const isFull = existsSync(folder) && readdirSync(folder).length > 0;
  assert.equal(stdout.trim(), String(isFull));
  return isFull;
}

describe('compiled code is kept, so that the next start is fast', () => {
  test('in a folder that this user alone can reach', (t) => {
    assert.ok(isKeptIn(join(makeFolder(t), 'compiled')));
  });

  test('and never in one that others can reach, or through a link', (t) => {
    const loose = makeFolder(t);
    chmodSync(loose, 0o770);
    assert.equal(isKeptIn(loose), false);

    const real = makeFolder(t);
    const link = join(makeFolder(t), 'compiled');
    symlinkSync(real, link);
    assert.equal(isKeptIn(link), false);
    assert.deepEqual(readdirSync(real), []);
  });

  test(
    'nor in one that belongs to another user',
    { skip: process.getuid?.() !== 0 && 'only root can give a folder away' },
    (t) => {
      const given = join(makeFolder(t), 'compiled');
      mkdirSync(given, { mode: 0o700 });
      chownSync(given, 65_533, 65_533);
      assert.equal(isKeptIn(given), false);
    },
  );

  test('and never taken for that of another text, of the same length and time', (t) => {
    const folder = makeFolder(t);
    const file = join(folder, 'program.bundle');
    const script = `require(${JSON.stringify(fileURLToPath(ours))}).runKept(${JSON.stringify(file)}, 'program', ${JSON.stringify(folder)})`;
    const run = (): string => spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout;
    for (const text of ['old', 'new']) {
      writeFileSync(file, `(function () { console.log('${text}');\n})\n//${text.padStart(32, '0')}`);
      utimesSync(file, 0, 0);
      assert.deepEqual([run(), run()], [`${text}\n`, `${text}\n`]);
    }
    assert.equal(readdirSync(folder).length, 3);
  });
});
