import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  isVariableName,
  parseMapping,
  parsePrefix,
  variableOf,
} from '../../../cli/environment/variable-name.ts';
import { matcherOf, selectSecrets, type Selection } from '../../../cli/environment/selection.ts';
import { cutAtReferences } from '../../../cli/environment/text-references.ts';
import { parseProfileName } from '../../../protocol/names.ts';

const secretName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);

describe('the variable of a secret', () => {
  test('is its name in upper case, with _ for what a variable cannot hold, and before a first digit', () => {
    assert.equal(variableOf('db-url'), 'DB_URL');
    assert.equal(variableOf('api.key-2'), 'API_KEY_2');
    assert.equal(variableOf('2fa'), '_2FA');
    assert.equal(variableOf('2fa', 'app_'), 'app_2FA');
    fc.assert(fc.property(secretName, (name) => isVariableName(variableOf(name))));
    fc.assert(
      fc.property(secretName, fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/), (name, prefix) => {
        assert.ok(isVariableName(variableOf(name, prefix)));
        assert.ok(variableOf(name, prefix).startsWith(prefix));
      }),
    );
  });

  test('is what --map says, and neither that nor a prefix can be anything but a name', () => {
    assert.deepEqual(parseMapping('db.url=Db_Url'), { name: 'db.url', variable: 'Db_Url' });
    for (const text of ['a', '=B', 'a=', 'a=1B', 'a=B=C', 'a=B C', 'a=B\n', 'a=é'])
      assert.throws(() => parseMapping(text), { code: 'BAD_REQUEST' }, text);
    for (const text of ['1', 'a-b', 'a\n', 'é'])
      assert.throws(() => parsePrefix(text), { code: 'BAD_REQUEST' });
  });

  const selection: Selection = {
    profile: parseProfileName('default'),
    scope: 'global',
    only: [],
    prefix: '',
    mappings: [],
  };
  const chosen = (changes: Partial<Selection>, listed = ['a.b', 'db-1', 'db-2']): string[] =>
    selectSecrets({ ...selection, ...changes }, listed).secrets.map(
      ({ name, variable }) => `${name}>${variable}`,
    );

  test('is had by all that are listed, or by those that --only and --map name', () => {
    assert.deepEqual(chosen({}), ['a.b>A_B', 'db-1>DB_1', 'db-2>DB_2']);
    assert.deepEqual(chosen({ only: ['db-*'] }), ['db-1>DB_1', 'db-2>DB_2']);
    assert.deepEqual(chosen({ only: ['db-?', 'absent'], prefix: 'P_' }), [
      'db-1>P_DB_1',
      'db-2>P_DB_2',
      'absent>P_ABSENT',
    ]);
    const mappings = [parseMapping('a.b=X'), parseMapping('a.b=Y')];
    assert.deepEqual(chosen({ only: ['db-1'], mappings }), ['db-1>DB_1', 'a.b>X', 'a.b>Y']);
    assert.deepEqual(selectSecrets({ ...selection, only: ['x*', 'd*'] }, ['db']).unmatched, ['x*']);
  });

  test('a pattern matches as the same regular expression would, in little time', () => {
    const unit = fc.constantFrom('a', 'b', '*', '?');
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
        (pattern, name) => {
          const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
          assert.equal(matcherOf(pattern)(name), expression.test(name), `${pattern} on ${name}`);
        },
      ),
      { numRuns: 2000 },
    );
    assert.equal(matcherOf(`${'*a'.repeat(60)}b`)('a'.repeat(128)), false);
  });
});

describe('references in a text', () => {
  const shown = (text: string): string[] => {
    const { pieces, faults } = cutAtReferences(text);
    return [
      ...pieces.map((piece) =>
        'text' in piece ? piece.text : `<${piece.target.profile} ${piece.target.path.text}>`,
      ),
      ...faults.map(({ line }) => `fault in line ${line}`),
    ];
  };

  test('are bare up to the first character that a name cannot hold, or in braces', () => {
    assert.deepEqual(shown('hush://p/global/a'), ['<p global/a>']);
    assert.deepEqual(shown('x://u:hush://p/ws:1/a@h:5'), ['x://u:', '<p ws:1/a>', '@h:5']);
    assert.deepEqual(shown('hush://p/global/a:hush://p/global/b"'), [
      '<p global/a>',
      ':',
      '<p global/b>',
      '"',
    ]);
    assert.deepEqual(shown('{{ hush://p/global/a }}.b'), ['<p global/a>', '.b']);
    assert.deepEqual(shown('{{hush://p/pr:x/a}}/c'), ['<p pr:x/a>', '/c']);
    assert.deepEqual(shown('{{ x }} xhush://p/global/a'), ['{{ x }} xhush://p/global/a']);
  });

  test('that name nothing are faults of their line, unless a backslash says that they are text', () => {
    assert.deepEqual(shown('a\nhush://p/global/a/b'), ['a\n', 'fault in line 2']);
    assert.deepEqual(shown('hush://'), ['fault in line 1']);
    assert.deepEqual(shown('hush://p/other/a\n\nhush://p'), ['\n\n', 'fault in line 1', 'fault in line 3']);
    assert.deepEqual(shown('{{ hush://p/global/a b }}'), ['{{ ', '<p global/a>', ' b }}']);
    assert.deepEqual(shown('see \\hush://p/global/a'), ['see ', 'hush://p/global/a']);
  });

  test('in any bytes: all that is no reference stays', () => {
    const unit = fc.constantFrom('hush://', '\\', '{{', '}}', 'p/global/a', '/', ' ', '\xff', '\0', '\n');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const { pieces, faults } = cutAtReferences(text);
        const kept = pieces.map((piece) => ('text' in piece ? piece.text : '')).join('').length;
        const references = pieces.some((piece) => 'reference' in piece) || faults.length > 0;
        if (!references) assert.equal(kept, text.replaceAll('\\hush://', 'hush://').length);
        else assert.ok(kept < text.length);
      }),
      { numRuns: 2000 },
    );
  });
});
