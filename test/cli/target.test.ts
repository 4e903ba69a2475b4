import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { profileOf, targetOf } from '../../cli/target.ts';

const refusal = (code: string) => ({ name: 'HushError', code });

describe('the secret that a command names', () => {
  test('lies in the profile of --profile, else of HUSH_PROFILE, else in default', () => {
    assert.equal(profileOf({ profile: 'a' }, { HUSH_PROFILE: 'b' }), 'a');
    assert.equal(profileOf({}, { HUSH_PROFILE: 'b' }), 'b');
    assert.equal(profileOf({}, { HUSH_PROFILE: '' }), 'default');
    assert.equal(profileOf({}, {}), 'default');
  });

  test('can be a whole reference, which names the profile itself', () => {
    const target = { profile: 'work', path: 'ws:42/token' };
    assert.deepEqual(targetOf('hush://work/ws:42/token', {}, { HUSH_PROFILE: 'home' }), target);
    assert.deepEqual(targetOf('hush://work/ws:42/token', { profile: 'work' }, {}), target);
    assert.throws(() => targetOf('hush://work/ws:42/token', { profile: 'home' }, {}), refusal('BAD_REQUEST'));
  });

  test('is refused before anything is read or sent when its name is none', () => {
    for (const text of [
      '',
      'db',
      'global/',
      'global/..',
      'ws:/x',
      'global/a/b',
      'global/a\n',
      'hush://a',
      'hush:///global/a',
    ]) {
      assert.throws(() => targetOf(text, {}, {}), refusal('INVALID_NAME'), text);
    }
    assert.throws(() => profileOf({ profile: '../etc' }, {}), refusal('INVALID_NAME'));
    assert.throws(() => profileOf({}, { HUSH_PROFILE: 'a b' }), refusal('INVALID_NAME'));
  });
});
