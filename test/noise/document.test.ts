import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { z } from 'zod';

import { parseClientKey, writeClientKey } from '../../noise/client-key.ts';
import { parseDaemonKey, writeDaemonKey } from '../../noise/daemon-key.ts';
import { createHandshakeState, patternIK, patternNN } from '../../noise/handshake-state.ts';
import { prologueOf } from '../../noise/records.ts';
import { decodeMessage } from '../../protocol/frames.ts';
import { hex as hexText, vector } from '../support/vectors.ts';
import { bytesOf, hex, hexOf, readAll, recordsOf, textOf } from './fixtures.ts';
import { referenceHkdf, referenceIK, referenceNN, referenceNonce } from './reference.ts';
import { createTransport } from '../../noise/transport.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block = '']): unknown =>
  JSON.parse(block),
);

function vectorOf<Shape extends z.ZodRawShape>(name: string, shape: Shape) {
  const schema = z.strictObject({ vector: z.literal(name), ...shape });
  const found = blocks.filter((block) => schema.safeParse(block).success);
  assert.equal(found.length, 1, `one vector ${name} in docs/protocol.md`);
  return schema.parse(found[0]);
}

const enrolled = vectorOf('enrolled connection', {
  clientPrivate: hexText,
  clientPublic: hexText,
  daemonPrivate: hexText,
  daemonPublic: hexText,
  clientEphemeral: hexText,
  daemonEphemeral: hexText,
  clientHello: hexText,
  daemonHello: hexText,
  message1: hexText,
  clientHandshake: hexText,
  message2: hexText,
  daemonHandshake: hexText,
  handshakeHash: hexText,
  fieldKey: hexText,
  request: hexText,
  requestRecord: hexText,
  reply: hexText,
  replyRecord: hexText,
});
const sealing = vectorOf('field encryption', {
  clientEphemeral: hexText,
  daemonEphemeral: hexText,
  clientHello: hexText,
  daemonHello: hexText,
  message1: hexText,
  message2: hexText,
  handshakeHash: hexText,
  fieldKey: hexText,
  value: hexText,
  requestId: z.number(),
  requestPath: z.array(z.string()),
  sealedInRequest: hexText,
  replyId: z.number(),
  replyPath: z.array(z.union([z.string(), z.number()])),
  sealedInReply: hexText,
});

/** The message in a frame that is written as hex, which must be the whole of it. */
function messageIn(frame: string): Record<string, unknown> {
  const bytes = hex(frame);
  assert.equal(Buffer.from(bytes).readUInt32BE(0), bytes.byteLength - 4);
  return decodeMessage(bytes, 4, bytes.byteLength);
}

/** What stands in a message under these keys, as hex. */
const within = (message: Record<string, unknown>, ...way: string[]): string => {
  const found = way.reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), message);
  assert.ok(found instanceof Uint8Array);
  return hexOf(found);
};

const fieldKeyOf = (chainingKey: Uint8Array, hash: Uint8Array): string =>
  hexOf(
    referenceHkdf(chainingKey, Buffer.concat([bytesOf('hushd field encryption v1'), hash]), 1)[0] ??
      assert.fail(),
  );

