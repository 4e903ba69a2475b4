import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { clearCloseOnExec, flockExclusive, pipe } from '../../native/descriptors.ts';

const O_CLOEXEC = 0o2000000;
const closesOnExec = (fd: number): boolean => {
  const flags = /^flags:\t([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '';
  return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
};

describe('descriptors', () => {
  test('a pipe carries bytes, and neither end outlives an execve', () => {
    const { readEnd, writeEnd } = pipe();
    assert.ok(closesOnExec(readEnd) && closesOnExec(writeEnd));
    writeSync(writeEnd, 'hello');
    closeSync(writeEnd);
    const bytes = Buffer.alloc(9);
    assert.equal(readSync(readEnd, bytes), 5);
    assert.equal(readSync(readEnd, bytes), 0);
    closeSync(readEnd);
  });

  test('a descriptor can be made to outlive an execve', () => {
    const { readEnd, writeEnd } = pipe();
    clearCloseOnExec(readEnd);
    assert.equal(closesOnExec(readEnd), false);
    closeSync(readEnd);
    closeSync(writeEnd);
    assert.throws(() => clearCloseOnExec(readEnd), { code: 'UNAVAILABLE', message: /EBADF/ });
  });

  test('one open file at a time has the lock, and closing it gives it back', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hushd-flock-'));
    const [first, second] = [openSync(join(folder, 'lock'), 'a'), openSync(join(folder, 'lock'), 'a')];
    assert.equal(flockExclusive(first), true);
    assert.equal(flockExclusive(second), false);
    closeSync(first);
    assert.equal(flockExclusive(second), true);
    closeSync(second);
    assert.throws(() => flockExclusive(second), { code: 'UNAVAILABLE', message: /EBADF/ });
    rmSync(folder, { recursive: true });
  });
});

describe('the process', () => {
  test('dumps no core and cannot be traced by its user, once it says so', () => {
    const program = `
      import { coreLimit, isDumpable, setCoreLimitZero, setNotDumpable } from ${JSON.stringify(
        new URL('../../native/process.ts', import.meta.url).href,
      )};
      const before = isDumpable();
      setNotDumpable();
      setCoreLimitZero();
      const { soft, hard } = coreLimit();
      console.log(JSON.stringify([before, isDumpable(), Number(soft), Number(hard)]));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    assert.deepEqual(JSON.parse(stdout), [true, false, 0, 0]);
  });
});
