import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { jsonLine, jsonStrings, textIn } from '../../../cli/doors/json-strings.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string): Record<string, string> =>
  Object.fromEntries([...jsonStrings(encode(text), 'it')].map(([name, json]) => [name, textIn(json)]));
const refused = { code: 'BAD_REQUEST', message: 'it is not one JSON object of texts' };

describe('the texts of a JSON object', () => {
  test('are those that JSON.parse finds, and other scalars are passed over', () => {
    const scalar = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.double(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), scalar), fc.constantFrom(0, 1), (object, indent) => {
        const texts = Object.entries(object).filter(([, value]) => typeof value === 'string');
        assert.deepEqual(read(JSON.stringify(object, null, indent)), Object.fromEntries(texts));
      }),
    );
  });

  test('whatever is no such object is refused, with nothing of it in the error', () => {
    for (const text of [
      '',
      '[]',
      '"a"',
      '{',
      '{"a"}',
      '{"a":}',
      '{"a":"b"',
      '{"a":"b"}x',
      '{"a":"b",}',
      '{"a":{}}',
    ]) {
      assert.throws(() => read(text), refused, text);
    }
    for (const text of [
      '{"a":"\n"}',
      '{"a":"\\x"}',
      '{"a":"\\u12g4"}',
      '{"a":"b","a":"c"}',
      '{"a":01}',
      '{"a":tru}',
    ]) {
      assert.throws(() => read(text), refused, text);
    }
    assert.throws(() => jsonStrings(Uint8Array.of(0x7b, 0xff, 0x7d), 'it'), refused);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('{}":,\\ua1 \n')) }), (text) => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          assert.throws(() => read(text), refused);
          return;
        }
        if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
          assert.throws(() => read(text), refused);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('are written as they were read', () => {
    const members = jsonStrings(encode('{"b" : "\\u00e9\\"" , "a":"c"}'), 'it');
    assert.equal(Buffer.from(jsonLine([...members])).toString(), '{"b":"\\u00e9\\"","a":"c"}\n');
    assert.equal(Buffer.from(jsonLine([])).toString(), '{}\n');
  });
});
