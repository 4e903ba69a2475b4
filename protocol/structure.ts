import { isUtf8 } from 'node:buffer';

const maxDepth = 8;
const maxNodes = 200_000;
const maxMapKeys = 32;

/** Where a walk through a message stands. */
interface Cursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;
  /** Values seen so far. */
  nodes: number;
}

/** What is wrong, or undefined. */
type Fault = string | undefined;

/** Up to here looking at each byte is faster than a call into Node (0.2 µs). */
const shortText = 48;

const tooEarly = 'it ends too early';
const tooDeep = 'it is nested too deeply';
const forbiddenKey = new TextEncoder().encode('__proto__');

/**
 * Looks over one MessagePack value in `bytes[start, end)` before anything is allocated for it, and says what
 * is wrong with it, or undefined. Refused: claimed lengths that the bytes cannot hold, nesting deeper than 8,
 * more than 200,000 values, maps of more than 32 keys, keys that are not strings or stand twice, `__proto__`,
 * text that is not UTF-8, NaN and infinities, extension types, and bytes after the value.
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function structuralFault(bytes: Uint8Array, start: number, end: number): Fault {
  const first = bytes[start] ?? 0;
  const isMap = (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf;
  if (!isMap || start >= end) return 'it is not a map';
  const cursor: Cursor = { bytes, end, at: start, nodes: 0 };
  return value(cursor, 0) ?? (cursor.at === end ? undefined : 'bytes follow the message');
}

function value(cursor: Cursor, depth: number): Fault {
  if (++cursor.nodes > maxNodes) return 'it holds too many values';
  if (cursor.at >= cursor.end) return tooEarly;
  const byte = cursor.bytes[cursor.at++] ?? 0xc1;
  if (byte <= 0x7f || byte >= 0xe0) return undefined;
  if (byte <= 0x8f) return map(cursor, byte & 0x0f, depth);
  if (byte <= 0x9f) return array(cursor, byte & 0x0f, depth);
  if (byte <= 0xbf) return text(cursor, byte & 0x1f);
  switch (byte) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return undefined;
    case 0xc4:
      return skip(cursor, length(cursor, 1));
    case 0xc5:
      return skip(cursor, length(cursor, 2));
    case 0xc6:
      return skip(cursor, length(cursor, 4));
    case 0xca:
      return float(cursor, 4);
    case 0xcb:
      return float(cursor, 8);
    case 0xcc:
    case 0xd0:
      return skip(cursor, 1);
    case 0xcd:
    case 0xd1:
      return skip(cursor, 2);
    case 0xce:
    case 0xd2:
      return skip(cursor, 4);
    case 0xcf:
    case 0xd3:
      return skip(cursor, 8);
    case 0xd9:
      return text(cursor, length(cursor, 1));
    case 0xda:
      return text(cursor, length(cursor, 2));
    case 0xdb:
      return text(cursor, length(cursor, 4));
    case 0xdc:
      return array(cursor, length(cursor, 2), depth);
    case 0xdd:
      return array(cursor, length(cursor, 4), depth);
    case 0xde:
      return map(cursor, length(cursor, 2), depth);
    case 0xdf:
      return map(cursor, length(cursor, 4), depth);
    default:
      return 'it uses an extension type';
  }
}

/** The big-endian length of `size` bytes at the cursor; one that is cut off counts as longer than any frame. */
function length(cursor: Cursor, size: 1 | 2 | 4): number {
  if (cursor.at + size > cursor.end) return 0x1_0000_0000;
  let number = 0;
  for (let i = 0; i < size; i++) number = number * 256 + (cursor.bytes[cursor.at++] ?? 0);
  return number;
}

function skip(cursor: Cursor, size: number): Fault {
  cursor.at += size;
  return cursor.at > cursor.end ? tooEarly : undefined;
}

function text(cursor: Cursor, size: number): Fault {
  const { bytes, at: from } = cursor;
  const to = from + size;
  cursor.at = to;
  if (to > cursor.end) return tooEarly;
  if (size > shortText) return isUtf8(bytes.subarray(from, to)) ? undefined : 'its text is not UTF-8';
  for (let i = from; i < to; i++) {
    if ((bytes[i] ?? 0) >= 0x80)
      return isUtf8(bytes.subarray(from, to)) ? undefined : 'its text is not UTF-8';
  }
  return undefined;
}

function float(cursor: Cursor, size: 4 | 8): Fault {
  const { bytes, at } = cursor;
  const fault = skip(cursor, size);
  if (fault !== undefined) return fault;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  return Number.isFinite(size === 4 ? view.getFloat32(0) : view.getFloat64(0))
    ? undefined
    : 'a number is not finite';
}

function array(cursor: Cursor, size: number, depth: number): Fault {
  if (depth >= maxDepth) return tooDeep;
  if (size > cursor.end - cursor.at) return tooEarly;
  for (let i = 0; i < size; i++) {
    const fault = value(cursor, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function map(cursor: Cursor, size: number, depth: number): Fault {
  if (depth >= maxDepth) return tooDeep;
  if (size > maxMapKeys) return 'a map has too many keys';
  /** Where the text of each key starts and ends, one after the other. */
  const keys: number[] = [];
  for (let i = 0; i < size; i++) {
    const mark = cursor.at;
    const fault = key(cursor);
    if (fault !== undefined) return fault;
    const from = mark + (cursor.bytes[mark] === 0xd9 ? 2 : 1);
    for (let k = 0; k < keys.length; k += 2) {
      if (isSame(cursor.bytes, keys[k] ?? 0, keys[k + 1] ?? 0, from, cursor.at))
        return 'a key stands twice in a map';
    }
    keys.push(from, cursor.at);
    const inner = value(cursor, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function key(cursor: Cursor): Fault {
  const byte = cursor.at < cursor.end ? (cursor.bytes[cursor.at++] ?? 0) : 0xa0;
  let size: number;
  if (byte >= 0xa0 && byte <= 0xbf) size = byte & 0x1f;
  else if (byte === 0xd9) size = length(cursor, 1);
  else return 'a key of a map is not a short string';
  const from = cursor.at;
  const fault = text(cursor, size);
  if (fault !== undefined) return fault;
  return size === forbiddenKey.length &&
    forbiddenKey.every((each, index) => each === cursor.bytes[from + index])
    ? 'a key is not allowed'
    : undefined;
}

function isSame(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (let i = 0; i < aEnd - a; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
