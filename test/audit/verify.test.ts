import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chainFileName, openChain } from '../../daemon/audit/chain.ts';
import { folderParts } from '../../daemon/audit/parts.ts';
import { noHash, readRecord, recordLine } from '../../daemon/audit/records.ts';
import { segmentFileName } from '../../daemon/audit/segments.ts';
import { type Verification, verifyChain, verifyParts } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  key,
  linesIn,
  newFolder,
  putLines,
  secretOf,
  vaultId,
  who,
  writeChain,
  writeSegments,
} from './fixtures.ts';

const seals = { vaultId, secretOf };

describe('A5: verifying a chain', () => {
  test('counts its records and names its head and last seal', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 5, 2);
    const result = await verifyChain(join(folder, chainFileName), { seals });
    const last = JSON.parse(linesIn(folder).at(-1) ?? '') as Record<string, unknown>;
    assert.deepEqual(result, {
      records: 8,
      firstSeq: 1,
      head: { seq: 8, hash: String(last['hash']) },
      start: readRecord(Buffer.from(linesIn(folder)[0] ?? '')).hash,
      seals: 2,
      sealedSeq: 7,
      stubbed: undefined,
      lost: 0,
      restoredSeq: 0,
      doubts: 0,
      doubtSeq: 0,
      tornBytes: 0,
      bad: undefined,
    } satisfies Verification);
  });

  test('finds any edit, deletion, swap or insertion of a line, at the line where it is', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 8, 3);
    const lines = linesIn(folder);
    const intact = await verifyChain(join(folder, chainFileName), { seals });
    const place = fc.nat(lines.length - 1);
    const edit = fc
      .tuple(place, fc.nat(10_000), fc.integer({ min: 1, max: 127 }))
      .map(([index, at, flip]) => {
        const line = lines[index] ?? '';
        const column = at % line.length;
        const changed = String.fromCharCode(line.charCodeAt(column) ^ flip);
        return {
          tampered: lines.with(index, line.slice(0, column) + changed + line.slice(column + 1)),
          index,
        };
      })
      .filter(({ tampered, index }) => tampered[index] !== '\n');
    const removal = place.map((index) => ({ tampered: lines.toSpliced(index, 1), index }));
    const swap = fc
      .tuple(place, place)
      .filter(([a, b]) => a < b)
      .map(([a, b]) => ({ tampered: lines.with(a, lines[b] ?? '').with(b, lines[a] ?? ''), index: a }));
    const insertion = fc.tuple(place, place).map(([from, to]) => ({
      tampered: lines.toSpliced(to, 0, lines[from] ?? ''),
      index: from === to ? to + 1 : to,
    }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(edit, removal, swap, insertion), async ({ tampered, index }) => {
        putLines(folder, tampered);
        const { bad } = await verifyChain(join(folder, chainFileName), { seals, expected: [intact.head] });
        assert.equal(bad?.line, index + 1, JSON.stringify(bad));
      }),
      { numRuns: 500 },
    );
  });

  test('names the missing tail if the head is known, and an empty chain has lost all of it', async (t) => {
    const folder = newFolder(t);
    const file = join(folder, chainFileName);
    await writeChain(folder, 5);
    const { head } = await verifyChain(file);
    const lines = linesIn(folder);
    for (let length = 0; length < lines.length; length += 1) {
      putLines(folder, lines.slice(0, length));
      assert.equal((await verifyChain(file)).bad, undefined);
      assert.deepEqual((await verifyChain(file, { expected: [head] })).bad, {
        file,
        line: length + 1,
        seq: length + 1,
        why: `records ${length + 1} to 6 are missing`,
      });
    }
  });

  test('finds a chain rebuilt without the key, at its first seal', async (t) => {
    const folder = newFolder(t);
    const file = join(folder, chainFileName);
    await writeChain(folder, 6, 3);
    let head = { seq: 0, hash: noHash };
    const rebuilt = linesIn(folder).map((line) => {
      const { event, commit, detail } = readRecord(Buffer.from(line));
      // The records of this test hold texts and numbers only.
      const facts = detail as Record<string, string | number>;
      const entry = {
        event,
        who,
        outcome: 'ok',
        detail: facts,
        ...(commit === undefined ? {} : { commit }),
      } as const;
      const made = recordLine(entry, head, { time: '2026-01-01T00:00:00.000Z', mono: 1 });
      head = made;
      return made.text.trimEnd();
    });
    putLines(folder, rebuilt);
    assert.equal((await verifyChain(file)).bad, undefined, 'hashes alone can be made by anybody');
    assert.deepEqual((await verifyChain(file, { seals })).bad, {
      file,
      line: 5,
      seq: 5,
      why: 'the seal was forged or changed',
    });
  });

  test('finds another chain in place of the one that is expected', async (t) => {
    const [folder, other] = [newFolder(t), newFolder(t)];
    await writeChain(folder, 3);
    await writeChain(other, 5);
    const { head } = await verifyChain(join(folder, chainFileName));
    copyFileSync(join(other, chainFileName), join(folder, chainFileName));
    assert.match(
      (await verifyChain(join(folder, chainFileName), { expected: [head] })).bad?.why ?? '',
      /not the one/,
    );
  });

  test('tells a torn end apart from a bad record', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 2);
    appendFileSync(join(folder, chainFileName), '{"seq":4,');
    const { records, tornBytes, bad } = await verifyChain(join(folder, chainFileName));
    assert.deepEqual([records, tornBytes, bad], [3, 9, undefined]);
  });

  test('refuses a chain of another format, one that does not start, and an endless line', async (t) => {
    const folder = newFolder(t);
    const file = join(folder, chainFileName);
    const begin = (event: string, format: number): void => {
      const entry = { event, who, outcome: 'ok', detail: { format } } as const;
      const { text } = recordLine(entry, { seq: 0, hash: noHash }, { time: 'x', mono: 1 });
      putLines(folder, [text.trimEnd()]);
    };
    begin('chain.start', 2);
    const newer = (await verifyChain(file)).bad;
    assert.deepEqual([newer?.file, newer?.line, newer?.code], [file, 1, 'NEWER_FORMAT']);
    begin('secret.get', 1);
    assert.match((await verifyChain(file)).bad?.why ?? '', /not the start/);
    putLines(folder, ['x'.repeat(3_000_000)]);
    assert.match((await verifyChain(file)).bad?.why ?? '', /longer/);
  });

  test('refuses bytes beyond ASCII, whatever their hash was made of', async (t) => {
    const folder = newFolder(t);
    const file = join(folder, chainFileName);
    await writeChain(folder, 1);
    const [first = '', second = ''] = linesIn(folder);
    const body = second.slice(0, second.indexOf(',"hash"')).replace('global', 'glob\u009bl');
    for (const encoding of ['latin1', 'utf8'] as const) {
      const digest = createHash('sha256').update(Buffer.from(body, encoding)).digest('hex');
      putLines(folder, [first, `${body},"hash":"${digest}"}`]);
      assert.equal((await verifyChain(file)).bad?.line, 2, encoding);
      assert.throws(() => readRecord(Buffer.from(`${body},"hash":"${digest}"}`, 'latin1')), {
        code: 'INTEGRITY',
      });
    }
  });

  test('says of a FIFO and of a folder in place of a file that they are none, and waits for nothing', async (t) => {
    const folder = newFolder(t);
    execFileSync('mkfifo', [join(folder, segmentFileName(1))]);
    mkdirSync(join(folder, segmentFileName(2)));
    for (const number of [1, 2]) {
      const { bad } = await verifyChain(join(folder, segmentFileName(number)));
      assert.match(bad?.why ?? '', /is not a regular file$/);
    }
  });

  test('takes an empty last file only for the one that a crash leaves: the very next', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 2);
    const verified = async (): Promise<string | undefined> =>
      (await verifyParts(folderParts(folder))).bad?.why;
    writeFileSync(join(folder, segmentFileName(3)), '', { mode: 0o600 });
    assert.equal(await verified(), undefined);
    renameSync(join(folder, segmentFileName(3)), join(folder, segmentFileName(9)));
    assert.equal(await verified(), 'segment 3 is missing');
    assert.throws(
      () => openChain(folder, 'p'),
      (error: unknown) => {
        assert.ok(error instanceof HushError);
        assert.match(error.hint, /mv \S+0000000009\.jsonl \S+\.changed$/);
        return true;
      },
    );
  });

  test('of a file that is not there is UNAVAILABLE', async () => {
    await assert.rejects(verifyChain('/nowhere/at/all'), { code: 'UNAVAILABLE' });
  });

  test('keys that are not the one of the seal verify nothing', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 2, 1);
    const wrong = { vaultId, secretOf: (id: string) => (id === key.id ? new Uint8Array(32) : undefined) };
    assert.equal((await verifyChain(join(folder, chainFileName), { seals: wrong })).bad?.line, 3);
  });
});
