import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import { z } from 'zod';

import { newBytes } from '../../noise/bytes.ts';
import type { CipherState } from '../../noise/cipher-state.ts';
import { createHandshakeState, patternIK, type HandshakeState } from '../../noise/handshake-state.ts';
import { fieldKeyOf } from '../../noise/symmetric-state.ts';
import { publicKeyOf } from '../../noise/x25519.ts';
import { bytesOf, hex, hexOf } from './fixtures.ts';
import { referenceHkdf, referenceIK, referenceNonce } from './reference.ts';

const message = z.object({ payload: z.string(), ciphertext: z.string() });

const publishedShape = z.array(
  z.looseObject({
    source: z.string(),
    protocol_name: z.string(),
    init_prologue: z.string(),
    init_static: z.string().optional(),
    init_ephemeral: z.string(),
    init_remote_static: z.string().optional(),
    resp_prologue: z.string(),
    resp_static: z.string().optional(),
    resp_ephemeral: z.string(),
    handshake_hash: z.string().optional(),
    messages: z.array(message),
  }),
);

const noiseCShape = z.object({
  prologue: z.string(),
  clientStatic: z.string(),
  daemonStatic: z.string(),
  ourEphemeral: z.string(),
  noiseCBegins: z.object({
    message1: message,
    message2: message,
    handshakeHash: z.string(),
    fromNoiseC: z.array(message),
    toNoiseC: z.array(message),
  }),
  noiseCAnswers: z.object({
    message1: message,
    message2: message,
    handshakeHash: z.string(),
    fromNoiseC: z.array(message),
    toNoiseC: z.array(message),
  }),
});

const none = newBytes(0);

function sealed(cipher: CipherState, payload: string): string {
  const out = newBytes(payload.length / 2 + 16);
  cipher.seal(none, hex(payload), out);
  return hexOf(out);
}

function opened(cipher: CipherState, ciphertext: string): string {
  const out = newBytes(ciphertext.length / 2 - 16);
  assert.ok(cipher.open(none, hex(ciphertext), out));
  return hexOf(out);
}

const written = (state: HandshakeState, payload: string): string =>
  hexOf(state.write(hex(payload)) ?? assert.fail('no message'));
const read = (state: HandshakeState, ciphertext: string): string =>
  hexOf(state.read(hex(ciphertext)) ?? assert.fail('the message was refused'));

/** The vectors for IK that the projects cacophony and snow publish, as they publish them. */
const published = new URL('published.json', import.meta.url);

