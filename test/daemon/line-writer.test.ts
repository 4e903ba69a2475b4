import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createLineWriter } from '../../daemon/line-writer.ts';

const tellLost = ({ lines, reason }: { lines: number; reason: string }): string =>
  `lost ${lines} ${reason}\n`;

/** A pipe whose writer is told EAGAIN when it is full, and all that is in it now. */
function makePipe(t: TestContext): { readonly fd: number; take(most: number): string } {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return {
    fd,
    take(most) {
      const bytes = Buffer.alloc(most);
      return bytes.toString('latin1', 0, readSync(fd, bytes));
    },
  };
}

describe('the writer of lines', () => {
  test('writes each line at once', (t) => {
    const { fd, take } = makePipe(t);
    const write = createLineWriter(fd, tellLost);
    for (const line of ['one\n', 'two\n']) {
      write(line);
      assert.equal(take(100), line);
    }
  });

  test('drops what nobody takes, finishes the line that was begun, and tells how many are lost', (t) => {
    const { fd, take } = makePipe(t);
    const write = createLineWriter(fd, tellLost);
    const lines = Array.from({ length: 200 }, (_, at) => `${at} ${'x'.repeat(5000)}\n`);
    for (const line of lines) write(line);
    let text = take(1 << 20);
    write('after\n');
    text += take(1 << 20);

    const told = text.trimEnd().split('\n');
    assert.equal(told.pop(), 'after');
    const [, lost, reason] = /^lost (\d+) (\w+)$/.exec(told.pop() ?? '') ?? [];
    assert.equal(reason, 'EAGAIN');
    assert.deepEqual(
      told.map((line) => `${line}\n`),
      lines.slice(0, told.length),
    );
    assert.equal(Number(lost), lines.length - told.length);
  });

  test('goes on where the device takes nothing at all', (t) => {
    const fd = openSync('/dev/full', 'w');
    t.after(() => {
      closeSync(fd);
    });
    const write = createLineWriter(fd, tellLost);
    for (let time = 0; time < 3; time += 1) write('line\n');
  });
});
