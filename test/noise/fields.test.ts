import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { describe, test } from 'node:test';
import { gcm as nobleGcm } from '@noble/ciphers/aes.js';
import fc from 'fast-check';

import { createGcm as createClientGcm } from '../../client/local/aes-gcm.ts';
import { createAesGcm as createDaemonGcm } from '../../daemon/keys/aes-gcm.ts';
import { newBytes } from '../../noise/bytes.ts';
import { acceptEphemeral, beginEphemeral } from '../../noise/ephemeral.ts';
import {
  createFieldOpener,
  createFieldSealer,
  type Direction,
  mostFields,
  openFields,
  sealFields,
} from '../../noise/fields.ts';
import { createReplayWindow, windowBits } from '../../noise/replay-window.ts';
import { bytesOf, flipBit, hex, hexOf, keyOf, prologue, textOf, withCode } from './fixtures.ts';

const refused = withCode('UNIDENTIFIED');
const key = keyOf('a field key');
const place = { id: 7, path: ['params', 'value'] };
const sealer = (direction: Direction = 'request', startAt = 0) =>
  createFieldSealer(createClientGcm(key), direction, startAt);
const opener = (direction: Direction = 'request') => createFieldOpener(createDaemonGcm(key), direction);

/** The additional data, written down anew. */
function aadOf(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(text));
      return [length, Buffer.from(text)];
    }),
  );
}

const message = fc.record({
  id: fc.nat(),
  path: fc.array(fc.oneof(fc.string({ maxLength: 12 }), fc.nat(1_000)), { maxLength: 4 }),
  plain: fc.uint8Array({ maxLength: 300 }),
});

