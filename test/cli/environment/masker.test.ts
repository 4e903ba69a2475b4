import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { createAutomaton, type Pattern, type State } from '../../../cli/environment/automaton.ts';
import { createMasker } from '../../../cli/environment/masker.ts';
import { maskedForms } from '../../../cli/environment/masked-forms.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const patternsOf = (texts: readonly string[]): Pattern[] =>
  texts.map((text, index) => ({ bytes: latin1(text), label: String(index) }));

/** The rule, told anew: what overlaps is one stretch, with the label of its longest pattern, the first of such. */
function replaced(text: string, patterns: readonly string[]): string {
  const found = patterns
    .flatMap((pattern, label) =>
      Array.from(text, (_, start) =>
        text.startsWith(pattern, start) ? [{ start, end: start + pattern.length, label }] : [],
      ),
    )
    .flat()
    .sort((a, b) => a.start - b.start || b.end - a.end || a.label - b.label);
  let out = '';
  let done = 0;
  for (let index = 0; index < found.length;) {
    const run = found[index];
    if (run === undefined) break;
    let { end } = run;
    const inside = [run];
    for (let other = found[++index]; other !== undefined && other.start < end; other = found[++index]) {
      end = Math.max(end, other.end);
      inside.push(other);
    }
    const lengthOf = (one: { start: number; end: number }): number => one.end - one.start;
    const longest = inside.reduce((a, b) => (lengthOf(b) > lengthOf(a) ? b : a));
    out += `${text.slice(done, run.start)}[hush:${longest.label}]`;
    done = end;
  }
  return out + text.slice(done);
}

function masked(chunks: readonly string[], patterns: readonly string[]): string {
  const masker = createMasker(createAutomaton(patternsOf(patterns)));
  const parts = [...chunks.map((chunk) => masker.push(latin1(chunk))), masker.end()];
  return Buffer.concat(parts).toString('latin1');
}

const few = (max: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\xff'), minLength: 1, maxLength: max });

describe('masking', () => {
  test('what comes out does not depend on where chunks are cut, and is the replacement of the whole', () => {
    fc.assert(
      fc.property(fc.array(few(6), { minLength: 1, maxLength: 6 }), fc.array(few(9)), (patterns, chunks) => {
        assert.equal(masked(chunks, patterns), replaced(chunks.join(''), patterns));
      }),
      { numRuns: 2000 },
    );
  });

  test('values that begin, end, repeat or are each other are told apart, by one automaton for several streams', () => {
    const related = fc
      .array(fc.tuple(few(5), fc.nat(), fc.nat(), fc.nat(3)), { minLength: 1, maxLength: 8 })
      .map((seeds) =>
        seeds.reduce<string[]>((made, [text, which, cut, times]) => {
          const other = made[which % (made.length + 1)] ?? '';
          const part = cut % 2 === 0 ? other.slice(cut % (other.length + 1)) : other.slice(0, cut % 9);
          return [...made, part.repeat(times) + (times === 3 ? '' : text) || text];
        }, []),
      );
    const places = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { maxLength: 9 });
    fc.assert(
      fc.property(related, places, fc.integer({ min: 1, max: 5 }), (patterns, pieces, length) => {
        const text = pieces
          .map(([which, from, to]) => {
            const pattern = patterns[which % patterns.length] ?? '';
            return pattern.slice(from % 3, Math.max(1, to % (pattern.length + 9)));
          })
          .join('');
        const automaton = createAutomaton(patternsOf(patterns));
        const maskers = [createMasker(automaton), createMasker(automaton)];
        const parts: Uint8Array[][] = [[], []];
        for (let at = 0; at < text.length; at += length)
          for (const [index, masker] of maskers.entries())
            parts[index]?.push(masker.push(latin1(text.slice(at, at + length))));
        for (const [index, masker] of maskers.entries())
          assert.equal(
            Buffer.concat([...(parts[index] ?? []), masker.end()]).toString('latin1'),
            replaced(text, patterns),
          );
      }),
      { numRuns: 1000 },
    );
  });

  test('values cut at every byte, and larger than any chunk, are found', () => {
    const values = ['x'.repeat(100_000) + 'y', 'secret-of-mine', 'mine-and-yours'];
    const text = `a ${values[1] ?? ''} b ${values[0] ?? ''} c secret-of-mine-and-yours d`;
    const expected = 'a [hush:1] b [hush:0] c [hush:1] d';
    assert.equal(masked(Array.from(text), values), expected);
    assert.equal(masked([text], values), expected);
  });

  test('only what may be the start of a value is held back', () => {
    const masker = createMasker(createAutomaton(patternsOf(['password', 'abcd'])));
    const push = (text: string): string => Buffer.from(masker.push(latin1(text))).toString('latin1');
    assert.equal(push('Continue? '), 'Continue? ');
    assert.equal(push('the pass'), 'the ');
    assert.equal(push('age, and abc'), 'passage, and ');
    assert.equal(push('d'), '[hush:1]');
    assert.equal(Buffer.from(masker.end()).toString(), '');
  });

  test('a stretch that goes on for ever is one label, and needs no room', () => {
    const masker = createMasker(createAutomaton(patternsOf(['aaaa'])));
    const chunk = Buffer.alloc(1 << 20, 'a');
    let given = 0;
    for (let count = 0; count < 4; count += 1) given += masker.push(chunk).length;
    assert.equal(given, 0);
    assert.equal(Buffer.from(masker.push(latin1('.'))).toString(), '[hush:0].');
  });

  test('what is known of values takes little room, however much of them comes', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const room = (): number => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const value = randomBytes(400_000);
    const before = room();
    const automaton = createAutomaton([{ bytes: value, label: '0' }]);
    const masker = createMasker(automaton);
    assert.equal(Buffer.concat([masker.push(value), masker.end()]).toString(), '[hush:0]');
    assert.ok(room() - before < 80 * value.length);
    automaton.wipe();
  });

  test('the work does not grow with the number of values: each byte takes few steps', () => {
    const near = Array.from({ length: 300 }, (_, index) => `${'a'.repeat(500)}${index}!`);
    const automaton = createAutomaton(patternsOf(near));
    let steps = 0;
    const counted = {
      ...automaton,
      step: (state: State, byte: number) => (steps++, automaton.step(state, byte)),
    };
    const masker = createMasker(counted);
    const text = Buffer.alloc(200_000, `${'a'.repeat(499)}b`);
    let length = 0;
    for (let at = 0; at < text.length; at += 1000) length += masker.push(text.subarray(at, at + 1000)).length;
    assert.equal(length + masker.end().length, text.length);
    assert.ok(steps <= text.length);
  });
});

