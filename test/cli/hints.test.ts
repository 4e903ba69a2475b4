import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forProfile } from '../../cli/hints.ts';

describe('a hint for who named a profile', () => {
  const hints: [string, string][] = [
    ['hush unlock', 'hush unlock -p work'],
    ['hush start && hush unlock', 'hush start && hush unlock -p work'],
    ['hush keys rotate, then hush keys status', 'hush keys rotate -p work, then hush keys status -p work'],
    ['hush import --legacy FILE', 'hush import -p work --legacy FILE'],
    ['hush lock -p other, then restore', 'hush lock -p other, then restore'],
    ['hush door age identity global/age', 'hush door age identity -p work global/age'],
    ['hush door systemd --socket PATH', 'hush door systemd -p work --socket PATH'],
    ['hush audit verify', 'hush audit verify -p work'],
    ['hush backup create FILE -p other', 'hush backup create FILE -p other'],
    ['hush slot change 12ab --profile other', 'hush slot change 12ab --profile other'],
    ['hush unlock -p other, or hush init', 'hush unlock -p other, or hush init -p work'],
    ['hush profile delete other --yes', 'hush profile delete other --yes'],
    ['hush help unlock', 'hush help unlock'],
    ['free some space', 'free some space'],
  ];
  for (const [given, told] of hints) {
    test(`'${given}' names it once in each command`, () => {
      assert.equal(forProfile(given, 'work'), told);
      assert.equal(forProfile(given, undefined), given);
    });
  }
});
