import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { folderParts } from '../../daemon/audit/parts.ts';
import { recordLine } from '../../daemon/audit/records.ts';
import { type KeptChain, segmentsDue } from '../../daemon/audit/retention.ts';
import { chainFiles, segmentFileName, stubFileName } from '../../daemon/audit/segments.ts';
import { readStub, stubLine } from '../../daemon/audit/stubs.ts';
import { type Verification, type VerifyOptions, verifyParts } from '../../daemon/audit/verify.ts';
import { placesVouchedFor } from '../../daemon/audit/vouched-places.ts';
import {
  giveUp,
  got,
  key,
  keys,
  newFolder,
  sealAt,
  secretOf,
  vaultId,
  who,
  withChain,
  writeSegments,
} from './fixtures.ts';
import { rebuilt } from './live-log.ts';

const seals = { vaultId, secretOf };
const verify = (folder: string, options: VerifyOptions = { seals }): Promise<Verification> =>
  verifyParts(folderParts(folder), options);
const stubLines = (folder: string): string[] =>
  readFileSync(join(folder, stubFileName), 'latin1').split('\n').slice(0, -1);
const putStubs = (folder: string, lines: readonly string[]): void => {
  writeFileSync(join(folder, stubFileName), lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
};

const day = 86_400_000;

describe('the segments that are due', () => {
  const segments = [1, 2, 3, 4, 5].map((number) => ({ number, path: String(number), bytes: 100 }));
  const due = (limits: object, ages: readonly number[], newest = 5): number[] =>
    segmentsDue(
      segments,
      newest,
      { keepBytes: 0, keepDays: 0, minAgeDays: 0, ...limits },
      ({ number }) => (ages[number - 1] ?? 0) * day,
    ).map(({ number }) => number);
  const ages = [50, 40, 30, 20, 0];

  test('are none without bounds', () => {
    assert.deepEqual(due({}, ages), []);
  });

  test('are the oldest that there is no room for', () => {
    assert.deepEqual(due({ keepBytes: 500 }, ages), []);
    assert.deepEqual(due({ keepBytes: 499 }, ages), [1]);
    assert.deepEqual(due({ keepBytes: 250 }, ages), [1, 2, 3]);
  });

  test('are those that are older than is kept', () => {
    assert.deepEqual(due({ keepDays: 35 }, ages), [1, 2]);
    assert.deepEqual(due({ keepDays: 35, keepBytes: 250 }, ages), [1, 2, 3]);
  });

  test('are never younger than the least age, whatever the other bounds', () => {
    assert.deepEqual(due({ keepBytes: 1, minAgeDays: 35 }, ages), [1, 2]);
    assert.deepEqual(due({ keepBytes: 1, minAgeDays: 90 }, ages), []);
    assert.deepEqual(due({ keepBytes: 1 }, [NaN, 40, 30, 20, 0]), [], 'an unknown age is no age');
    assert.deepEqual(due({ keepBytes: 1 }, [-400, 40, 30, 20, 0]), [], 'nor is one in the future');
  });

  test('are never the one that is written to', () => {
    assert.deepEqual(due({ keepBytes: 1 }, ages), [1, 2, 3, 4]);
    assert.deepEqual(due({ keepBytes: 1 }, ages, 3), [1, 2]);
  });
});

describe('giving up segments', () => {
  test('leaves a stub each that says what they were, and the chain verifies across them', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 5);
    const whole = await verify(folder);
    assert.deepEqual(await giveUp(folder, { keepBytes: 1 }), [1, 2, 3, 4]);
    assert.deepEqual(readdirSync(folder).sort(), [segmentFileName(5), stubFileName]);
    const [first, , third] = stubLines(folder).map((line) => readStub(Buffer.from(line)));
    assert.deepEqual([first?.segment, first?.firstSeq, first?.lastSeq, first?.start], [1, 1, 5, whole.start]);
    assert.equal(third?.firstSeq, 11);
    const found = await verify(folder);
    assert.deepEqual(
      [found.bad, found.head, found.start, found.firstSeq],
      [undefined, whole.head, whole.start, 1],
    );
    assert.equal(found.records, 5);
    const { segments, firstSeq, lastSeq } = found.stubbed ?? {};
    assert.deepEqual([segments, firstSeq, lastSeq], [4, 1, 20]);
    await withChain(folder, async (chain) => {
      chain.append(got(1));
      assert.equal((await chain.lastSeal(vaultId, secretOf))?.commit, 5);
      assert.equal(await chain.requirePassed({ seq: 3, hash: 'a'.repeat(64) }), false);
      assert.equal(
        await chain.requirePassed({
          seq: 20,
          hash: readStub(Buffer.from(stubLines(folder).at(-1) ?? '')).lastHash,
        }),
        true,
      );
      const refuse = (): never => assert.fail('asked');
      await assert.rejects(chain.requirePassed({ seq: 3, hash: 'a'.repeat(64) }, refuse), {
        message: 'asked',
      });
      await assert.rejects(chain.requirePassed({ seq: 20, hash: 'a'.repeat(64) }), { code: 'INTEGRITY' });
    });
    assert.equal((await verify(folder)).bad, undefined);
  });

  test('goes on where it was cut off, and writes a stub that was torn anew', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 4);
    const kept = readFileSync(join(folder, segmentFileName(1)));
    await giveUp(folder, { keepBytes: 1 });
    const lines = stubLines(folder);
    // The stub is there, and its segment still is.
    writeFileSync(join(folder, segmentFileName(3)), kept, { mode: 0o600 });
    assert.equal((await verify(folder)).bad, undefined);
    await giveUp(folder, { keepBytes: 1 });
    assert.ok(!existsSync(join(folder, segmentFileName(3))));
    assert.deepEqual(stubLines(folder), lines);

    const torn = newFolder(t);
    await writeSegments(torn, 4);
    writeFileSync(join(torn, stubFileName), '{"stub":1,"seg', { mode: 0o600 });
    assert.equal((await verify(torn)).bad, undefined);
    assert.deepEqual(await giveUp(torn, { keepBytes: 1 }), [1, 2, 3]);
    assert.equal((await verify(torn)).bad, undefined);
  });

  test('keeps what no seal vouches for yet, and what was tampered with', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, (chain) => {
      for (let number = 0; number < 3; number += 1) {
        chain.append(got(number));
        chain.rotate();
      }
    });
    assert.deepEqual(await giveUp(folder, { keepBytes: 1 }), []);
    const other = newFolder(t);
    await writeSegments(other, 4);
    const path = join(other, segmentFileName(2));
    const text = readFileSync(path, 'latin1');
    writeFileSync(path, text.replace('global/name-2', 'global/name-9'));
    await assert.rejects(giveUp(other, { keepBytes: 1 }), { code: 'INTEGRITY' });
    assert.deepEqual(
      chainFiles(other).segments.map(({ number }) => number),
      [2, 3, 4],
    );
  });

  /** A daemon's chain in three closed segments and an open one, and a profile's with a seal after each of its records. */
  async function twoChains(t: TestContext): Promise<{ folder: string; places: KeptChain['places'] & {} }> {
    const folder = newFolder(t);
    const profile = newFolder(t);
    await withChain(profile, (sealing) =>
      withChain(folder, (chain) => {
        for (let number = 0; number < 9; number += 1) {
          chain.append(got(number));
          chain.flush();
          sealing.seal({ ...sealAt(number), daemon: { ...chain.head(), start: chain.start } }, key);
          if (number % 3 === 2) chain.rotate();
        }
      }),
    );
    const vouching = { folder: profile, by: 'a seal of profiles/p', keys: () => keys };
    return { folder, places: (range) => placesVouchedFor(vouching, range) };
  }

  test('of the daemon, whose chain has no seals of its own, takes the places that those of profiles remember', async (t) => {
    const { folder, places } = await twoChains(t);
    assert.deepEqual(await giveUp(folder, { keepBytes: 1 }, () => Promise.resolve(undefined)), []);
    assert.deepEqual(await giveUp(folder, { keepBytes: 1 }, () => Promise.resolve([])), []);
    // The records of the third segment are remembered, but for the last, which nothing vouches for.
    assert.deepEqual(await giveUp(folder, { keepBytes: 1 }, places), [1, 2, 3]);
    assert.equal((await verify(folder)).bad, undefined);
  });

  test('keeps what of the daemon’s chain is not what a seal of an open profile remembers, made anew with right hashes or not', async (t) => {
    const { folder, places } = await twoChains(t);
    const path = join(folder, segmentFileName(1));
    const files = new Map(
      chainFiles(folder).segments.map((segment) => [
        segmentFileName(segment.number),
        readFileSync(segment.path, 'latin1'),
      ]),
    );
    for (const [name, text] of rebuilt(files, segmentFileName(1), 2)) writeFileSync(join(folder, name), text);
    assert.equal((await verify(folder)).bad, undefined, 'its hashes fit');
    await assert.rejects(giveUp(folder, { keepBytes: 1 }, places), {
      code: 'INTEGRITY',
      message: /a seal of profiles\/p remembers/,
    });
    assert.ok(existsSync(path));
  });
});

