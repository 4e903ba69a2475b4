import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  decryptCredentials,
  encryptCredentials,
  generateKeyBase64,
  keyringFromEnv,
  NoStableKeyError,
} from '../../client/credentials/index.ts';
import type { HushError } from '../../client/credentials/index.ts';
import { coded } from '../client/coded.ts';

const keyOf = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
const map = (keys: object): string => JSON.stringify(keys);

describe('the keyring of the environment', () => {
  test('has the one key of CONNECTOR_CRED_KEY, by default as v1', () => {
    const one = keyringFromEnv({ CONNECTOR_CRED_KEY: keyOf(1) });
    assert.deepEqual([one.activeKid, one.kids], ['v1', ['v1']]);
    const named = keyringFromEnv({ CONNECTOR_CRED_KEY: keyOf(1), CONNECTOR_CRED_KID: '2025' });
    assert.deepEqual([named.activeKid, named.kids], ['2025', ['2025']]);
    const empty = { CONNECTOR_CRED_KID: '', CONNECTOR_CRED_KEYS: '', CONNECTOR_CRED_ACTIVE_KID: 'v9' };
    assert.equal(keyringFromEnv({ CONNECTOR_CRED_KEY: keyOf(1), ...empty }).activeKid, 'v1');
    assert.equal(keyringFromEnv({ CONNECTOR_CRED_KEY: keyOf(1).replace('=', '') }).activeKid, 'v1');
  });

  test('has the keys of CONNECTOR_CRED_KEYS, of which CONNECTOR_CRED_ACTIVE_KID seals and all open', () => {
    const keys = `{"v1":"${keyOf(1)}","v2":"${keyOf(2)}","__proto__":"${keyOf(3)}"}`;
    const of = (active: string) =>
      keyringFromEnv({ CONNECTOR_CRED_KEYS: keys, CONNECTOR_CRED_ACTIVE_KID: active });
    for (const kid of ['v1', 'v2', '__proto__']) {
      const envelope = encryptCredentials({ kid }, of(kid));
      assert.equal(envelope.kid, kid);
      assert.deepEqual(decryptCredentials(envelope, of('v1')), { kid });
    }
  });

  test('is made up of nothing: without a key it throws at once, and names the ways', () => {
    const nothing = [
      {},
      { CONNECTOR_CRED_KEY: '' },
      { CONNECTOR_CRED_KID: 'v1', CONNECTOR_CRED_ACTIVE_KID: 'v1' },
      { CONNECTOR_CRED_KEY: '', CONNECTOR_CRED_KEYS: '' },
    ];
    for (const env of nothing) {
      assert.throws(
        () => keyringFromEnv(env),
        (error: unknown) => {
          assert(error instanceof NoStableKeyError);
          for (const way of ['CONNECTOR_CRED_KEY ', 'CONNECTOR_CRED_KEYS', 'keyringFromDaemon'])
            assert(error.message.includes(way));
          return coded('NO_STABLE_KEY')(error);
        },
      );
    }
  });

  test('refuses what is no key, by the name of its variable and never by its content', () => {
    const secret = Buffer.alloc(31, 5).toString('base64');
    const hex = 'ab'.repeat(32);
    for (const text of [
      secret,
      hex,
      'hunter2',
      `${keyOf(1)}\n`,
      ` ${keyOf(1)}`,
      keyOf(1).replace('A', '-'),
    ]) {
      const wrongs = [
        { CONNECTOR_CRED_KEY: text },
        { CONNECTOR_CRED_KEYS: map({ v1: keyOf(1), v2: text }), CONNECTOR_CRED_ACTIVE_KID: 'v1' },
      ];
      for (const env of wrongs) {
        assert.throws(
          () => keyringFromEnv(env),
          (error: HushError) => {
            assert(!error.message.includes(text.trim()));
            return coded('BAD_REQUEST', /CONNECTOR_CRED_KEYS? is not a key/)(error);
          },
        );
      }
    }
  });

  test('refuses a map that is none, and an active kid that is not in it', () => {
    for (const keys of ['hunter2', '[]', 'null', '"x"', '{', map([keyOf(1)])]) {
      const env = { CONNECTOR_CRED_KEYS: keys, CONNECTOR_CRED_ACTIVE_KID: 'v1' };
      assert.throws(
        () => keyringFromEnv(env),
        (error: HushError) => {
          assert.equal(error.cause, undefined);
          return coded('BAD_REQUEST', /CONNECTOR_CRED_KEYS is not a JSON map/)(error);
        },
      );
    }
    for (const value of [1, null, true, {}, [keyOf(1)]]) {
      const env = { CONNECTOR_CRED_KEYS: map({ v1: value }), CONNECTOR_CRED_ACTIVE_KID: 'v1' };
      assert.throws(() => keyringFromEnv(env), coded('BAD_REQUEST', /"v1" in CONNECTOR_CRED_KEYS/));
    }
    const both = { CONNECTOR_CRED_KEY: keyOf(1), CONNECTOR_CRED_KEYS: map({ v1: keyOf(1) }) };
    assert.throws(() => keyringFromEnv(both), coded('BAD_REQUEST', /both set/));
    for (const active of [{}, { CONNECTOR_CRED_ACTIVE_KID: '' }, { CONNECTOR_CRED_ACTIVE_KID: 'toString' }]) {
      const env = { CONNECTOR_CRED_KEYS: map({ v1: keyOf(1) }), ...active };
      assert.throws(() => keyringFromEnv(env), coded('BAD_REQUEST', /^CONNECTOR_CRED_ACTIVE_KID/));
    }
    const long = { CONNECTOR_CRED_KEY: keyOf(1), CONNECTOR_CRED_KID: 'k'.repeat(257) };
    assert.throws(() => keyringFromEnv(long), coded('BAD_REQUEST', /^CONNECTOR_CRED_KID/));
    for (const kid of ['', 'k'.repeat(257)]) {
      const env = { CONNECTOR_CRED_KEYS: map({ [kid]: keyOf(1) }), CONNECTOR_CRED_ACTIVE_KID: kid };
      assert.throws(() => keyringFromEnv(env), coded('BAD_REQUEST', /kid of none or over 256/));
    }
  });
});

test('a generated key is the base64 of 32 random bytes, and makes a keyring', () => {
  const keys = new Set(Array.from({ length: 50 }, generateKeyBase64));
  assert.equal(keys.size, 50);
  for (const key of keys) {
    assert.equal(Buffer.from(key, 'base64').length, 32);
    assert.equal(Buffer.from(key, 'base64').toString('base64'), key);
    keyringFromEnv({ CONNECTOR_CRED_KEY: key });
  }
});

test('no text but the base64 of 32 bytes is a key', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String()), (text) => {
      fc.pre(text !== '' && Buffer.from(text, 'base64').length !== 32);
      assert.throws(() => keyringFromEnv({ CONNECTOR_CRED_KEY: text }), coded('BAD_REQUEST'));
    }),
  );
});