describe('docs/protocol.md, section 5', () => {
  test('an enrolled connection, written anew from the page on other primitives, is the one in the vector', () => {
    assert.equal(hexOf(x25519.getPublicKey(hex(enrolled.clientPrivate))), enrolled.clientPublic);
    assert.equal(hexOf(x25519.getPublicKey(hex(enrolled.daemonPrivate))), enrolled.daemonPublic);
    const prologue = hex(enrolled.clientHello + enrolled.daemonHello);
    const told = referenceIK(
      prologue,
      { s: hex(enrolled.clientPrivate), e: hex(enrolled.clientEphemeral) },
      { s: hex(enrolled.daemonPrivate), e: hex(enrolled.daemonEphemeral) },
    );
    assert.equal(hexOf(told.message1), enrolled.message1);
    assert.equal(hexOf(told.message2), enrolled.message2);
    assert.equal(hexOf(told.hash), enrolled.handshakeHash);
    assert.equal(fieldKeyOf(told.chainingKey, told.hash), enrolled.fieldKey);
    assert.equal(messageIn(enrolled.clientHello)['op'], 'hello');
    assert.equal(within(messageIn(enrolled.clientHandshake), 'params', 'message'), enrolled.message1);
    assert.equal(within(messageIn(enrolled.daemonHandshake), 'ok', 'message'), enrolled.message2);
    for (const [key, frame, record] of [
      [told.initiatorKey, enrolled.request, enrolled.requestRecord],
      [told.responderKey, enrolled.reply, enrolled.replyRecord],
    ] as const) {
      const sealed = chacha20poly1305(key, referenceNonce(0)).encrypt(hex(frame));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(sealed.byteLength);
      assert.equal(hexOf(Buffer.concat([length, sealed])), record);
    }
    assert.equal(messageIn(enrolled.request)['op'], 'secret.get');
    assert.equal(textOf(hex(within(messageIn(enrolled.reply), 'ok', 'value'))), 'correct horse');
  });

  test('both ends of hushd come to the vector, to the byte', () => {
    const parts = {
      pattern: patternIK,
      prologue: prologueOf(hex(enrolled.clientHello), hex(enrolled.daemonHello)),
    };
    const client = createHandshakeState({
      ...parts,
      isInitiator: true,
      staticKey: hex(enrolled.clientPrivate),
      remoteStatic: hex(enrolled.daemonPublic),
      ephemeralKey: hex(enrolled.clientEphemeral),
    });
    const daemon = createHandshakeState({
      ...parts,
      isInitiator: false,
      staticKey: hex(enrolled.daemonPrivate),
      ephemeralKey: hex(enrolled.daemonEphemeral),
    });
    const none = new Uint8Array(0);
    assert.equal(hexOf(client.write(none) ?? none), enrolled.message1);
    daemon.read(hex(enrolled.message1));
    assert.equal(hexOf(daemon.remoteStatic() ?? none), enrolled.clientPublic);
    assert.equal(hexOf(daemon.write(none) ?? none), enrolled.message2);
    client.read(hex(enrolled.message2));
    assert.equal(hexOf(client.hash()), enrolled.handshakeHash);
    const [ours, theirs] = [client.split(), daemon.split()];
    assert.equal(hexOf(ours.fieldKey), enrolled.fieldKey);
    const handshakeHash = client.hash();
    const atClient = createTransport({
      handshakeHash,
      fieldKey: ours.fieldKey,
      sending: ours.initiator,
      receiving: ours.responder,
    });
    const atDaemon = createTransport({
      handshakeHash,
      fieldKey: theirs.fieldKey,
      sending: theirs.responder,
      receiving: theirs.initiator,
    });
    assert.equal(hexOf(recordsOf(atClient, hex(enrolled.request))), enrolled.requestRecord);
    assert.equal(hexOf(readAll(atDaemon, [hex(enrolled.requestRecord)])), enrolled.request);
    assert.equal(hexOf(recordsOf(atDaemon, hex(enrolled.reply))), enrolled.replyRecord);
    assert.equal(hexOf(readAll(atClient, [hex(enrolled.replyRecord)])), enrolled.reply);
  });

  test('field encryption, written anew from the page on other primitives, is the one in the vector', () => {
    const prologue = hex(sealing.clientHello + sealing.daemonHello);
    const told = referenceNN(prologue, hex(sealing.clientEphemeral), hex(sealing.daemonEphemeral));
    assert.equal(hexOf(told.message1), sealing.message1);
    assert.equal(hexOf(told.message2), sealing.message2);
    assert.equal(hexOf(told.hash), sealing.handshakeHash);
    assert.equal(fieldKeyOf(told.chainingKey, told.hash), sealing.fieldKey);
    const state = createHandshakeState({
      pattern: patternNN,
      isInitiator: true,
      prologue,
      ephemeralKey: hex(sealing.clientEphemeral),
    });
    assert.equal(hexOf(state.write(new Uint8Array(0)) ?? assert.fail()), sealing.message1);
    assert.ok(state.read(hex(sealing.message2)));
    assert.equal(hexOf(state.split().fieldKey), sealing.fieldKey);
    for (const [direction, id, path, nonce, sealed] of [
      [
        'request',
        sealing.requestId,
        sealing.requestPath,
        '000000000000000000000000',
        sealing.sealedInRequest,
      ],
      ['reply', sealing.replyId, sealing.replyPath, '000000010000000000000000', sealing.sealedInReply],
    ] as const) {
      const aad = Buffer.concat(
        ['hushd', '1', 'field', direction, String(id), ...path.map(String)].flatMap((text) => {
          const length = Buffer.alloc(4);
          length.writeUInt32BE(Buffer.byteLength(text));
          return [length, Buffer.from(text)];
        }),
      );
      const body = gcm(hex(sealing.fieldKey), hex(nonce), aad).encrypt(hex(sealing.value));
      assert.equal(nonce + hexOf(body), sealed);
    }
  });
});

describe('docs/formats.md, enrolled clients', () => {
  test('the key files of the vectors are what hushd writes and reads', () => {
    const client = vector('client key file', {
      name: z.string(),
      privateKey: hexText,
      daemonKey: hexText,
      file: z.string(),
    });
    const read = parseClientKey(bytesOf(client.file));
    assert.deepEqual(
      [read.name, hexOf(read.privateKey), hexOf(read.daemonKey)],
      [client.name, client.privateKey, client.daemonKey],
    );
    assert.equal(textOf(writeClientKey(read)), client.file);
    const daemon = vector('daemon key file', { privateKey: hexText, file: z.string() });
    const pair = parseDaemonKey(bytesOf(daemon.file));
    assert.equal(hexOf(pair.privateKey), daemon.privateKey);
    assert.equal(textOf(writeDaemonKey(pair)), daemon.file);
  });
});
