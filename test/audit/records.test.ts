import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createAuditClock } from '../../daemon/audit/clock.ts';
import {
  type AuditEntry,
  jsonText,
  noHash,
  readRecord,
  recordLine,
  recordPrefix,
} from '../../daemon/audit/records.ts';

const start = { seq: 0, hash: noHash };
const moment = { time: '2026-01-02T03:04:05.678Z', mono: 90 };
const actor = { client: 'app', uid: 1, gid: 2, pid: 3, exe: '/usr/bin/node' };
const entry: AuditEntry = {
  event: 'secret.set',
  who: recordPrefix(actor),
  outcome: 'failed',
  profile: 'default',
  key: 'global/a',
  code: 'CONFLICT',
  commit: 7,
  detail: { bytes: 12, forced: true, note: 'x' },
};

const lineOf = (text: string): Buffer => Buffer.from(text.slice(0, -1), 'latin1');

describe('a record', () => {
  test('is one line of JSON with its fields in a fixed order', () => {
    const { text, hash } = recordLine(entry, start, moment);
    assert.equal(
      text,
      '{"seq":1,"time":"2026-01-02T03:04:05.678Z","mono":90,"event":"secret.set","profile":"default","client":"app",' +
        '"uid":1,"gid":2,"pid":3,"exe":"/usr/bin/node","key":"global/a","outcome":"failed","code":"CONFLICT",' +
        `"commit":7,"detail":{"bytes":12,"forced":true,"note":"x"},"prev":"${noHash}","hash":"${hash}"}\n`,
    );
  });

  test('has the SHA-256 of all bytes before its hash', () => {
    const { text, hash } = recordLine(entry, start, moment);
    const body = text.slice(0, text.indexOf(',"hash":"'));
    assert.equal(createHash('sha256').update(body).digest('hex'), hash);
  });

  test('leaves out what it does not have', () => {
    const who = recordPrefix({ client: 'owner', uid: 1, gid: 2, pid: 3 });
    const { text } = recordLine({ event: 'hello', who, outcome: 'ok' }, start, moment);
    const fields = ['seq', 'time', 'mono', 'event', 'client', 'uid', 'gid', 'pid', 'outcome', 'prev', 'hash'];
    assert.deepEqual(Object.keys(JSON.parse(text) as object), fields);
  });

  test('is read back with what chaining needs', () => {
    const line = recordLine(entry, { seq: 4, hash: 'ab'.repeat(32) }, moment);
    assert.deepEqual(readRecord(lineOf(line.text)), {
      seq: 5,
      hash: line.hash,
      prev: 'ab'.repeat(32),
      event: 'secret.set',
      commit: 7,
      detail: { bytes: 12, forced: true, note: 'x' },
    });
  });

  test('of any texts is ASCII without control characters, and holds those texts', () => {
    const text = fc.string({ unit: 'binary', maxLength: 100 });
    fc.assert(
      fc.property(text, text, text, (key, client, note) => {
        const who = recordPrefix({ ...actor, client });
        const line = recordLine(
          { event: 'x', who, outcome: 'ok', key, detail: { [note]: note } },
          start,
          moment,
        );
        assert.match(line.text, /^[ -~]+\n$/);
        assert.deepEqual(
          (({ key: k, client: c, detail: d }) => [k, c, d])(JSON.parse(line.text) as Record<string, unknown>),
          [key, client, { [note]: note }],
        );
      }),
    );
  });

  test('A18: makes escape sequences inert', () => {
    assert.equal(jsonText('\u001b[2J\u009b1m\u007f\n"é'), String.raw`"\u001b[2J\u009b1m\u007f\n\"\u00e9"`);
  });

  test('cuts what is too long, so that no peer decides how fast the audit grows', () => {
    assert.equal((JSON.parse(jsonText('x'.repeat(100_000))) as string).length, 513);
    const { text } = recordLine({ ...entry, key: '\u0000'.repeat(100_000) }, start, moment);
    assert.ok(text.length < 4_000);
  });

  test('with any byte changed is refused', () => {
    const bytes = lineOf(recordLine(entry, start, moment).text);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        assert.throws(() => readRecord(changed), { code: 'INTEGRITY' });
      }),
    );
  });

  test('of any other bytes is refused by name', () => {
    const sealed = (body: string): Buffer =>
      Buffer.from(`${body},"hash":"${createHash('sha256').update(body).digest('hex')}"}`);
    const bodies = [
      '',
      '{',
      '[1',
      '{"seq":1',
      '{"seq":"1","event":"x","prev":"0"',
      `{"seq":-1,"event":"x","prev":"${noHash}"`,
    ];
    for (const body of bodies) assert.throws(() => readRecord(sealed(body)), { code: 'INTEGRITY' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.throws(() => readRecord(Buffer.from(bytes)), { code: 'INTEGRITY' });
      }),
    );
  });
});

describe('the clock of records', () => {
  test('tells the wall clock and milliseconds since boot', () => {
    const before = Number(process.hrtime.bigint() / 1_000_000n);
    const { time, mono } = createAuditClock()();
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.ok(mono >= before - 1 && mono < before + 60_000);
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });
});
