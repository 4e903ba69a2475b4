import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  compileCryptoRules,
  compilePathRules,
  cryptoPatternProblem,
  pathPatternProblem,
} from '../../daemon/config/patterns.ts';

/** The rule of `*` in one part, said as plainly as can be: the oracle. */
const matchesPart = (pattern: string, text: string): boolean => {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    return matchesPart(pattern.slice(1), text) || (text !== '' && matchesPart(pattern, text.slice(1)));
  }
  return text.startsWith(pattern.charAt(0)) && matchesPart(pattern.slice(1), text.slice(1));
};

const matchesParts = (pattern: readonly string[], parts: readonly string[]): boolean =>
  pattern.every((part, index) => matchesPart(part, parts[index] ?? ''));

describe('path patterns', () => {
  const matches = (pattern: string, path: string): boolean => {
    assert.equal(pathPatternProblem(pattern), undefined);
    return compilePathRules([pattern]).matches(path);
  };

  test('without a star match one path', () => {
    assert.ok(matches('global/a', 'global/a'));
    assert.ok(!matches('global/a', 'global/ab'));
    assert.ok(!matches('global/ab', 'global/a'));
  });

  test('a star matches any run of characters, none included', () => {
    for (const path of ['global/db', 'global/db-', 'global/db-url']) assert.ok(matches('global/db*', path));
    assert.ok(matches('global/*-url', 'global/-url'));
    assert.ok(matches('global/a*b*c', 'global/a-b-b-c'));
    assert.ok(!matches('global/a*b*c', 'global/a-c-b'));
  });

  test('a star never crosses the slash', () => {
    assert.ok(!matches('ws:*/x', 'ws:a/b/x'));
    assert.ok(!matches('*/x', 'global/y/x'));
    assert.ok(!matches('global/*', 'ws:1/x'));
  });

  test('the star alone matches everything', () => {
    assert.ok(matches('*', 'global/a') && matches('*', 'ws:1/b') && matches('*/*', 'pr:1/c'));
  });

  test('a star in the scope stays within one kind of scope', () => {
    assert.ok(matches('ws:*/x', 'ws:1/x'));
    assert.ok(!matches('ws:*/x', 'pr:1/x') && !matches('ws:*/x', 'global/x'));
  });

  test('an empty list matches nothing', () => {
    assert.equal(compilePathRules([]).matches('global/a'), false);
  });

  test('a dot and other signs of regular expressions stand for themselves', () => {
    assert.ok(!matches('global/a.c*', 'global/abc'));
  });

  test('many patterns together match what each of them matches alone', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), minLength: 1, maxLength: 6 });
    const plain = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 8 });
    const pattern = part
      .map((name) => `global/${name}`)
      .filter((text) => pathPatternProblem(text) === undefined);
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 8 }),
        fc.array(plain, { maxLength: 8 }),
        (patterns, names) => {
          const rules = compilePathRules(patterns);
          for (const name of names) {
            const expected = patterns.some((text) => matchesParts(text.split('/'), ['global', name]));
            assert.equal(rules.matches(`global/${name}`), expected);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('stars that make others backtrack for ever are decided in a bounded number of steps', () => {
    const pattern = `global/${'a*'.repeat(60)}b`;
    assert.equal(compilePathRules([pattern]).matches(`global/${'a'.repeat(128)}`), false);
  });
});

describe('crypto patterns', () => {
  test('match keyring, namespace and key each by itself', () => {
    assert.equal(cryptoPatternProblem('default/billing/*'), undefined);
    const { matches } = compileCryptoRules([{ match: 'default/billing/*' }]);
    assert.ok(matches('default', 'billing', 'stripe', ''));
    assert.ok(matches('default', 'billing', 'a/b', 'acme'), 'a key may hold a slash of its own');
    assert.ok(!matches('default', 'billing/a', 'b', ''), 'a slash in a namespace is not a border');
    assert.ok(!matches('other', 'billing', 'stripe', ''));
    assert.ok(!compileCryptoRules([{ match: 'default/*/*x' }]).matches('default/a', '', 'x', ''));
  });

  test('with tenants match those alone; the empty text is what has no tenant', () => {
    const { matches } = compileCryptoRules([{ match: 'default/*/*', tenants: ['acme', ''] }]);
    assert.ok(matches('default', 'n', 'k', 'acme') && matches('default', 'n', 'k', ''));
    assert.ok(!matches('default', 'n', 'k', 'other'));
  });

  test('with an empty list of tenants match nothing', () => {
    const rules = compileCryptoRules([{ match: '*', tenants: [] }]);
    assert.ok(!rules.matches('default', 'n', 'k', '') && !rules.reachesKeyring('default'));
  });

  test('reach the keyrings that their first part matches', () => {
    const { reachesKeyring } = compileCryptoRules([
      { match: 'app-*/n/k' },
      { match: 'b/n/k', tenants: ['t'] },
    ]);
    assert.ok(reachesKeyring('app-1') && reachesKeyring('b'));
    assert.ok(!reachesKeyring('default'));
  });

  test('many rules together match what each of them matches alone', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 4 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 });
    const keyring = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 });
    const tenant = fc.constantFrom('', 't', 'u');
    const rule = fc
      .record({ parts: fc.tuple(part, part, part), tenants: fc.option(fc.array(tenant), { nil: undefined }) })
      .map(({ parts, tenants }) => ({ match: parts.join('/'), tenants }))
      .filter(({ match }) => cryptoPatternProblem(match) === undefined);
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 6 }),
        keyring,
        text,
        text,
        tenant,
        (rules, ring, namespace, key, of) => {
          const expected = rules.some(
            ({ match, tenants }) =>
              (tenants === undefined || tenants.includes(of)) &&
              matchesParts(match.split('/'), [ring, namespace, key]),
          );
          assert.equal(compileCryptoRules(rules).matches(ring, namespace, key, of), expected);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
