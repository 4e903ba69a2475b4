import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { takeInstanceLock } from '../../daemon/lock.ts';

const program = `
  import { takeInstanceLock } from ${JSON.stringify(new URL('../../daemon/lock.ts', import.meta.url).href)};
  try { takeInstanceLock(process.argv[1]); console.log('taken'); process.stdin.resume(); }
  catch (error) { console.log(error.code, error.message); }`;
const argumentsFor = (path: string): string[] => ['--input-type=module', '-e', program, path];

describe('B4: a home', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hushd-lock-'));
    path = join(folder, 'hushd.lock');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('is served by one daemon, and the other is told which', () => {
    const lock = takeInstanceLock(path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const other = spawnSync(process.execPath, argumentsFor(path), { encoding: 'utf8' });
    assert.equal(other.stdout, `EXISTS another hushd serves this home (pid ${process.pid})\n`);
    lock.release();
    const restore = takeInstanceLock(path, 'restore');
    const second = spawnSync(process.execPath, argumentsFor(path), { encoding: 'utf8' });
    assert.equal(second.stdout, `EXISTS a restore works on this home (pid ${process.pid})\n`);
    restore.release();
    takeInstanceLock(path).release();
  });

  test('is free again at once when its daemon is killed', async () => {
    const holder = spawn(process.execPath, argumentsFor(path), { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
    assert.deepEqual(await lines.next(), { value: 'taken', done: false });
    assert.throws(() => takeInstanceLock(path), { code: 'EXISTS', message: new RegExp(`pid ${holder.pid}`) });
    const exit = once(holder, 'exit');
    holder.kill('SIGKILL');
    await exit;
    const lock = takeInstanceLock(path);
    assert.equal(readFileSync(path, 'latin1'), `${process.pid}\n`);
    lock.release();
  });

  test('A14: is not locked through a link or in a file that others can write', () => {
    writeFileSync(join(folder, 'elsewhere'), '');
    symlinkSync('elsewhere', path);
    assert.throws(() => takeInstanceLock(path), { code: 'UNSAFE_MODE' });
    rmSync(path);
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    assert.throws(() => takeInstanceLock(path), { code: 'UNSAFE_MODE', hint: /^chmod 600 / });
  });
});
