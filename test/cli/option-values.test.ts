import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noteOption, tagsOption } from '../../cli/secret-facts.ts';
import { twoPlacesOf } from '../../cli/two-places.ts';
import { currentOption, versionOption } from '../../cli/version-option.ts';

const badRequest = { code: 'BAD_REQUEST' };

describe('the value of an option', () => {
  test('that names a version is a number from 1, and of the current one from 0', () => {
    assert.equal(versionOption('17'), 17);
    assert.equal(currentOption('0'), 0);
    for (const text of ['0', '-1', '1.5', '01', '1e3', '', ' 1', '9007199254740992']) {
      assert.throws(() => versionOption(text), badRequest, text);
    }
  });

  test('that is a tag is added to those before it once, and an empty one takes none', () => {
    assert.deepEqual(
      ['a', 'b', 'a'].reduce<readonly string[]>((all, tag) => tagsOption(tag, all), []),
      ['a', 'b'],
    );
    assert.deepEqual(tagsOption(''), []);
    for (const text of ['a b', 'é', 'x'.repeat(65), 'a\n']) assert.throws(() => tagsOption(text), badRequest);
    const most = Array.from({ length: 16 }, (_, index) => `t${index}`);
    assert.deepEqual(tagsOption('t0', most), most);
    assert.throws(() => tagsOption('t16', most), badRequest);
  });

  test('that is a note has 1,024 bytes at most, and no control but line feeds', () => {
    assert.equal(noteOption('two\nlines é'), 'two\nlines é');
    assert.equal(noteOption('é'.repeat(512)), 'é'.repeat(512));
    for (const text of ['é'.repeat(513), 'a\x1b[2J', 'a\rb', 'a\x85b']) {
      assert.throws(() => noteOption(text), badRequest);
    }
  });
});

describe('two places', () => {
  const env = { HUSH_PROFILE: 'work' };

  test('are in one profile, that of the first where the second names none', () => {
    const places = { profile: 'work', from: 'global/a', to: 'global/b' };
    assert.deepEqual(twoPlacesOf('global/a', 'global/b', {}, env), places);
    assert.deepEqual(twoPlacesOf('global/a', 'hush://work/global/b', {}, env), places);
    assert.deepEqual(twoPlacesOf('hush://other/global/a', 'global/b', {}, env), {
      ...places,
      profile: 'other',
    });
    assert.deepEqual(twoPlacesOf('global/a', 'global/b', { profile: 'p' }, env), { ...places, profile: 'p' });
  });

  test('are two', () => {
    assert.throws(() => twoPlacesOf('global/a', 'hush://work/global/a', {}, env), badRequest);
    assert.throws(() => twoPlacesOf('global/a', 'hush://other/global/b', {}, env), badRequest);
    assert.throws(() => twoPlacesOf('global/a', 'b', {}, env), { code: 'INVALID_NAME' });
  });
});