describe('the forms in which a value is looked for', () => {
  const formsOf = (text: string): string[] =>
    maskedForms(latin1(text)).map((form) => Buffer.from(form).toString('latin1'));

  test('itself, its lines, and what JSON, URLs, base64 and hex make of it', () => {
    assert.deepEqual(
      new Set(formsOf('p"w+/ \u00fe')),
      new Set([
        'p"w+/ \u00fe',
        ...['cCJ3Ky8g/g', 'cCJ3Ky8g_g', 'cCJ3Ky8g/', 'cCJ3Ky8g_', 'AidysvIP', 'wIncrLyD+', 'wIncrLyD-'],
        ...['7022772b2f20fe', '7022772B2F20FE'],
      ]),
    );
    assert.ok(formsOf('p"ss w').includes('p\\"ss w'));
    assert.ok(formsOf('p"ss w').includes('p%22ss%20w'));
    const lines = formsOf('first line\r\n  ab\n    \n\tlast line\n');
    for (const line of ['first line', 'last line']) assert.ok(lines.includes(line), line);
    for (const line of ['  ab', 'ab', '    ', '']) assert.ok(!lines.includes(line), line);
  });

  test('base64 with anything before and behind it shows nothing of it but the characters shared with those', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 6, maxLength: 200 }),
        fc.uint8Array({ maxLength: 5 }),
        fc.uint8Array({ maxLength: 5 }),
        fc.constantFrom('base64', 'base64url'),
        (value, before, behind, encoding) => {
          const patterns = maskedForms(value).map((bytes) => ({ bytes, label: 'v' }));
          const masker = createMasker(createAutomaton(patterns));
          const text = Buffer.concat([before, value, behind]).toString(encoding);
          const shown = Buffer.concat([masker.push(latin1(text)), masker.end()]).toString();
          const rest = shown.replaceAll('[hush:v]', '').replace(/=+$/, '');
          assert.ok(
            shown.includes('[hush:v]') &&
              rest.length <= Math.ceil((8 * (before.length + behind.length)) / 6) + 2,
          );
        },
      ),
    );
  });

  test('in base64 of several lines, in JSON of other languages, in forms, in the trace of a shell', () => {
    const long = 'n0t-f0r-y0u/'.repeat(20);
    const forms = formsOf(long);
    for (const width of [64, 76]) {
      const lines =
        latin1(long)
          .toString('base64')
          .match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
      assert.ok(lines.length > 3);
      for (const line of lines) assert.ok(forms.includes(line.replace(/=+$/, '')), line);
    }
    const text = Buffer.from("it's <b> & é/");
    const found = maskedForms(text).map((form) => Buffer.from(form).toString());
    for (const form of [
      "it's \\u003cb\\u003e \\u0026 é/",
      "it's <b> & é\\/",
      "it's <b> & \\u00e9/",
      "it's <b> & \\u00e9\\/",
      'it%27s%20%3Cb%3E%20%26%20%C3%A9/',
      "it's%20%3Cb%3E%20%26%20%C3%A9%2F",
      'it%27s%20%3Cb%3E%20%26%20%C3%A9%2F',
      'it%27s+%3Cb%3E+%26+%C3%A9%2F',
      "it'\\''s <b> & é/",
      `it'"'"'s <b> & é/`,
      "it's <b> & \\303\\251/",
    ])
      assert.ok(found.includes(form), form);
  });

  test('with the line feed at its end or without, whatever is made of it', () => {
    for (const form of ['p&ss w', 'cCZzcyB3', 'p%26ss%20w', 'cCZzcyB3Cg'])
      assert.ok(formsOf('p&ss w\n').includes(form), form);
    for (const form of ['one\nab', 'one\\nab', 'one%0Aab', 'b25lCmFi', '6f6e650a6162', 'b25lCmFiCg'])
      assert.ok(formsOf('one\nab\n').includes(form), form);
  });

  test('nothing of less than four bytes is looked for', () => {
    assert.deepEqual(formsOf('abc'), []);
    assert.deepEqual(formsOf(''), []);
    fc.assert(fc.property(fc.uint8Array(), (value) => maskedForms(value).every(({ length }) => length >= 4)));
  });
});
