import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from '../../../cli/doors/systemd/address.ts';
import { isWithin } from '../../../cli/doors/systemd/asker.ts';
import { addScope, placeOf } from '../../../cli/doors/systemd/places.ts';
import { parseSecretPath } from '../../../protocol/names.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const none = new Map<string, string>();

describe('the address of systemd', () => {
  test('names a unit and a credential', () => {
    const wanted = { unit: 'web@a-1\\x2d.service', credential: 'db_password' };
    assert.deepEqual(parseAddress(bytes(`\0${'0f'.repeat(8)}/unit/${wanted.unit}/db_password`)), wanted);
  });

  test('is nothing else', () => {
    for (const text of [
      '',
      '\0',
      'a/unit/b/c',
      '\0/unit/b/c',
      '\0A/unit/b/c',
      '\0a/unit//c',
      '\0a/unit/b/',
      '\0a/unit/b/c/d',
      '\0a/user/b/c',
      '\0a/unit/b c/d',
      '\0a/unit/b/c\0',
      '\0a/unit/b/c:d',
      '\0a/unit/é/c',
    ])
      assert.equal(parseAddress(bytes(text)), undefined, JSON.stringify(text));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 108 }), (address) => {
        assert.doesNotThrow(() => parseAddress(address));
      }),
    );
  });
});

describe('the place of a credential', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9:_.@\\-]{1,40}$/);

  test('is another one for each unit and credential, or there is none', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ unit: name, credential: name }), { maxLength: 20 }), (all) => {
        const places = new Map<string, string>();
        for (const wanted of all) {
          let text: string;
          try {
            ({ text } = placeOf(wanted, none));
          } catch (error) {
            assert.equal((error as { code?: unknown }).code, 'INVALID_NAME');
            continue;
          }
          assert.equal(text, `pr:${wanted.unit}/${wanted.credential}`);
          assert.equal(parseSecretPath(text).text, text);
          const whose = JSON.stringify(wanted);
          assert.equal(places.get(text) ?? whose, whose);
          places.set(text, whose);
        }
      }),
    );
  });

  test('is in the scope that the operator gives to the unit, and to no other', () => {
    const scopes = addScope('web@1.service=ws:shop', addScope('a.service=global', none));
    assert.equal(placeOf({ unit: 'web@1.service', credential: 'db' }, scopes).text, 'ws:shop/db');
    assert.equal(placeOf({ unit: 'a.service', credential: 'db' }, scopes).text, 'global/db');
    assert.equal(placeOf({ unit: 'b.service', credential: 'db' }, scopes).text, 'pr:b.service/db');
    assert.throws(() => placeOf({ unit: 'web@2.service', credential: 'db' }, scopes), {
      code: 'INVALID_NAME',
    });
    // What is to be typed reaches the door as it is: a shell would take the backslash away.
    assert.throws(() => placeOf({ unit: 'a\\x2db.service', credential: 'db' }, scopes), {
      hint: "hush door systemd --map 'a\\x2db.service=pr:NAME'",
    });
    assert.throws(() => placeOf({ unit: 'b.service', credential: 'a..b' }, scopes), {
      hint: 'rename the credential',
    });
    for (const text of [
      '',
      '=',
      'web.service',
      '=pr:a',
      'a.service=',
      'a.service=pr:',
      'a.service=pr:a/b',
      'a.service=..',
      'a.service=*',
      'a.service=ws:x',
    ])
      assert.throws(() => addScope(text, scopes), { code: 'BAD_REQUEST' }, text);
  });
});

describe('a process', () => {
  test('is in the unit that its control group shows, and in no other', () => {
    const system = '0::/system.slice/web.service\n';
    const nested = '0::/system.slice/system-web.slice/web.service/payload.scope/other.service\n';
    const own = '0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n';
    const legacy = '9:name=systemd:/system.slice/web.service\n8:pids:/elsewhere.service\n0::/\n';
    for (const text of [system, nested, legacy]) assert.ok(isWithin(text, 'web.service', 0), text);
    assert.ok(isWithin(own, 'web.service', 1000));
    assert.ok(isWithin('0::/system.slice/_memory.service\n', 'memory.service', 0));
    for (const text of [
      own,
      '',
      '0::/\n',
      '0::/web.service.slice\n',
      '1:name=other:/web.service\n',
      'x0::/web.service\n',
      `${system}9:name=systemd:/system.slice/other.service\n`,
    ])
      assert.ok(!isWithin(text, 'web.service', 0), text);
    assert.ok(!isWithin(nested, 'other.service', 0));
    assert.ok(!isWithin(own, 'web.service', 1001));
  });
});
