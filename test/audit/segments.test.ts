import assert from 'node:assert/strict';
import {
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openChain } from '../../daemon/audit/chain.ts';
import { folderParts } from '../../daemon/audit/parts.ts';
import { readRecord } from '../../daemon/audit/records.ts';
import { segmentFileName } from '../../daemon/audit/segments.ts';
import { type Verification, verifyParts } from '../../daemon/audit/verify.ts';
import {
  got,
  key,
  newFolder,
  sealAt,
  secretOf,
  vaultId,
  withChain,
  writeChain,
  writeSegments,
} from './fixtures.ts';

const seals = { vaultId, secretOf };
const verify = (folder: string): Promise<Verification> => verifyParts(folderParts(folder), { seals });
const linesOf = (folder: string, number: number): string[] =>
  readFileSync(join(folder, segmentFileName(number)), 'latin1')
    .split('\n')
    .slice(0, -1);
const recordsOf = (folder: string, number: number) =>
  linesOf(folder, number).map((line) => readRecord(Buffer.from(line)));

describe('a chain in segments', () => {
  test('goes on in the next file with the next number and the hash of the last record', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, (chain) => {
      chain.append(got(1));
      chain.rotate();
      chain.append(got(2));
      chain.flush();
      assert.deepEqual([chain.segment(), chain.file], [2, join(folder, segmentFileName(2))]);
      assert.equal(chain.bytes(), statSync(chain.file).size);
    });
    const [start, last] = recordsOf(folder, 1);
    const [first, next] = recordsOf(folder, 2);
    assert.deepEqual([first?.event, first?.seq, first?.prev], ['chain.continue', 3, last?.hash]);
    assert.deepEqual(first?.detail, { chain: 'p', format: 1, segment: 2, start: start?.hash });
    assert.equal(next?.seq, 4);
    assert.equal(statSync(join(folder, segmentFileName(2))).mode & 0o777, 0o600);
    const { bad, records } = await verify(folder);
    assert.deepEqual([bad, records], [undefined, 4]);
  });

  test('is opened where it ends, and that of one file, as earlier releases made it, goes on unchanged', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 2);
    const before = readFileSync(join(folder, segmentFileName(1)));
    await withChain(folder, (chain) => {
      chain.rotate();
    });
    await withChain(folder, (chain) => {
      assert.deepEqual([chain.segment(), chain.head().seq], [2, 4]);
      chain.append(got(1));
    });
    assert.deepEqual(readFileSync(join(folder, segmentFileName(1))), before);
    assert.equal((await verify(folder)).records, 5);
  });

  test('keeps records in order when syncs are under way while it begins the next file', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, async (chain) => {
      const waits: Promise<void>[] = [];
      for (let number = 0; number < 40; number += 1) {
        chain.append(got(number));
        chain.flush();
        waits.push(chain.sync());
        if (number % 10 === 5) chain.rotate();
      }
      await Promise.all(waits);
      assert.deepEqual(chain.syncedHead(), chain.head());
    });
    const { records, bad } = await verify(folder);
    assert.deepEqual([records, bad], [45, undefined]);
  });

  test('finds its newest seal in an earlier file, and the records behind it in both', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, async (chain) => {
      chain.seal(sealAt(7), key);
      chain.append(got(1));
      chain.rotate();
      chain.append(got(2));
      chain.rotate();
      assert.equal((await chain.lastSeal(vaultId, secretOf))?.commit, 7);
      const lines = linesOf(folder, 2);
      writeFileSync(join(folder, segmentFileName(2)), lines.slice(0, 1).join('\n') + '\n');
      await assert.rejects(chain.lastSeal(vaultId, secretOf), { code: 'INTEGRITY' });
    });
  });

  test('passes through the places that it was at, in whatever file, and no others', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, async (chain) => {
      const places = [chain.head()];
      for (let number = 1; number < 30; number += 1) {
        chain.append(got(number));
        if (number % 7 === 0) chain.rotate();
        chain.flush();
        places.push(chain.head());
      }
      for (const place of places) await chain.requirePassed(place);
      const [first, second] = places;
      assert.ok(first && second);
      await assert.rejects(chain.requirePassed({ ...first, hash: second.hash }), { code: 'INTEGRITY' });
      await assert.rejects(chain.requirePassed({ ...first, seq: 1_000 }), { code: 'INTEGRITY' });
    });
  });
});

describe('a crash while the next file is begun', () => {
  test('at any byte of its first line leaves a chain that goes on and verifies', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 2);
    await withChain(folder, (chain) => {
      chain.rotate();
    });
    const file = join(folder, segmentFileName(3));
    const whole = readFileSync(file);
    for (let length = whole.length; length >= 0; length -= length > 11 ? 11 : 1) {
      writeFileSync(file, whole);
      truncateSync(file, length);
      await withChain(folder, (chain) => {
        assert.equal(chain.segment(), 3);
        chain.append(got(1));
      });
      const events = recordsOf(folder, 3).map(({ event }) => event);
      const isTorn = length > 0 && length < whole.length;
      assert.deepEqual(events, ['chain.continue', ...(isTorn ? ['audit.repaired'] : []), 'secret.get']);
      const { bad, tornBytes } = await verify(folder);
      assert.deepEqual([bad, tornBytes], [undefined, 0], `cut at ${length}`);
    }
  });

  test('or before the file is there leaves the chain in the old one', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 2);
    rmSync(join(folder, segmentFileName(2)));
    await withChain(folder, (chain) => {
      assert.equal(chain.segment(), 1);
      chain.append(got(1));
    });
    assert.equal((await verify(folder)).bad, undefined);
  });

  test('and one that went on in the old file all the same is put in order: no record of it is lost', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 2);
    const chain = openChain(folder, 'p');
    chain.rotate();
    await chain.close();
    // As if the next file could neither be used nor removed: the records after it are in the old one.
    const next = readFileSync(join(folder, segmentFileName(2)));
    rmSync(join(folder, segmentFileName(2)));
    await writeChain(folder, 3);
    writeFileSync(join(folder, segmentFileName(2)), next, { mode: 0o600 });
    await withChain(folder, (again) => {
      assert.deepEqual([again.segment(), again.head().seq], [2, 7]);
    });
    assert.deepEqual([(await verify(folder)).records, (await verify(folder)).bad], [7, undefined]);
  });
});

describe('opening a chain in segments', () => {
  test('refuses one whose files do not continue each other, and says what to move away', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 3);
    await withChain(folder, (chain) => {
      chain.rotate();
    });
    rmSync(join(folder, segmentFileName(3)));
    assert.throws(() => openChain(folder, 'p'), {
      code: 'INTEGRITY',
      message: /segment 3 of the audit is missing/,
      hint: new RegExp(`mv ${folder} ${folder}\\.changed$`),
    });
    const other = newFolder(t);
    await writeSegments(other, 2);
    writeFileSync(join(other, segmentFileName(2)), readFileSync(join(other, segmentFileName(1))));
    assert.throws(() => openChain(other, 'p'), { code: 'INTEGRITY' });
    assert.ok(existsSync(join(other, segmentFileName(2))));
  });

  test('refuses stubs without any record', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 2);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    writeFileSync(join(folder, 'stubs.jsonl'), '', { mode: 0o600 });
    assert.throws(() => openChain(folder, 'p'), { code: 'INTEGRITY', message: /none of its records/ });
  });
});