describe('the Noise handshake', () => {
  test('the published vectors of cacophony and snow come out to the byte', () => {
    const vectors = publishedShape.parse(JSON.parse(readFileSync(published, 'utf8')));
    assert.ok(vectors.every((vector) => vector.protocol_name === patternIK.protocolName));
    assert.deepEqual(vectors.map((vector) => vector.source).sort(), ['cacophony', 'snow']);
    for (const vector of vectors) {
      const initiator = createHandshakeState({
        pattern: patternIK,
        isInitiator: true,
        prologue: hex(vector.init_prologue),
        staticKey: hex(vector.init_static ?? ''),
        remoteStatic: hex(vector.init_remote_static ?? ''),
        ephemeralKey: hex(vector.init_ephemeral),
      });
      const responder = createHandshakeState({
        pattern: patternIK,
        isInitiator: false,
        prologue: hex(vector.resp_prologue),
        staticKey: hex(vector.resp_static ?? ''),
        ephemeralKey: hex(vector.resp_ephemeral),
      });
      const [first, second, ...rest] = vector.messages;
      assert.ok(first !== undefined && second !== undefined && rest.length > 0);
      assert.equal(written(initiator, first.payload), first.ciphertext);
      assert.equal(read(responder, first.ciphertext), first.payload);
      assert.equal(written(responder, second.payload), second.ciphertext);
      assert.equal(read(initiator, second.ciphertext), second.payload);
      assert.equal(hexOf(initiator.hash()), hexOf(responder.hash()));
      if (vector.handshake_hash !== undefined) assert.equal(hexOf(initiator.hash()), vector.handshake_hash);
      const ends = [initiator.split(), responder.split()] as const;
      for (const [index, { payload, ciphertext }] of rest.entries()) {
        const way = index % 2 === 0 ? 'initiator' : 'responder';
        const [sender, receiver] = index % 2 === 0 ? ends : [ends[1], ends[0]];
        assert.equal(sealed(sender[way], payload), ciphertext);
        assert.equal(opened(receiver[way], ciphertext), payload);
      }
    }
  });

  test('what was recorded with the C implementation comes out to the byte, with it at either end', () => {
    const record = noiseCShape.parse(
      JSON.parse(readFileSync(new URL('noise-c.json', import.meta.url), 'utf8')),
    );
    const parts = {
      pattern: patternIK,
      prologue: hex(record.prologue),
      ephemeralKey: hex(record.ourEphemeral),
    };
    const { noiseCBegins, noiseCAnswers } = record;

    const responder = createHandshakeState({
      ...parts,
      isInitiator: false,
      staticKey: hex(record.daemonStatic),
    });
    assert.equal(read(responder, noiseCBegins.message1.ciphertext), noiseCBegins.message1.payload);
    assert.equal(written(responder, noiseCBegins.message2.payload), noiseCBegins.message2.ciphertext);
    assert.deepEqual(responder.remoteStatic(), publicKeyOf(hex(record.clientStatic)));

    const initiator = createHandshakeState({
      ...parts,
      isInitiator: true,
      staticKey: hex(record.clientStatic),
      remoteStatic: publicKeyOf(hex(record.daemonStatic)),
    });
    assert.equal(written(initiator, noiseCAnswers.message1.payload), noiseCAnswers.message1.ciphertext);
    assert.equal(read(initiator, noiseCAnswers.message2.ciphertext), noiseCAnswers.message2.payload);

    for (const [state, told, sends, receives] of [
      [responder, noiseCBegins, 'responder', 'initiator'],
      [initiator, noiseCAnswers, 'initiator', 'responder'],
    ] as const) {
      assert.equal(hexOf(state.hash()), told.handshakeHash);
      const keys = state.split();
      for (const each of told.toNoiseC) assert.equal(sealed(keys[sends], each.payload), each.ciphertext);
      for (const each of told.fromNoiseC) assert.equal(opened(keys[receives], each.ciphertext), each.payload);
    }
  });

  test('any keys, prologue and payloads give what a plain transcription of the specification gives', () => {
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const bytes = fc.uint8Array({ maxLength: 200 });
    const property = fc.property(
      fc.tuple(key, key, key, key),
      fc.tuple(bytes, bytes, bytes),
      ([is, ie, rs, re], [prologue, payload1, payload2]) => {
        const told = referenceIK(prologue, { s: is, e: ie }, { s: rs, e: re }, payload1, payload2);
        const parts = { pattern: patternIK, prologue };
        const remoteStatic = publicKeyOf(rs);
        const initiator = createHandshakeState({
          ...parts,
          isInitiator: true,
          staticKey: is,
          ephemeralKey: ie,
          remoteStatic,
        });
        const responder = createHandshakeState({
          ...parts,
          isInitiator: false,
          staticKey: rs,
          ephemeralKey: re,
        });
        assert.equal(written(initiator, hexOf(payload1)), hexOf(told.message1));
        assert.equal(read(responder, hexOf(told.message1)), hexOf(payload1));
        assert.equal(written(responder, hexOf(payload2)), hexOf(told.message2));
        assert.equal(read(initiator, hexOf(told.message2)), hexOf(payload2));
        assert.deepEqual(responder.remoteStatic(), publicKeyOf(is));
        for (const state of [initiator, responder]) {
          assert.equal(hexOf(state.hash()), hexOf(told.hash));
          const keys = state.split();
          const plain = hexOf(bytesOf('the first message'));
          assert.equal(
            sealed(keys.initiator, plain),
            hexOf(chacha20poly1305(told.initiatorKey, referenceNonce(0)).encrypt(hex(plain))),
          );
          assert.equal(
            sealed(keys.responder, plain),
            hexOf(chacha20poly1305(told.responderKey, referenceNonce(0)).encrypt(hex(plain))),
          );
          const label = Buffer.concat([bytesOf('hushd field encryption v1'), told.hash]);
          const [fieldKey] = referenceHkdf(told.chainingKey, label, 1);
          assert.equal(hexOf(keys.fieldKey), hexOf(fieldKey ?? none));
          assert.deepEqual(keys.fieldKey, fieldKeyOf(told.chainingKey, told.hash));
        }
      },
    );
    fc.assert(property, { numRuns: 20 });
  });
});
