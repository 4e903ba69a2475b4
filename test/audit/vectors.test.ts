import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { noHash, readRecord, recordLine, recordPrefix } from '../../daemon/audit/records.ts';
import { openSeal, sealEntry } from '../../daemon/audit/seals.ts';

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('\n## Audit\n'));
const lines = section.split('\n').filter((line) => line.startsWith('{"seq":'));
const vaultId = '00112233445566778899aabbccddeeff';
const secret = Uint8Array.from({ length: 32 }, (_, index) => index);

test('the records of docs/formats.md are what the code writes', () => {
  const who = recordPrefix({ client: 'daemon', uid: 1000, gid: 1000, pid: 4242 });
  const moment = { time: '2026-01-02T03:04:05.678Z', mono: 123456 };
  const detail = { chain: 'default', format: 1 };
  const start = recordLine(
    { event: 'chain.start', who, outcome: 'ok', detail },
    { seq: 0, hash: noHash },
    moment,
  );
  const state = { vaultId, commit: 7, generation: 2, daemon: { seq: 3, hash: 'ab'.repeat(32) } };
  const seal = recordLine(sealEntry(state, { id: '0102030405060708', secret }, start, who), start, moment);
  assert.deepEqual(lines, [start.text.trimEnd(), seal.text.trimEnd()]);
});

test('the seal of docs/formats.md opens with its key', () => {
  const seal = openSeal(readRecord(Buffer.from(lines[1] ?? '')), vaultId, () => secret);
  assert.deepEqual([seal.seq, seal.commit, seal.generation], [2, 7, 2]);
});