describe('a stub', () => {
  test('cannot be changed, made without the key, left out, doubled or moved', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 5);
    await giveUp(folder, { keepBytes: 1 });
    const lines = stubLines(folder);
    const [one = '', two = ''] = lines;
    const forged = stubLine(readStub(Buffer.from(two)), { id: key.id, secret: new Uint8Array(32) }).trimEnd();
    const cases: Record<string, readonly string[]> = {
      'a changed time': lines.with(1, two.replace(/"lastTime":"2/, '"lastTime":"1')),
      'another key': lines.with(1, forged),
      'one left out': lines.toSpliced(1, 1),
      'the first left out': lines.slice(1),
      'one twice': lines.toSpliced(1, 0, one),
      'two in the wrong order': lines.with(0, two).with(1, one),
      'a damaged line': lines.with(1, two.slice(0, -5)),
    };
    for (const [what, changed] of Object.entries(cases)) {
      putStubs(folder, changed);
      assert.notEqual((await verify(folder)).bad, undefined, what);
    }
    putStubs(folder, lines.with(1, forged));
    assert.equal((await verify(folder, {})).bad, undefined, 'without the key nobody can tell');
  });

  test('does not hide a chain that does not continue it', async (t) => {
    const folder = newFolder(t);
    await writeSegments(folder, 3);
    await giveUp(folder, { keepBytes: 1 });
    const other = newFolder(t);
    await writeSegments(other, 3);
    writeFileSync(join(folder, segmentFileName(3)), readFileSync(join(other, segmentFileName(3))));
    assert.match((await verify(folder, {})).bad?.why ?? '', /continue/);
    rmSync(join(folder, segmentFileName(3)));
    const { text } = recordLine(
      { event: 'chain.start', who, outcome: 'ok', detail: { chain: 'p', format: 1 } },
      { seq: 0, hash: '0'.repeat(64) },
      { time: '2026-01-01T00:00:00.000Z', mono: 1 },
    );
    writeFileSync(join(folder, segmentFileName(3)), text);
    assert.notEqual((await verify(folder, {})).bad, undefined);
  });
});
