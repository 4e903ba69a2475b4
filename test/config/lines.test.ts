import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { lineFinder } from '../../daemon/config/lines.ts';

const text = `# comment with [brackets] = 1
top = 1 # [not.a.table]

[a]
x = "quoted = \\" [b]"
y = '''
[c]
z = 1
'''
list = [ # comment ]
  1,
  { p = 1, q = "#" },
  [2,
   3],
]
[a."dotted.key".'lit']
deep.er = { one = { two = 2 } }
long = """
\\""" [d]
"""
[empty]
`;

describe('the line of a key', () => {
  const lineOf = lineFinder(text);
  const cases: readonly (readonly [readonly string[], number | undefined])[] = [
    [['top'], 2],
    [['a'], 4],
    [['a', 'x'], 5],
    [['a', 'y'], 6],
    [['a', 'list'], 10],
    [['a', 'list', '0'], 11],
    [['a', 'list', '1', 'q'], 12],
    [['a', 'list', '2', '1'], 14],
    [['a', 'dotted.key', 'lit', 'deep', 'er', 'one', 'two'], 17],
    [['a', 'dotted.key', 'lit', 'long'], 18],
    [['empty'], 21],
    [['empty', 'missing'], 21],
    [['c'], undefined],
    [['z'], undefined],
    [['d'], undefined],
  ];
  for (const [path, line] of cases) {
    test(`${path.join(' . ')} is ${line ?? 'nowhere'}`, () => {
      assert.equal(lineOf(path)?.line, line);
    });
  }

  test('of every table that a writer of TOML makes is found', () => {
    const tree = fc.dictionary(
      fc.string({ minLength: 1 }),
      fc.dictionary(fc.string({ minLength: 1 }), fc.string()),
    );
    const isPlain = (key: string): boolean => /^[A-Za-z0-9_-]+$/.test(key);
    fc.assert(
      fc.property(tree, (tables) => {
        const written = stringify(tables);
        const find = lineFinder(written);
        const lines = written.split('\n');
        for (const key of Object.keys(tables).filter(isPlain)) {
          assert.match(lines[(find([key])?.line ?? 0) - 1] ?? '', new RegExp(`^\\[+${key}[\\].]`));
        }
      }),
    );
  });
});
