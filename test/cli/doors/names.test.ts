import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nameOf as dockerName } from '../../../cli/doors/docker/credentials.ts';
import { escaped, shortened } from '../../../cli/doors/escape.ts';
import { attributesIn } from '../../../cli/doors/git/attributes.ts';
import { nameOf, placeOf } from '../../../cli/doors/git/name.ts';
import { parseSecretPath } from '../../../protocol/names.ts';

const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)) });
const awkward = fc.oneof(
  bytes,
  fc.string({ unit: fc.constantFrom(...Array.from('aZ9._-%:/@[]_uph\n\0')) }),
  fc.constantFrom(
    'github.com',
    'GitHub.com:443',
    '[::1]:8443',
    'a..b',
    '.a.',
    '%0a',
    'x\nhost=evil',
    'b\xc3\xbccher',
  ),
);
const place = fc.record({
  protocol: fc.oneof(fc.constantFrom('https', 'http'), awkward),
  host: awkward.filter((text) => text !== ''),
  path: awkward,
});
const user = fc.option(awkward, { nil: undefined });

/** The text that the letters of a name stand for, up to its first mark. */
const unescaped = (name: string): string =>
  name.replaceAll(/_([0-9a-f]{2})/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)));

const accepted = (name: string): void => {
  assert.equal(parseSecretPath(`global/${name}`).name, name);
};

describe('the names of what other programs keep', () => {
  test('whatever the bytes: they stand in the letters of a name, and come out of it again', () => {
    fc.assert(
      fc.property(awkward, (text) => {
        const letters = escaped(text, '.');
        assert.match(letters, /^[A-Za-z0-9._-]*$/);
        assert.equal(unescaped(letters), text);
      }),
    );
  });

  test('every place has a name that a secret can have, and no two places have the same', () => {
    fc.assert(
      fc.property(place, user, place, user, (one, oneUser, other, otherUser) => {
        const [first, second] = [nameOf(one, oneUser), nameOf(other, otherUser)];
        accepted(first);
        const isSame = JSON.stringify([one, oneUser]) === JSON.stringify([other, otherUser]);
        assert.equal(first === second, isSame);
      }),
      { numRuns: 2_000 },
    );
  });

  test('hosts that mean to be taken for another have names of their own', () => {
    const hostOf = (host: string): string => nameOf({ protocol: 'https', host, path: '' });
    const hosts = [
      'github.com',
      'github.com:443',
      'github.com%0a',
      'github.com_',
      'github.com_ualice',
      'github..com',
    ];
    const names = [...hosts, 'gith\xfcb.com', 'xn--gthub-cta.com', '[::1]', '::1', 'github.com\0'].map(
      hostOf,
    );
    names.forEach(accepted);
    assert.equal(new Set(names).size, names.length);
    assert.equal(hostOf('github.com'), 'git.github.com');
    assert.equal(
      nameOf({ protocol: 'http', host: 'example.org:8443', path: 'app.git' }, 'alice'),
      'git.example.org_3a8443_shttp_papp.git_ualice',
    );
  });

  test('the case of a host is that of nobody, the case of a path and a user is theirs', () => {
    const placeIn = (text: string) => placeOf(attributesIn(new TextEncoder().encode(text), 'it'));
    assert.deepEqual(placeIn('protocol=https\nhost=GitHub.COM\npath=A/B\n'), {
      protocol: 'https',
      host: 'github.com',
      path: 'A/B',
    });
    assert.equal(placeIn('protocol=https\nhost=\n'), undefined);
    assert.equal(placeIn('host=a\n'), undefined);
    assert.equal(placeIn(''), undefined);
  });

  test('a name that is too long keeps its beginning, and is still its own', () => {
    const long = 'a'.repeat(200);
    assert.equal(shortened(long).length, 56 + 2 + 64);
    assert.notEqual(shortened(long), shortened(`${long}b`));
    accepted(dockerName(`https://${'x.'.repeat(100)}example/v1/`));
  });

  test('every server of docker has a name, and no two the same', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        accepted(dockerName(`${one}.`));
        assert.equal(dockerName(one) === dockerName(other), one === other);
      }),
    );
  });
});
