import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { newBytes } from '../../noise/bytes.ts';
import { acceptResponder, beginInitiator } from '../../noise/handshake.ts';
import { createRecordReader, sealedLength, sealRecords } from '../../noise/records.ts';
import type { Transport } from '../../noise/transport.ts';
import { publicKeyOf } from '../../noise/x25519.ts';
import { type ErrorCode, HushError } from '../../protocol/errors.ts';

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** 32 bytes that only the word decides. */
export const keyOf = (word: string): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(word).digest());

export const prologue = bytesOf('both hellos');
export const clientStatic = keyOf('client');
export const daemonStatic = keyOf('daemon');
export const clientPublic = publicKeyOf(clientStatic);
export const daemonPublic = publicKeyOf(daemonStatic);

/** For assert.throws: a HushError with the code, a hint, and a message that fits. */
export const withCode =
  (code: ErrorCode, saying = /./) =>
  (error: unknown): true => {
    assert.ok(error instanceof HushError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.hint, '');
    assert.match(error.message, saying);
    return true;
  };

/** A copy with one bit changed. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** An initiator of the usual client. */
export const begin = () => beginInitiator({ prologue, staticKey: clientStatic, remoteStatic: daemonPublic });

/** The usual daemon's answer, which takes every client. */
export const accept = (message1: Uint8Array) =>
  acceptResponder({ prologue, staticKey: daemonStatic, message1, isEnrolled: () => true });

/** Both ends of a finished handshake. */
export function connected(): { readonly client: Transport; readonly daemon: Transport } {
  const initiator = begin();
  const { message2, transport } = accept(initiator.message1);
  return { client: initiator.receive(message2), daemon: transport };
}

export function seal(transport: Transport, plain: Uint8Array): Uint8Array {
  const sealed = newBytes(plain.byteLength + 16);
  transport.seal(plain, sealed);
  return sealed;
}

export function open(transport: Transport, sealed: Uint8Array): Uint8Array {
  const plain = newBytes(Math.max(0, sealed.byteLength - 16));
  transport.open(sealed, plain);
  return plain;
}

/** The records of some bytes. */
export function recordsOf(transport: Transport, plain: Uint8Array): Uint8Array {
  const out = newBytes(sealedLength(plain.byteLength));
  assert.equal(sealRecords(transport, plain, out), out.byteLength);
  return out;
}

/** All that comes out of chunks of records. */
export function readAll(transport: Transport, chunks: readonly Uint8Array[]): Uint8Array {
  const reader = createRecordReader(transport);
  const parts: Uint8Array[] = [];
  for (const chunk of chunks) {
    reader.push(chunk, (plain) => {
      parts.push(Uint8Array.from(plain));
      return true;
    });
  }
  return Buffer.concat(parts);
}
