import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  checkpointLine,
  isCheckpoint,
  parseCheckpoint,
  proveCheckpoint,
} from '../../daemon/audit/checkpoint.ts';
import { createChainCheck } from '../../daemon/audit/check.ts';
import { proveLine } from '../../daemon/audit/prove-line.ts';
import { noHash, readRecord, recordLine, recordPrefix } from '../../daemon/audit/records.ts';
import { openSeal, sealEntry } from '../../daemon/audit/seals.ts';
import { proveStub, readStub, stubLine } from '../../daemon/audit/stubs.ts';

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('\n## Audit\n'), page.indexOf('\n## Backup\n'));
const allLines = section.split('\n');
const lines = allLines.filter((line) => line.startsWith('{"seq":'));
const stub = allLines.find((line) => line.startsWith('{"stub":')) ?? '';
const checkpoint = allLines.find(isCheckpoint) ?? '';
const vaultId = '00112233445566778899aabbccddeeff';
const secret = Uint8Array.from({ length: 32 }, (_, index) => index);
const key = { id: '0102030405060708', secret };
const secretOf = (): Uint8Array => secret;
const time = '2026-01-02T03:04:05.678Z';
const recordAt = (index: number) => readRecord(Buffer.from(lines[index] ?? ''));

test('the records of docs/formats.md are what the code writes', () => {
  const who = recordPrefix({ client: 'daemon', uid: 1000, gid: 1000, pid: 4242 });
  const moment = { time, mono: 123456 };
  const about = { chain: 'default', format: 1 };
  const start = recordLine(
    { event: 'chain.start', who, outcome: 'ok', detail: about },
    { seq: 0, hash: noHash },
    moment,
  );
  const daemon = { seq: 3, hash: 'ab'.repeat(32) };
  const state = { vaultId, commit: 7, generation: 2, daemon };
  const early = recordLine(sealEntry(state, key, start, who), start, moment);
  const whole = { ...state, daemon: { ...daemon, start: 'cd'.repeat(32) } };
  const seal = recordLine(sealEntry(whole, key, early, who), early, moment);
  const next = recordLine(
    { event: 'chain.continue', who, outcome: 'ok', detail: { ...about, segment: 2, start: start.hash } },
    seal,
    moment,
  );
  assert.deepEqual(
    lines,
    [start, early, seal, next].map(({ text }) => text.trimEnd()),
  );
});

test('the seals of docs/formats.md open with their key, and with no other', () => {
  const seals = [1, 2].map((index) => openSeal(recordAt(index), vaultId, secretOf));
  assert.deepEqual(
    seals.map(({ seq, commit, generation, daemon }) => [seq, commit, generation, daemon?.start]),
    [
      [2, 7, 2, undefined],
      [3, 7, 2, 'cd'.repeat(32)],
    ],
  );
  for (const index of [1, 2]) {
    assert.throws(() => openSeal(recordAt(index), vaultId, () => new Uint8Array(32)), { code: 'INTEGRITY' });
  }
});

test('the stub and the checkpoint of docs/formats.md are what the code writes, and are proved by their key alone', () => {
  const [first, last, next] = [recordAt(0), recordAt(2), recordAt(3)];
  const facts = {
    segment: 1,
    start: first.hash,
    vaultId,
    firstSeq: first.seq,
    lastSeq: last.seq,
    firstTime: time,
    lastTime: time,
    prev: noHash,
    lastHash: last.hash,
  };
  assert.equal(`${stub}\n`, stubLine(facts, key));
  const place = { chain: 'profiles/default', start: first.hash, seq: next.seq, hash: next.hash, time };
  assert.equal(checkpoint, checkpointLine(place, { vaultId, key }));
  proveStub(readStub(Buffer.from(stub)), vaultId, secretOf);
  proveCheckpoint(parseCheckpoint(checkpoint), vaultId, secretOf);
  for (const line of [stub, checkpoint, ...lines.slice(1, 3)]) {
    proveLine(line, vaultId, secretOf);
    assert.throws(() => proveLine(line, vaultId, () => new Uint8Array(32)), { code: 'INTEGRITY' });
    assert.throws(() => proveLine(line, 'f'.repeat(32), secretOf), { code: 'INTEGRITY' });
  }
  for (const line of [lines[0] ?? '', '{', 'hushd-checkpoint 1 x']) {
    assert.throws(() => proveLine(line, vaultId, secretOf), { code: /^(INTEGRITY|DAMAGED)$/ });
  }
});

test('the second segment of docs/formats.md continues the stub of the first', () => {
  const check = createChainCheck({ seals: { vaultId, secretOf } });
  check.stub(Buffer.from(stub));
  assert.equal(check.beginSegment(1), false, 'its own segment is not read beside it');
  assert.ok(check.beginSegment(2));
  check.record(Buffer.from(lines[3] ?? ''));
  check.end();
  assert.equal(check.found().head.seq, 4);
});

test('a checkpoint of a newer release, or of other words, is refused by name', () => {
  assert.throws(() => parseCheckpoint(checkpoint.replace(' 1 ', ' 2 ')), { code: 'NEWER_FORMAT' });
  for (const text of [
    '',
    'x',
    checkpoint.slice(0, -1),
    `${checkpoint} more`,
    checkpoint.replace(' 4 ', ' 04 '),
  ]) {
    assert.throws(() => parseCheckpoint(text), { code: 'DAMAGED' }, text);
  }
  assert.equal(parseCheckpoint(`  ${checkpoint}\r\n`).seq, 4, 'blanks around it do not matter');
});
