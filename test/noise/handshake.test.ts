import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { acceptResponder, beginInitiator, message1Bytes, message2Bytes } from '../../noise/handshake.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  accept,
  begin,
  bytesOf,
  clientPublic,
  clientStatic,
  connected,
  daemonPublic,
  daemonStatic,
  flipBit,
  hex,
  hexOf,
  keyOf,
  open,
  prologue,
  seal,
  withCode,
} from './fixtures.ts';

const failed = withCode('UNIDENTIFIED');

/** Points of low order, some of them not reduced (https://cr.yp.to/ecdh.html#validate). */
const lowOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
].map(hex);

/** What a handshake fails with, as a whole. */
function failureOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HushError, String(error));
    return JSON.stringify([error.code, error.message, error.hint, error.limit, error.cause]);
  }
  return assert.fail('the handshake passed');
}

describe('the handshake of an enrolled client', () => {
  test('both ends speak to each other afterwards, and the daemon knows the client by its public key', () => {
    const initiator = begin();
    assert.equal(initiator.message1.byteLength, message1Bytes);
    const { message2, remoteStatic, transport } = accept(initiator.message1);
    assert.equal(message2.byteLength, message2Bytes);
    assert.deepEqual(remoteStatic, clientPublic);
    const client = initiator.receive(message2);
    assert.deepEqual(client.handshakeHash, transport.handshakeHash);
    assert.deepEqual(client.fieldKey, transport.fieldKey);
    assert.deepEqual(
      open(transport, seal(client, bytesOf('a request'))),
      Uint8Array.from(bytesOf('a request')),
    );
    assert.deepEqual(open(client, seal(transport, bytesOf('a reply'))), Uint8Array.from(bytesOf('a reply')));
  });

  test('two handshakes of the same client have nothing in common', () => {
    const [one, other] = [connected(), connected()];
    assert.notDeepEqual(one.client.handshakeHash, other.client.handshakeHash);
    assert.notDeepEqual(one.client.fieldKey, other.client.fieldKey);
    assert.throws(() => open(other.daemon, seal(one.client, bytesOf('hello'))), failed);
  });

  test('the public key of the client does not show in what goes over the socket', () => {
    const { message1 } = begin();
    assert.ok(!hexOf(message1).includes(hexOf(clientPublic)));
    assert.ok(!hexOf(message1).includes(hexOf(daemonPublic)));
  });

  test('a message with any one bit changed fails, and so does everything after it', () => {
    const initiator = begin();
    for (let bit = 0; bit < 8 * message1Bytes; bit++) {
      assert.throws(() => accept(flipBit(initiator.message1, bit)), failed, `bit ${bit}`);
    }
    for (let bit = 0; bit < 8 * message2Bytes; bit += 3) {
      const fresh = begin();
      const { message2 } = accept(fresh.message1);
      assert.throws(() => fresh.receive(flipBit(message2, bit)), failed, `bit ${bit}`);
      assert.throws(() => fresh.receive(message2), failed);
    }
  });

  test('a message that is cut, extended, of the other step, or random fails', () => {
    const { message1 } = begin();
    const { message2 } = accept(message1);
    for (let length = 0; length < message1Bytes; length++) {
      assert.throws(() => accept(message1.subarray(0, length)), failed);
    }
    for (let length = 0; length < message2Bytes; length++) {
      assert.throws(() => begin().receive(message2.subarray(0, length)), failed);
    }
    for (const extra of [1, 16, 65_535, 1_000_000]) {
      assert.throws(() => accept(Buffer.concat([message1, new Uint8Array(extra)])), failed);
      assert.throws(() => begin().receive(Buffer.concat([message2, new Uint8Array(extra)])), failed);
    }
    assert.throws(() => accept(message2), failed);
    assert.throws(() => begin().receive(message1), failed);
    const property = fc.property(fc.uint8Array({ minLength: 96, maxLength: 96 }), (bytes) => {
      assert.throws(() => accept(bytes), failed);
      assert.throws(() => begin().receive(bytes.subarray(0, 48)), failed);
    });
    fc.assert(property, { numRuns: 50 });
  });

  test('an answer to another handshake, and the same answer twice, fail', () => {
    const [one, other] = [begin(), begin()];
    const { message2 } = accept(one.message1);
    assert.throws(() => other.receive(message2), failed);
    one.receive(message2);
    assert.throws(() => one.receive(message2), failed);
  });

  test('a repeated first message is answered, but whoever repeats it can say nothing', () => {
    const initiator = begin();
    const before = accept(initiator.message1);
    const client = initiator.receive(before.message2);
    const request = seal(client, bytesOf('get a secret'));
    const repeated = accept(initiator.message1);
    assert.throws(() => open(repeated.transport, request), failed);
  });

  test('hellos that differ in anything between the two ends fail', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 64 }), (other) => {
      fc.pre(hexOf(other) !== hexOf(prologue));
      const initiator = beginInitiator({
        prologue: other,
        staticKey: clientStatic,
        remoteStatic: daemonPublic,
      });
      assert.throws(() => accept(initiator.message1), failed);
    });
    fc.assert(property, { numRuns: 50 });
  });

  test('a client that expects another daemon fails, and so does a daemon that only claims the key', () => {
    const expecting = beginInitiator({
      prologue,
      staticKey: clientStatic,
      remoteStatic: publicKeyOf(keyOf('another daemon')),
    });
    assert.throws(() => accept(expecting.message1), failed);

    const initiator = begin();
    const impostor = createImpostorAnswer();
    assert.throws(() => initiator.receive(impostor), failed);
  });

  test('a client that is not enrolled, or no longer, gets no answer', () => {
    const asked: string[] = [];
    const answer = () =>
      acceptResponder({
        prologue,
        staticKey: daemonStatic,
        message1: begin().message1,
        isEnrolled: (remoteStatic) => {
          asked.push(hexOf(remoteStatic));
          return false;
        },
      });
    assert.throws(answer, failed);
    assert.deepEqual(asked, [hexOf(clientPublic)]);
  });

  test('nobody is asked about a client whose message is not genuine', () => {
    const { message1 } = begin();
    for (const bit of [3, 300, 700]) {
      const answer = () =>
        acceptResponder({
          prologue,
          staticKey: daemonStatic,
          message1: flipBit(message1, bit),
          isEnrolled: () => assert.fail('asked'),
        });
      assert.throws(answer, failed);
    }
  });

  test('all failures look the same from outside, and hold nothing of the keys', () => {
    const { message1 } = begin();
    const wrongPrologue = beginInitiator({
      prologue: bytesOf('other'),
      staticKey: clientStatic,
      remoteStatic: daemonPublic,
    });
    const failures = [
      () => accept(flipBit(message1, 0)),
      () => accept(flipBit(message1, 8 * 40)),
      () => accept(flipBit(message1, 8 * 90)),
      () => accept(message1.subarray(1)),
      () => accept(Buffer.concat([lowOrder[1] ?? message1, message1.subarray(32)])),
      () => accept(wrongPrologue.message1),
      () => acceptResponder({ prologue, staticKey: daemonStatic, message1, isEnrolled: () => false }),
      () => begin().receive(new Uint8Array(48)),
    ].map(failureOf);
    assert.equal(new Set(failures).size, 1);
    for (const secret of [clientStatic, daemonStatic, clientPublic, daemonPublic, message1]) {
      assert.ok(!failures.join('').includes(hexOf(secret)));
    }
  });

  test('points of low order are refused wherever they come from', () => {
    for (const point of lowOrder) {
      assert.throws(
        () => beginInitiator({ prologue, staticKey: clientStatic, remoteStatic: point }),
        failed,
        hexOf(point),
      );
      const { message1 } = begin();
      assert.throws(() => accept(Buffer.concat([point, message1.subarray(32)])), failed);
      assert.throws(() => begin().receive(Buffer.concat([point, new Uint8Array(16)])), failed);
    }
  });

  test('keys of any other length than 32 bytes are refused before anything is sent', () => {
    for (const length of [0, 31, 33, 64]) {
      const wrong = new Uint8Array(length).fill(7);
      assert.throws(
        () => beginInitiator({ prologue, staticKey: wrong, remoteStatic: daemonPublic }),
        RangeError,
      );
      assert.throws(
        () => beginInitiator({ prologue, staticKey: clientStatic, remoteStatic: wrong }),
        RangeError,
      );
    }
  });

  test('an end that gives up takes no answer any more', () => {
    const initiator = begin();
    const { message2 } = accept(initiator.message1);
    initiator.wipe();
    assert.throws(() => initiator.receive(message2), failed);
  });

  test('the keys that were handed in stay as they are', () => {
    const [client, daemon] = [newPrivateKey(), newPrivateKey()];
    const [clientBefore, daemonBefore] = [hexOf(client), hexOf(daemon)];
    const initiator = beginInitiator({ prologue, staticKey: client, remoteStatic: publicKeyOf(daemon) });
    const { message1 } = initiator;
    const { message2 } = acceptResponder({ prologue, staticKey: daemon, message1, isEnrolled: () => true });
    initiator.receive(message2);
    assert.deepEqual([hexOf(client), hexOf(daemon)], [clientBefore, daemonBefore]);
  });
});

/** An answer of somebody who knows the daemon's public key and not its private one. */
function createImpostorAnswer(): Uint8Array {
  const impostor = beginInitiator({
    prologue,
    staticKey: clientStatic,
    remoteStatic: publicKeyOf(keyOf('impostor')),
  });
  return acceptResponder({
    prologue,
    staticKey: keyOf('impostor'),
    message1: impostor.message1,
    isEnrolled: () => true,
  }).message2;
}
