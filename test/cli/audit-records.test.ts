import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { csvHead, csvLine } from '../../cli/audit/csv.ts';
import { entryOf, type ShownRecord } from '../../cli/audit/entry.ts';
import { filterOf, stubFilterOf, type FilterOptions } from '../../cli/audit/filter.ts';
import { momentOf } from '../../cli/audit/moment.ts';
import { textOfEntry } from '../../cli/audit/text.ts';
import { noHash, recordLine, recordPrefix } from '../../daemon/audit/records.ts';
import { printable } from '../../protocol/printable.ts';

const who = recordPrefix({ client: 'shop', uid: 1, gid: 2, pid: 3, exe: '/usr/bin/node' });

/** A record as it is read back from the line that a daemon would write. */
function shown(fields: {
  key?: string;
  event?: string;
  code?: string;
  time?: string;
  client?: string;
}): ShownRecord {
  const { key, event = 'secret.get', code, time = '2026-03-04T05:06:07.890Z', client } = fields;
  const line = recordLine(
    {
      event,
      who: client === undefined ? who : recordPrefix({ client, uid: 1, gid: 2, pid: 3 }),
      outcome: code === undefined ? 'ok' : 'denied',
      key,
      code,
    },
    { seq: 0, hash: noHash },
    { time, mono: 1 },
  );
  const entry = entryOf('segment', Buffer.from(line.text.trimEnd()));
  return entry.kind === 'record' ? entry.record : assert.fail(entry.kind);
}

const now = new Date('2026-03-05T00:00:00Z');
const matches = (options: FilterOptions, record: ShownRecord): boolean => filterOf(options, now)(record);

describe('a filter', () => {
  test('takes what matches all that is given', () => {
    const record = shown({ key: 'global/prod.db', code: 'ACCESS_DENIED' });
    for (const options of [
      {},
      { client: 'shop' },
      { client: 's*p', key: 'global/*', event: 'secret.*', outcome: 'denied', code: 'ACCESS_*' },
      { key: '*/prod.*' },
      { key: '*' },
      { since: '2026-03-04T05:06:07.890Z', until: '2026-03-04T05:06:07.891Z' },
      { since: '1d' },
    ]) {
      assert.ok(matches(options, record), JSON.stringify(options));
    }
    for (const options of [
      { client: 'sho' },
      { client: 'shopp*' },
      { key: 'prod.db' },
      { key: 'global/prod?db' },
      { key: 'global/*/db' },
      { event: 'secret' },
      { outcome: 'ok' },
      { code: '' },
      { since: '2026-03-04T05:06:07.891Z' },
      { until: '2026-03-04T05:06:07.890Z' },
      { since: '1h' },
    ]) {
      assert.ok(!matches(options, record), JSON.stringify(options));
    }
    assert.ok(!matches({ key: '*' }, shown({})), 'what has no key is not about any');
  });

  test('finds a text by any pattern that was made from it', () => {
    const piece = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 4 }),
        fc.array(piece, { maxLength: 4 }),
        (fixed, between) => {
          const key = fixed
            .map((text, index) => text + (index < fixed.length - 1 ? (between[index] ?? '') : ''))
            .join('');
          assert.ok(matches({ key: fixed.join('*') }, shown({ key })), `${fixed.join('*')} ${key}`);
        },
      ),
    );
  });

  test('refuses an outcome that there is not, and times that are none', () => {
    assert.throws(() => filterOf({ outcome: 'bad' }), { code: 'BAD_REQUEST' });
    for (const time of [
      '',
      'yesterday',
      '2026-13-01',
      '2026-02-01T25:00',
      '5',
      '5w',
      '-1d',
      '2026-1-1',
      '7d ',
      '2026-02-31',
      '2026-02-31T08:00:00Z',
      '2026-04-31 08:00',
    ]) {
      assert.throws(() => momentOf(time, now), { code: 'BAD_REQUEST' }, time);
    }
  });
});

test('a span of time that ends before it begins is refused, and one day is a span', () => {
  for (const [since, until] of [
    ['2026-03-04', '2026-03-03'],
    ['1h', '2h'],
  ] as const) {
    assert.throws(() => filterOf({ since, until }, now), { code: 'BAD_REQUEST' });
  }
  assert.ok(filterOf({ since: '2026-03-04', until: '2026-03-04' }, now));
});

