import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';

import { newBytes } from '../../noise/bytes.ts';
import { createCipherState, mostMessages } from '../../noise/cipher-state.ts';
import { createTransport, longestPlaintext, messagesPerKey } from '../../noise/transport.ts';
import { bytesOf, connected, flipBit, hexOf, keyOf, open, seal, withCode } from './fixtures.ts';
import { referenceNonce } from './reference.ts';

const refused = withCode('UNIDENTIFIED');
const over = withCode('UNAVAILABLE');
const none = newBytes(0);

describe('the transport after a handshake', () => {
  test('messages of any length arrive as they were, in both directions at once', () => {
    const { client, daemon } = connected();
    const property = fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 2_000 })), { maxLength: 20 }),
      (messages) => {
        for (const [fromClient, plain] of messages) {
          const [from, to] = fromClient ? [client, daemon] : [daemon, client];
          assert.equal(hexOf(open(to, seal(from, plain))), hexOf(plain));
        }
      },
    );
    fc.assert(property);
    const longest = newBytes(longestPlaintext).fill(5);
    assert.deepEqual(open(daemon, seal(client, longest)), longest);
  });

  test('what is longer than a Noise message, and a buffer that does not fit, are refused', () => {
    const { client } = connected();
    assert.throws(() => seal(client, newBytes(longestPlaintext + 1)), RangeError);
    assert.throws(() => client.seal(bytesOf('abc'), newBytes(18)), RangeError);
  });

  test('any bit changed in a message is refused, and then everything', () => {
    const plain = bytesOf('a request with a secret in it');
    for (let bit = 0; bit < 8 * (plain.byteLength + 16); bit++) {
      const { client, daemon } = connected();
      const sealed = seal(client, plain);
      assert.throws(() => open(daemon, flipBit(sealed, bit)), refused);
      assert.throws(() => open(daemon, sealed), over);
      assert.throws(() => seal(daemon, plain), over);
      assert.ok(daemon.fieldKey.every((byte) => byte === 0));
    }
  });

  test('a repeated, left out, swapped, cut, reflected or empty message is refused', () => {
    const tries: ((parts: ReturnType<typeof connected>) => Uint8Array)[] = [
      ({ client, daemon }) => {
        const sealed = seal(client, bytesOf('one'));
        open(daemon, sealed);
        return sealed;
      },
      ({ client }) => {
        seal(client, bytesOf('one'));
        return seal(client, bytesOf('two'));
      },
      ({ client }) => seal(client, bytesOf('one')).subarray(1),
      ({ client }) => seal(client, bytesOf('one')).subarray(0, 18),
      ({ daemon }) => seal(daemon, bytesOf('one')),
      () => none,
      () => newBytes(15),
      () => newBytes(70_000),
    ];
    for (const next of tries) {
      const ends = connected();
      const sealed = next(ends);
      assert.throws(() => open(ends.daemon, sealed), refused);
    }
  });

  test('a refused message leaves nothing of its plaintext', () => {
    const { client, daemon } = connected();
    const plain = bytesOf('a secret value');
    const out = newBytes(plain.byteLength).fill(0xaa);
    assert.throws(
      () => daemon.open(flipBit(seal(client, plain), 200), out),
      (error: unknown) => !JSON.stringify([String(error), error]).includes('secret value'),
    );
    assert.ok(out.every((byte) => byte === 0));
  });

  test('both ends change the key after 65,536 messages, as the specification derives it', () => {
    const key = keyOf('a transport key');
    const made = (sending: Uint8Array, receiving: Uint8Array, startAt: number) =>
      createTransport({
        handshakeHash: none,
        fieldKey: newBytes(32),
        sending: createCipherState(sending, startAt),
        receiving: createCipherState(receiving, startAt),
      });
    const start = messagesPerKey - 2;
    const sender = made(key, keyOf('other'), start);
    const receiver = made(keyOf('other'), key, start);
    const plain = bytesOf('over the edge');
    const sealedUnder = (k: Uint8Array, count: number): string =>
      hexOf(chacha20poly1305(k, referenceNonce(count)).encrypt(plain));
    const lastNonce = Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255);
    const nextKey = chacha20poly1305(key, lastNonce).encrypt(new Uint8Array(32)).subarray(0, 32);
    for (const [count, k] of [
      [start, key],
      [start + 1, key],
      [start + 2, nextKey],
      [start + 3, nextKey],
    ] as const) {
      const sealed = seal(sender, plain);
      assert.equal(hexOf(sealed), sealedUnder(k, count));
      assert.equal(hexOf(open(receiver, sealed)), hexOf(plain));
    }
  });

  test('the count goes into the nonce as 64 bits, and no count ever comes twice', () => {
    const key = keyOf('k');
    for (const startAt of [0, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, mostMessages - 1]) {
      const cipher = createCipherState(key, startAt);
      const out = newBytes(16 + 3);
      cipher.seal(none, bytesOf('abc'), out);
      assert.equal(hexOf(out), hexOf(chacha20poly1305(key, referenceNonce(startAt)).encrypt(bytesOf('abc'))));
      assert.equal(cipher.count(), startAt + 1);
    }
    const last = createCipherState(key, mostMessages);
    assert.throws(() => last.seal(none, none, newBytes(16)), over);
    assert.throws(() => last.open(none, newBytes(16), newBytes(0)), over);
  });

  test('a wiped transport seals and opens nothing', () => {
    const { client, daemon } = connected();
    const sealed = seal(client, bytesOf('x'));
    client.wipe();
    daemon.wipe();
    assert.throws(() => seal(client, bytesOf('x')), over);
    assert.throws(() => open(daemon, sealed), over);
    assert.ok([...client.fieldKey, ...daemon.fieldKey].every((byte) => byte === 0));
  });
});