describe('field encryption', () => {
  test('node:crypto opens a sealed field from the published form alone', () => {
    const property = fc.property(
      message,
      fc.constantFrom<Direction>('request', 'reply'),
      fc.nat(1e9),
      ({ id, path, plain }, direction, count) => {
        const sealed = sealer(direction, count).seal({ id, path }, plain);
        const nonce = Buffer.alloc(12);
        nonce.writeUInt32BE(direction === 'request' ? 0 : 1);
        nonce.writeBigUInt64BE(BigInt(count), 4);
        assert.equal(hexOf(sealed.subarray(0, 12)), hexOf(nonce));
        const decipher = createDecipheriv('aes-256-gcm', key, nonce);
        decipher.setAAD(aadOf('hushd', '1', 'field', direction, String(id), ...path.map(String)));
        decipher.setAuthTag(sealed.subarray(-16));
        const opened = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
        assert.ok(opened.equals(plain));
      },
    );
    fc.assert(property);
  });

  test('what node:crypto and noble seal in the published form is opened', () => {
    const aad = aadOf('hushd', '1', 'field', 'request', '7', 'params', 'value');
    const nonce = hex('000000000000000000000005');
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(aad);
    const body = Buffer.concat([cipher.update('a value'), cipher.final(), cipher.getAuthTag()]);
    const sealed = Buffer.concat([nonce, body]);
    assert.equal(textOf(opener().open(place, sealed)), 'a value');
    assert.equal(hexOf(body), hexOf(nobleGcm(key, nonce, aad).encrypt(bytesOf('a value'))));
  });

  test('no nonce comes twice, not even of the two directions', () => {
    const [request, reply] = [sealer('request'), sealer('reply')];
    const nonces = Array.from({ length: 500 }, () => [request, reply])
      .flat()
      .map((each) => hexOf(each.seal(place, newBytes(0)).subarray(0, 12)));
    assert.equal(new Set(nonces).size, nonces.length);
  });

  test('a field opens only in its own message, at its own place, in its own direction, unchanged', () => {
    const property = fc.property(message, message, ({ id, path, plain }, other) => {
      const sealed = sealer().seal({ id, path }, plain);
      fc.pre(JSON.stringify([id, path.map(String)]) !== JSON.stringify([other.id, other.path.map(String)]));
      assert.throws(() => opener().open({ id: other.id, path: other.path }, sealed), refused);
      assert.throws(() => opener('reply').open({ id, path }, sealed), refused);
      assert.equal(hexOf(opener().open({ id, path }, sealed)), hexOf(plain));
    });
    fc.assert(property);
    const sealed = sealer().seal(place, bytesOf('a value'));
    for (let bit = 0; bit < 8 * sealed.byteLength; bit++) {
      assert.throws(() => opener().open(place, flipBit(sealed, bit)), refused, `bit ${bit}`);
    }
    for (let length = 0; length < sealed.byteLength; length++) {
      assert.throws(() => opener().open(place, sealed.subarray(0, length)), refused);
    }
    assert.throws(() => opener().open(place, Buffer.concat([sealed, newBytes(1)])), refused);
    assert.throws(
      () => createFieldOpener(createDaemonGcm(keyOf('another')), 'request').open(place, sealed),
      refused,
    );
  });

  test('a field opens once, and those that overtake each other open too', () => {
    const from = sealer();
    const fields = Array.from({ length: 50 }, () => from.seal(place, bytesOf('v')));
    const to = opener();
    const shuffled = [...fields.slice(25), ...fields.slice(0, 25).reverse()];
    for (const sealed of shuffled) assert.equal(textOf(to.open(place, sealed)), 'v');
    for (const sealed of fields) assert.throws(() => to.open(place, sealed), refused);
  });

  test('a field that is not genuine uses nothing up', () => {
    const sealed = sealer().seal(place, bytesOf('v'));
    const to = opener();
    assert.throws(() => to.open(place, flipBit(sealed, 100)), refused);
    assert.equal(textOf(to.open(place, sealed)), 'v');
  });

  test('the key is given up before it has sealed too much', () => {
    sealer('request', mostFields - 1).seal(place, newBytes(0));
    assert.throws(() => sealer('request', mostFields).seal(place, newBytes(0)), withCode('UNAVAILABLE'));
  });

  test('every binary of a message is sealed and opened, and the rest stays', () => {
    const value = {
      profile: 'default',
      credentials: [
        { kind: 'passphrase', secret: bytesOf('correct horse') },
        { kind: 'key', secret: bytesOf('k'.repeat(32)) },
      ],
      items: [{ op: 'secret.set', params: { value: bytesOf(''), n: 4, none: null } }],
    };
    const sealed = sealFields(sealer(), 3, 'params', value);
    const text = JSON.stringify(sealed, (_, each: unknown) =>
      each instanceof Uint8Array ? Buffer.from(each).toString('latin1') : each,
    );
    assert.ok(!text.includes('correct horse'));
    assert.ok(text.includes('"passphrase"'));
    assert.deepEqual(openFields(opener(), 3, 'params', sealed), {
      ...value,
      credentials: value.credentials.map(({ kind, secret }) => ({ kind, secret: Uint8Array.from(secret) })),
    });
    assert.equal(textOf(value.credentials[0]?.secret ?? newBytes(0)), 'correct horse');
  });

  test('two fields of a message that were swapped are refused', () => {
    const { a, b } = { a: bytesOf('1'), b: bytesOf('2') };
    // `sealFields` keeps the shape of what it is given.
    const sealed = sealFields(sealer(), 3, 'params', { a, b }) as { a: Uint8Array; b: Uint8Array };
    assert.throws(() => openFields(opener(), 3, 'params', { a: sealed.b, b: sealed.a }), refused);
    assert.throws(() => openFields(opener(), 3, 'params', { a, b }), refused);
  });

  test('the window knows what came, and takes nothing from before its edge', () => {
    const property = fc.property(fc.array(fc.nat(3 * windowBits), { maxLength: 300 }), (counts) => {
      const window = createReplayWindow();
      const came = new Set<number>();
      for (const count of counts) {
        const highest = Math.max(-1, ...came);
        assert.equal(window.isFresh(count), !came.has(count) && count > highest - windowBits);
        if (!window.isFresh(count)) continue;
        window.mark(count);
        came.add(count);
      }
    });
    fc.assert(property);
  });
});

describe('the ephemeral handshake of a plain connection', () => {
  test('both ends get the same key, another one on each connection', () => {
    const made = () => {
      const initiator = beginEphemeral(prologue);
      const { message2, fieldKey } = acceptEphemeral(prologue, initiator.message1);
      assert.deepEqual(initiator.receive(message2), fieldKey);
      return hexOf(fieldKey);
    };
    assert.notEqual(made(), made());
  });

  test('a changed bit, another length, another prologue, a repeated answer fail', () => {
    const { message1 } = beginEphemeral(prologue);
    for (let bit = 0; bit < 8 * 48; bit++) {
      const initiator = beginEphemeral(prologue);
      const { message2 } = acceptEphemeral(prologue, initiator.message1);
      assert.throws(() => initiator.receive(flipBit(message2, bit)), refused);
      assert.throws(() => initiator.receive(message2), refused);
    }
    for (let bit = 0; bit < 8 * 32; bit += 7) {
      const initiator = beginEphemeral(prologue);
      const { message2 } = acceptEphemeral(prologue, flipBit(initiator.message1, bit));
      assert.throws(() => initiator.receive(message2), refused);
    }
    for (const length of [0, 31, 33, 48, 96]) {
      assert.throws(() => acceptEphemeral(prologue, newBytes(length).fill(9)), refused);
    }
    assert.throws(() => acceptEphemeral(prologue, newBytes(32)), refused);
    const { message2 } = acceptEphemeral(bytesOf('other hellos'), message1);
    const initiator = beginEphemeral(prologue);
    assert.throws(() => initiator.receive(message2), refused);
  });
});
