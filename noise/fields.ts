import { HushError } from '../protocol/errors.ts';
import type { Gcm } from '../protocol/local-handle.ts';
import { concatBytes, newBytes, utf8 } from './bytes.ts';
import { createReplayWindow } from './replay-window.ts';
import { notFromPeer } from './transport.ts';

/** Which way a field travels. */
export type Direction = 'request' | 'reply';

/**
 * The place of a field: the message's id, and the keys on the way to it, of maps by name and of arrays by
 * number.
 */
export interface FieldPlace {
  readonly id: number;
  readonly path: readonly (string | number)[];
}

/** By how many bytes a field grows when it is sealed: nonce and tag. */
export const nonceBytes = 12;
const tagBytes = 16;
export const fieldOverhead = nonceBytes + tagBytes;

/** How many fields one direction of a connection takes (NIST SP 800-38D, 8.3). */
export const mostFields = 2 ** 32;

/** Seals the fields of one direction of a connection. */
export interface FieldSealer {
  /** `nonce || ciphertext || tag` of a field. Throws UNAVAILABLE once 2^32 fields were sealed. */
  seal(place: FieldPlace, plain: Uint8Array): Uint8Array<ArrayBuffer>;
}

/** Opens the fields of one direction of a connection. */
export interface FieldOpener {
  /**
   * The plaintext of a sealed field, which the caller wipes. Throws UNIDENTIFIED for one that was changed,
   * moved to another field, message or direction, or opened before; then the connection must close.
   */
  open(place: FieldPlace, sealed: Uint8Array): Uint8Array<ArrayBuffer>;
}

/**
 * The first four bytes of the nonces of each direction, so that the two share a key and never a nonce. The
 * other eight count the fields, from 0.
 */
const directionNumber: Readonly<Record<Direction, number>> = { request: 0, reply: 1 };

/** Texts as UTF-8, each after its length in bytes as 32 bits, big-endian. */
function listOf(texts: readonly string[]): Uint8Array {
  const encoded = texts.map(utf8);
  const list = newBytes(encoded.reduce((sum, text) => sum + 4 + text.byteLength, 0));
  const view = new DataView(list.buffer);
  let at = 0;
  for (const text of encoded) {
    view.setUint32(at, text.byteLength);
    list.set(text, at + 4);
    at += 4 + text.byteLength;
  }
  return list;
}

/** What the additional data of every field of a direction begin with. */
const headOf = (direction: Direction): Uint8Array => listOf(['hushd', '1', 'field', direction]);

/**
 * The additional data of a field: a list of `hushd`, `1`, `field`, the direction, the id, each part of the
 * path.
 */
const additionalData = (head: Uint8Array, { id, path }: FieldPlace): Uint8Array =>
  concatBytes(head, listOf([id, ...path].map(String)));

/** A sealer with `gcm` under the field key of the connection. `startAt` fields were sealed already. */
export function createFieldSealer(gcm: Gcm, direction: Direction, startAt = 0): FieldSealer {
  const head = headOf(direction);
  let count = startAt;
  return {
    seal(place, plain) {
      if (count >= mostFields) {
        throw new HushError('UNAVAILABLE', 'the connection has carried as many fields as its key allows', {
          hint: 'connect again',
        });
      }
      const sealed = newBytes(plain.byteLength + fieldOverhead);
      const nonce = new DataView(sealed.buffer, 0, nonceBytes);
      nonce.setUint32(0, directionNumber[direction]);
      nonce.setUint32(8, count);
      // Before the cipher is called: a nonce that a failed call may have used never comes again.
      count += 1;
      gcm.seal(
        sealed.subarray(0, nonceBytes),
        additionalData(head, place),
        plain,
        sealed.subarray(nonceBytes),
      );
      return sealed;
    },
  };
}

/** An opener with `gcm` under the field key of the connection. */
export function createFieldOpener(gcm: Gcm, direction: Direction): FieldOpener {
  const head = headOf(direction);
  const seen = createReplayWindow();
  return {
    open(place, sealed) {
      if (sealed.byteLength < fieldOverhead) throw notFromPeer();
      const nonce = new DataView(sealed.buffer, sealed.byteOffset, nonceBytes);
      const count = nonce.getUint32(8);
      const isOurs = nonce.getUint32(0) === directionNumber[direction] && nonce.getUint32(4) === 0;
      if (!isOurs || !seen.isFresh(count)) throw notFromPeer();
      const plain = newBytes(sealed.byteLength - fieldOverhead);
      const isGenuine = gcm.open(
        sealed.subarray(0, nonceBytes),
        additionalData(head, place),
        sealed.subarray(nonceBytes),
        plain,
      );
      if (!isGenuine) throw notFromPeer();
      seen.mark(count);
      return plain;
    },
  };
}

/**
 * The value with each binary in it, at any depth, replaced by what `change` makes of it; the value itself
 * stays as it is.
 */
function mapBinaries(
  value: unknown,
  path: readonly (string | number)[],
  change: (bytes: Uint8Array, path: readonly (string | number)[]) => Uint8Array,
): unknown {
  if (value instanceof Uint8Array) return change(value, path);
  if (Array.isArray(value)) return value.map((item, at) => mapBinaries(item, [...path, at], change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapBinaries(item, [...path, key], change)]),
  );
}

/** A message's `params` or `ok` (named by `part`) with every binary in it sealed. */
export function sealFields(sealer: FieldSealer, id: number, part: 'params' | 'ok', value: unknown): unknown {
  return mapBinaries(value, [part], (plain, path) => sealer.seal({ id, path }, plain));
}

/**
 * A message's `params` or `ok` with every binary in it opened: new bytes, which the caller wipes. Throws
 * UNIDENTIFIED where one is not genuine, with those before it wiped.
 */
export function openFields(opener: FieldOpener, id: number, part: 'params' | 'ok', value: unknown): unknown {
  const opened: Uint8Array[] = [];
  try {
    return mapBinaries(value, [part], (sealed, path) => {
      const plain = opener.open({ id, path }, sealed);
      opened.push(plain);
      return plain;
    });
  } catch (error) {
    for (const plain of opened) plain.fill(0);
    throw error;
  }
}
