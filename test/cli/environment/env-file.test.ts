import assert from 'node:assert/strict';
import { parseEnv } from 'node:util';
import { describe, test } from 'node:test';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { parseEnvFile } from '../../../cli/environment/env-file.ts';
import { dotenv } from '../../../cli/environment/written.ts';

const read = (text: string): [string, string][] => {
  const { entries, faults } = parseEnvFile(text);
  assert.deepEqual(faults, [], JSON.stringify(text));
  return entries.map(({ name, value }) => [name, value]);
};
const faultsOf = (text: string): string[] =>
  parseEnvFile(text).faults.map(({ line, message }) => `${line}: ${message}`);

describe('an env file', () => {
  test('has assignments, exports, comments and blank lines, with LF or CRLF', () => {
    const text = [
      '\ufeffA=1',
      '',
      '# A=2',
      '  export B = two words  # comment',
      'C=a#b',
      'D=',
      'E=#',
      'F=x=y',
      '\t#',
    ];
    const expected = [
      ['A', '1'],
      ['B', 'two words'],
      ['C', 'a#b'],
      ['D', ''],
      ['E', ''],
      ['F', 'x=y'],
    ];
    assert.deepEqual(read(text.join('\n')), expected);
    assert.deepEqual(read(`${text.join('\r\n')}\r\n`), expected);
  });

  test('keeps what stands in quotes, over several lines, and knows escapes in double ones only', () => {
    const text = `A='it is $HOME \\n "x"' # c\nB="say \\"hi\\"\\n\\tx \\\\ \\$A \\z" # c\nC=\`a'b"c\`\nD='1\n2\r\n3'\nE=""\n`;
    assert.deepEqual(read(text), [
      ['A', 'it is $HOME \\n "x"'],
      ['B', 'say "hi"\n\tx \\ $A \\z'],
      ['C', `a'b"c`],
      ['D', '1\n2\r\n3'],
      ['E', ''],
    ]);
  });

  test('is refused with the line where it is wrong, each such line', () => {
    assert.deepEqual(faultsOf(`A=1\nnothing\n1A=2\n=3\nB-C=4\nD='x' y\nE="a\nb" z\nF=5\nG='open\n`), [
      '2: it is not NAME=VALUE',
      '3: that is not the name of a variable',
      '4: it is not NAME=VALUE',
      '5: that is not the name of a variable',
      '6: something follows the quoted value of D',
      '7: something follows the quoted value of E',
      "10: the value of G has no closing '",
    ]);
  });

  test('of any text is read or refused, without an error, and its entries have names and lines', () => {
    const unit = fc.constantFrom(
      'A',
      'b',
      '=',
      '"',
      "'",
      '`',
      '#',
      ' ',
      '\n',
      '\r',
      '\\',
      'n',
      '\0',
      'export ',
      'é',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        const { entries, faults } = parseEnvFile(text);
        const last = text.split('\n').length;
        for (const { line } of [...entries, ...faults]) assert.ok(line >= 1 && line <= last);
        for (const { name } of entries) assert.match(name, /^[A-Za-z_][A-Za-z0-9_]*$/);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the format dotenv', () => {
  test('A18: what is written reads back the same in dotenv, in Node and here, whatever stands before and after it', () => {
    const unit = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          "'",
          '"',
          '`',
          '\\',
          '#',
          '$',
          '\n',
          '\r',
          ' ',
          '=',
          '{',
          '\\n',
          'hush://',
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 2 }) },
    );
    let written = 0;
    fc.assert(
      fc.property(fc.array(fc.string({ unit, maxLength: 12 }), { minLength: 1, maxLength: 6 }), (texts) => {
        const values = new Map(
          texts
            .map((text, index): [string, Buffer] => [`NAME_${index}`, Buffer.from(text)])
            .filter(([name, value]) => dotenv.fault(name, value) === undefined),
        );
        written += values.size;
        const text = Buffer.from(dotenv.write(values)).toString();
        const expected = Object.fromEntries([...values].map(([name, value]) => [name, value.toString()]));
        assert.deepEqual({ ...parse(text) }, expected);
        assert.deepEqual({ ...parseEnv(text) }, expected);
        assert.deepEqual(Object.fromEntries(read(text)), expected);
      }),
      { numRuns: 3000 },
    );
    assert.ok(written > 3000, `only ${written} values could be written`);
  });

  test('a value that no quote can hold is refused', () => {
    for (const text of ['a\r\nb', `'\`"`, `'\`\\x`, 'a b\\', 'nul\0']) {
      assert.equal(dotenv.fault('A', Buffer.from(text))?.code, 'BAD_REQUEST', JSON.stringify(text));
    }
    assert.equal(dotenv.fault('A', Buffer.from([0xff]))?.code, 'BAD_REQUEST');
    for (const text of ['', "it's", 'a b', 'x\\', '-----BEGIN\nX\n', `'"`, '#']) {
      assert.equal(dotenv.fault('A', Buffer.from(text)), undefined, JSON.stringify(text));
    }
  });
});
