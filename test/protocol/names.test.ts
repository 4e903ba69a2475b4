import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HushError } from '../../protocol/errors.ts';
import { isProfileName, parseProfileName, parseReference, parseSecretPath } from '../../protocol/names.ts';

const invalid = (run: () => unknown): void => {
  assert.throws(run, (error: unknown) => error instanceof HushError && error.code === 'INVALID_NAME');
};

const first = fc.constantFrom('A', 'B', 'X', 'Z', 'a', 'b', 'y', 'z', '0', '1', '8', '9');
const word = (more: string, most: number) =>
  fc
    .tuple(first, fc.string({ unit: fc.constantFrom(...more.split(/(?:)/u)), maxLength: most - 1 }))
    .map(([head, tail]) => head + tail);
const name = word('abcXYZ019._-', 128).filter((text) => !text.includes('..'));
const scope = fc.oneof(
  fc.constant('global'),
  fc.tuple(fc.constantFrom('ws:', 'pr:'), name).map(([kind, id]) => kind + id),
);

test('every path of a scope and a name comes back as that scope and that name', () => {
  fc.assert(
    fc.property(scope, name, (aScope, aName) => {
      fc.pre(!`${aScope}/${aName}`.includes('..'));
      assert.deepEqual(parseSecretPath(`${aScope}/${aName}`), {
        scope: aScope,
        name: aName,
        text: `${aScope}/${aName}`,
      });
    }),
  );
});

test('every reference comes back as its profile and path', () => {
  fc.assert(
    fc.property(word('abcXYZ019_-', 64), scope, name, (profile, aScope, aName) => {
      const reference = parseReference(`hush://${profile}/${aScope}/${aName}`);
      assert.equal(reference.profile, profile);
      assert.equal(reference.path.text, `${aScope}/${aName}`);
    }),
  );
});

test('no text makes a parser throw anything but INVALID_NAME, and what it accepts is inert on a terminal and in a path', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((tail) => `global/${tail}`),
  );
  fc.assert(
    fc.property(text, (given) => {
      for (const parse of [parseSecretPath, parseProfileName, parseReference]) {
        try {
          parse(given);
          assert.match(given, /^[\w.:/-]+$/);
          assert.ok(!given.includes('..'));
        } catch (error) {
          assert.ok(error instanceof HushError && error.code === 'INVALID_NAME');
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a path that climbs, hides, or leads elsewhere is no path', () => {
  for (const text of [
    '',
    'global',
    'global/',
    '/a',
    'global//a',
    'global/a/b',
    'global/.a',
    'global/-a',
    'global/a..b',
    'global/../a',
    'ws:/a',
    'ws:a..b/c',
    'ws:a/b/c',
    'xx:a/b',
    'GLOBAL/a',
    'global/a\n',
    'global/a\0',
    'global/a b',
    'global/ä',
    'global/\u001b[31m',
    'global/BASH_FUNC_x%%',
    'global/a=b',
    `global/${'a'.repeat(129)}`,
  ]) {
    invalid(() => parseSecretPath(text));
  }
});

test('the longest names are names, and one byte more is not', () => {
  const longest = 'a'.repeat(128);
  assert.equal(parseSecretPath(`ws:${longest}/${longest}`).name, longest);
  assert.ok(isProfileName('p'.repeat(64)));
  assert.ok(!isProfileName('p'.repeat(65)));
  for (const text of ['', '-a', '_a', 'a.b', 'a/b', 'a\n', '.', '..', 'ä']) assert.ok(!isProfileName(text));
});
