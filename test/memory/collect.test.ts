import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';

import { fixedFlags } from '../../daemon/bootstrap.ts';
import { collectGarbage } from '../../daemon/memory/collect.ts';

/** The secret of the child below, which makes it by the same rule, so that it stands in no source or message. */
const secret = Uint8Array.from({ length: 32 }, (_, index) => (index * 73 + 41) % 256);

const program = `
  import { createSecretKey } from 'node:crypto';
  import { createInterface } from 'node:readline';
  import { collectGarbage } from ${JSON.stringify(new URL('../../daemon/memory/collect.ts', import.meta.url).href)};
  const live = [];
  const fill = () => {
    const bytes = new Uint8Array(new ArrayBuffer(32));
    for (let index = 0; index < 32; index += 1) bytes[index] = (index * 73 + 41) % 256;
    for (let copy = 0; copy < 100; copy += 1) {
      live.push(createSecretKey(bytes), Buffer.from(bytes.buffer).toString('hex') + copy);
    }
    bytes.fill(0);
  };
  const steps = { fill, collect: () => { live.length = 0; collectGarbage(); } };
  createInterface({ input: process.stdin }).on('line', (line) => { steps[line](); console.log(line); });`;

describe('dead secrets', () => {
  test('A16: strings and KeyObjects that nothing refers to are nowhere in the process after a collection', async () => {
    const child = spawn(process.execPath, [...fixedFlags, '--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const run = async (step: string): Promise<void> => {
      child.stdin.write(`${step}\n`);
      assert.deepEqual(await lines.next(), { value: step, done: false });
    };
    const needles = [secret, Buffer.from(secret).toString('hex')];
    await run('fill');
    assert.ok(needles.every((needle) => copiesIn(child.pid, needle) >= 100));
    await run('collect');
    assert.deepEqual(
      needles.map((needle) => copiesIn(child.pid, needle)),
      [0, 0],
    );
    child.stdin.end();
  });

  test('cannot be collected without the flags of the bootstrap, which is an error', () => {
    assert.throws(() => collectGarbage(), { code: 'UNAVAILABLE', message: /--expose-gc/ });
  });
});

/** How often the bytes stand in the readable memory of another process. */
function copiesIn(pid: number | undefined, needle: Uint8Array | string): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(1 << 22);
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n');
    return maps.reduce((copies, line) => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) r(?!.*\[v)/.exec(line) ?? [];
      if (start === undefined || end === undefined) return copies;
      return copies + copiesBetween(memory, BigInt(`0x${start}`), BigInt(`0x${end}`), needle, chunk);
    }, 0);
  } finally {
    closeSync(memory);
  }
}

function copiesBetween(
  memory: number,
  start: bigint,
  end: bigint,
  needle: Uint8Array | string,
  chunk: Buffer,
): number {
  let copies = 0;
  for (let position = start; position < end;) {
    const wanted = Number(end - position) < chunk.length ? Number(end - position) : chunk.length;
    const read = readSync(memory, chunk, 0, wanted, position);
    const bytes = chunk.subarray(0, read);
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) copies += 1;
    if (read === 0) break;
    position += BigInt(read);
  }
  return copies;
}