test('a stub is shown where its times are asked for, and not where only other things are', () => {
  const stub = { firstTime: '2026-03-01T00:00:00.000Z', lastTime: '2026-03-03T12:00:00.000Z' };
  const cases: readonly [FilterOptions, boolean][] = [
    [{}, true],
    [{ key: 'global/*' }, false],
    [{ since: '2026-03-03T00:00:00Z' }, true],
    [{ since: '2026-03-03T12:00:00.001Z' }, false],
    [{ until: '2026-03-01T00:00:00Z' }, false],
    [{ key: 'global/*', since: '2026-03-02T00:00:00Z', until: '2026-03-03T00:00:00Z' }, true],
  ];
  for (const [options, isShown] of cases) {
    assert.equal(stubFilterOf(options, now)(stub), isShown, JSON.stringify(options));
  }
});

describe('a time on the command line', () => {
  test('is a whole local day, a moment, or so long ago', () => {
    const { from, to } = momentOf('2026-03-04', now);
    assert.deepEqual([new Date(from).getHours(), new Date(to).getHours(), new Date(to).getDate()], [0, 0, 5]);
    assert.equal(momentOf('2026-03-04T05:06:07Z', now).from, Date.UTC(2026, 2, 4, 5, 6, 7));
    assert.equal(momentOf('2026-03-04 05:06+02:00', now).from, Date.UTC(2026, 2, 4, 3, 6));
    assert.equal(momentOf('90s', now).from, now.getTime() - 90_000);
    assert.equal(momentOf('7d', now).to, now.getTime() - 7 * 86_400_000);
  });
});

describe('an export as CSV', () => {
  test('has a cell for each field, in the order of its head', () => {
    const cells = csvLine(shown({ key: 'global/a', code: 'LOCKED' }))
      .trimEnd()
      .split(',');
    const names = csvHead.trimEnd().split(',');
    assert.equal(cells.length, names.length);
    const cell = (name: string): string | undefined => cells[names.indexOf(name)];
    assert.deepEqual(['seq', 'event', 'client', 'exe', 'key', 'outcome', 'code', 'commit'].map(cell), [
      '1',
      'secret.get',
      'shop',
      '/usr/bin/node',
      'global/a',
      'denied',
      'LOCKED',
      '',
    ]);
  });

  test('A18: begins no formula, stays one line, and is inert on a terminal', () => {
    for (const key of [
      '=1+1',
      '+1',
      '-1',
      '@SUM(A1)',
      '\t=1',
      ' =1',
      '|calc',
      '%0A',
      '"x"',
      'a,b',
      'a;b',
      'a\r\nb',
    ]) {
      const line = csvLine(shown({ key }));
      assert.match(line, /^[^\r\n]+\r\n$/, key);
      const cell = parseCsv(line)[10] ?? '';
      assert.doesNotMatch(cell, /^\s*[=+\-@|%]/, key);
      assert.equal(cell.replace(/^'/, ''), printable(key), key);
    }
    assert.ok(csvLine(shown({ key: '\u001b[2J\u202e' })).includes(String.raw`\x1b[2J\u{202e}`));
  });

  test('A18: of any texts is read back as they were but for what is escaped', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(text, text, (key, client) => {
        const cells = parseCsv(csvLine(shown({ key, client })));
        assert.equal(cells.length, 17);
        for (const [at, given] of [
          [5, client],
          [10, key],
        ] as const) {
          const cell = cells[at] ?? '';
          assert.ok(
            cell === printable(given) || cell === `'${printable(given)}`,
            JSON.stringify([cell, given]),
          );
        }
      }),
    );
  });
});

describe('an entry as text', () => {
  test('A18: of a damaged line is told as such, and is one line on a terminal', () => {
    const entry = entryOf('segment', Buffer.from('{"seq":1\u001b]0;x\u0007 damaged', 'latin1'));
    const text = printable(textOfEntry({ ...entry, file: 'f', line: 7 }));
    assert.match(text, /^!! damaged: f, line 7: .*\\x1b\]0;x\\x07 damaged$/);
    const long = entryOf('segment', Buffer.alloc(1_000_000, 'x'));
    assert.ok(textOfEntry({ ...long, file: 'f', line: 7 }).length < 500);
  });
});

/** The cells of one line of CSV (RFC 4180). */
function parseCsv(line: string): string[] {
  const cells = [...line.replace(/\r\n$/, '').matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)];
  return cells.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}
