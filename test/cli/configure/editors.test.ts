import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as dotenv from 'dotenv';
import fc from 'fast-check';
import { parse as parseToml, stringify as stringifyToml } from 'smol-toml';
import { Document, parse as parseYaml, visit } from 'yaml';
import { withReference } from '../../../cli/configure/edit.ts';
import type { Leaf, Step } from '../../../cli/configure/document.ts';
import { readerOf } from '../../../cli/configure/documents.ts';
import type { Format } from '../../../cli/configure/formats.ts';
import { keyText, leafNamed, pathOfKey } from '../../../cli/configure/key.ts';
import { HushError } from '../../../protocol/errors.ts';

const reference = 'hush://default/global/moved';

/** A text that formats like to trip over. */
const nastyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '',
    '#',
    'a # b',
    ': x',
    "it's",
    '"',
    '\\',
    'a\nb\n',
    ' lead',
    'trail ',
    '{',
    '[x]',
    'true',
    '0x1F',
    '- a',
  ),
);
const name = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}$/),
  fc.constantFrom('a.b', 'with blank', "it's", '"q"'),
);
const scalar = fc.oneof(nastyText, fc.integer({ min: -1000, max: 1000 }), fc.boolean());
const { tree } = fc.letrec<{ tree: unknown; node: unknown }>((tie) => ({
  tree: fc.dictionary(name, tie('node'), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  node: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.dictionary(name, tie('node'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(tie('node'), { maxLength: 3 }),
  ),
}));

/** The tree with another value at a path. */
function withValue(node: unknown, [step, ...rest]: readonly Step[], value: string): unknown {
  if (step === undefined) return value;
  if (Array.isArray(node))
    return node.map((item: unknown, index) => (index === step ? withValue(item, rest, value) : item));
  const members = Object.entries(node ?? {}).map(([key, item]: [string, unknown]) => [
    key,
    key === step ? withValue(item, rest, value) : item,
  ]);
  return Object.fromEntries(members) as unknown;
}

/** Puts the reference in place of each value that can be moved, one at a time, and looks at what it makes of the text. */
async function assertOnlyThatChanges(
  format: Format,
  text: string,
  parse: (text: string) => unknown,
): Promise<number> {
  const read = await readerOf(format);
  const movable = read(text).leaves.filter(({ kind, text: value }) => kind !== 'other' && value !== '');
  for (const leaf of movable) {
    assert.equal(leafNamed(read(text).leaves, keyText(leaf.path)).start, leaf.start);
    const edited = withReference(text, leaf, reference, read);
    const written = edited.slice(leaf.start, edited.length - (text.length - leaf.end));
    assert.equal(edited, text.slice(0, leaf.start) + written + text.slice(leaf.end));
    assert.ok(written.includes(reference) && written.length <= reference.length + 2 + trailing(text, leaf));
    assert.deepEqual(plain(parse(edited)), plain(withValue(plain(parse(text)), leaf.path, reference)));
  }
  return movable.length;
}

/** What a block keeps of its own: comment and line ends. */
const trailing = (text: string, { start, end }: Leaf): number =>
  /^[|>]/.test(text.slice(start, end)) ? end - start : 0;

/** The same without prototypes of a parser's own. */
function plain(value: unknown): unknown {
  const text = JSON.stringify({ value }, (_key, item: unknown) =>
    typeof item === 'bigint' ? `${item}n` : item,
  );
  return (JSON.parse(text) as { value?: unknown }).value;
}

const withLineEnds = (text: string, crlf: boolean): string => (crlf ? text.replaceAll('\n', '\r\n') : text);
const bom = fc.constantFrom('', '\ufeff');

describe('an edit of a config file', () => {
  test('of JSON changes that one value, whatever comments and layout there are', async () => {
    await fc.assert(
      fc.asyncProperty(
        tree,
        fc.constantFrom(0, 2, '\t'),
        fc.boolean(),
        bom,
        async (value, indent, crlf, mark) => {
          const json = JSON.stringify(value, null, indent);
          await assertOnlyThatChanges(
            'json',
            mark + withLineEnds(json, crlf),
            (text) => JSON.parse(text.replace(mark, '')) as unknown,
          );
          // No string of JSON has a line feed, so that what follows one is never within a string.
          const commented = `// "a": 1\n${json.replaceAll(/,\n/g, ', // x: "y", {\n /* " */\n')}\n// the end`;
          const read = await readerOf('json');
          const strip = (text: string): string => text.replaceAll(/(?:^| )\/\/ .*$|^ \/\* " \*\/$/gm, '');
          const [leaf] = read(commented).leaves.filter(({ kind }) => kind === 'text');
          if (leaf === undefined || /\/[/*]/.test(json)) return;
          const edited = withReference(commented, leaf, reference, read);
          assert.deepEqual(JSON.parse(strip(edited)), withValue(value, leaf.path, reference));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of YAML changes that one value, in every style of quotes and blocks', async () => {
    const styles = fc.array(
      fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(
        tree,
        styles,
        fc.boolean(),
        fc.boolean(),
        bom,
        async (value, chosen, crlf, flow, mark) => {
          const document = new Document(value);
          document.commentBefore = ' password: none of this is a value';
          let count = 0;
          visit(document, {
            Scalar(key, node) {
              if (key === 'key') return;
              count += 1;
              if (typeof node.value === 'string') node.type = chosen[count % chosen.length] ?? 'PLAIN';
              if (count % 2 === 0 && !flow) node.comment = ' : # "{';
            },
            Collection(_key, node) {
              if (flow && count % 2 === 1) node.flow = true;
            },
          });
          const text = mark + withLineEnds(document.toString({ lineWidth: flow ? 20 : 0 }), crlf);
          await assertOnlyThatChanges('yaml', text, (source) => parseYaml(source) as unknown);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of YAML in which a key stands twice is refused', async () => {
    const read = await readerOf('yaml');
    for (const text of ['a: 1\nb:\n  c: 2\n  "c": 3\n', '- {a: 1, a: 2}\n']) {
      assert.throws(() => read(text), { code: 'BAD_REQUEST', message: /: duplicate key$/ });
    }
    assert.equal(read('a: {c: 1}\nb: {c: 2}\n---\na: 3\n').leaves.length, 3);
    assert.equal(read('"1": b\n1: c\n').leaves.length, 2);
  });

  test('of TOML changes that one value, in tables, lists of tables and all kinds of strings', async () => {
    const literal = (value: string): string => {
      if (/[\u0000-\u0008\u000a-\u001f\u007f']/u.test(value))
        return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
      return `'${value}'`;
    };
    const line = fc.tuple(
      fc.stringMatching(/^[a-z]{1,6}$/),
      nastyText,
      fc.constantFrom('basic', 'literal', 'long', 'list', 'table'),
    );
    const block = fc.array(line, { maxLength: 4 }).map((lines) => {
      const seen = new Set<string>();
      return lines
        .filter(([key]) => !seen.has(key) && seen.add(key))
        .map(([key, value, style]) => {
          const basic = JSON.stringify(value).replaceAll('\u007f', '\\u007f');
          if (style === 'literal') return `${key} = ${literal(value)} # "c" = 'd'`;
          if (style === 'long') return `${key}."x y" = """\n${basic.slice(1, -1)}\\"""""  # """`;
          if (style === 'list') return `${key} = [ ${basic}, # [\n  ${literal(value)}, 1, ]`;
          return style === 'table' ? `${key} = { a.b = ${basic}, 'c' = 12 }` : `${key}=${basic}`;
        })
        .join('\n');
    });
    await fc.assert(
      fc.asyncProperty(block, block, block, fc.boolean(), bom, async (first, second, third, crlf, mark) => {
        const text = `${first}\n[one]\n${second}\n[[many]] # [x]\n${third}\n[[many]]\n${second}\n[many.sub]\n${first}\n`;
        await assertOnlyThatChanges('toml', mark + withLineEnds(text, crlf), parseToml);
      }),
      { numRuns: 50 },
    );
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        let text: string;
        try {
          text = stringifyToml(value);
          assert.ok(isDeepStrictEqual(plain(parseToml(text)), plain(value)));
        } catch {
          return; // What the library cannot write so that it reads the same.
        }
        await assertOnlyThatChanges('toml', text, parseToml);
      }),
      { numRuns: 50 },
    );
  });

  test('of an env file changes that one value, as dotenv reads it', async () => {
    const value = fc.oneof(
      fc.stringMatching(/^[a-z0-9:\/.@-]{0,12}$/),
      fc
        .stringMatching(/^[ a-z#="$\\\n]{0,12}$/)
        // For dotenv, and for it alone, a backslash before the closing quote would escape it.
        .map((text) => `'${text}z'`),
      fc.stringMatching(/^[ a-z#='\n]{0,12}$/).map((text) => `"${text.replaceAll('\n', '\\n')}\nx"`),
    );
    const line = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('', 'export ', '  '),
          fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/),
          fc.constantFrom('=', ' = '),
          value,
          fc.constantFrom('', ' # "c', ' '),
        )
        .map((parts) => parts.join('')),
      fc.constantFrom('# A=b', '', '  # "'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(line, { maxLength: 6, selector: (one) => /[A-Z0-9_]+/.exec(one)?.[0] ?? one }),
        fc.boolean(),
        async (lines, crlf) => {
          const text = withLineEnds(lines.join('\n'), crlf);
          await assertOnlyThatChanges('env', text, (source) => dotenv.parse(source));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of INI and of properties changes that one value', async () => {
    const line = fc.oneof(
      fc
        .tuple(
          fc.stringMatching(/^[a-z]{1,6}$/),
          fc.constantFrom('=', ' = ', ': '),
          fc.stringMatching(/^[a-z0-9 :=;#"'\\-]{0,12}$/),
        )
        .map((parts) => parts.join('')),
      fc.constantFrom('; a = b', '# c: d', '', '[section]', '  [other one]', 'flag'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), fc.boolean(), async (lines, crlf) => {
        for (const format of ['ini', 'properties'] as const) {
          const text = withLineEnds(lines.join('\n'), crlf);
          const read = await readerOf(format);
          const { leaves } = read(text);
          for (const leaf of leaves.filter(({ kind, text: value }) => kind === 'text' && value !== '')) {
            // A key that comes twice names no one value.
            if (leaves.filter(({ path }) => isDeepStrictEqual(path, leaf.path)).length > 1) continue;
            const edited = withReference(text, leaf, reference, read);
            const changed = edited.split(/\r?\n/).filter((one, index) => one !== text.split(/\r?\n/)[index]);
            if (edited.split('\n').length === text.split('\n').length) assert.ok(changed.length <= 1);
            assert.equal(read(edited).leaves.length, leaves.length);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('of an INI value that the lines below may go on with is refused', async () => {
    const read = await readerOf('ini');
    const kindOf = (text: string): string => leafNamed(read(text).leaves, 's.a').kind;
    for (const text of [
      '[s]\na = x\n  more',
      '[s]\na = x\n  b = y',
      '[s]\na = x\n\n# c\n\tb = y',
      '[s]\na = x\n  [t]',
      '[s]\nb = y\n  a = x',
    ]) {
      assert.equal(kindOf(text), 'other', text);
    }
    for (const text of ['[s]\n\ta = x\n\tb = y', '[s]\n  a = x\nb = y', '[s]\na = x\n[t]\n  b = y']) {
      assert.equal(kindOf(text), 'text', text);
    }
  });

  test('of a value that others are made of is refused', async () => {
    const read = await readerOf('yaml');
    const text = 'a: &x secret # c\nb: *x\n';
    const leaf = leafNamed(read(text).leaves, 'a');
    assert.throws(() => withReference(text, leaf, reference, read), HushError);
    assert.equal(leafNamed(read(text).leaves, 'b').kind, 'other');
    assert.equal(leafNamed(read('a: !!binary aGVsbG8=\n').leaves, 'a').kind, 'other');
  });

  test('finds a value by its key as it is shown', () => {
    const path = fc.array(fc.oneof(fc.string({ minLength: 1 }), fc.nat({ max: 99 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(path, (steps) => {
        if (steps[0] === undefined) return;
        assert.deepEqual(pathOfKey(keyText(steps)), steps);
      }),
    );
  });
});
