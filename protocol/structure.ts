import { isUtf8 } from 'node:buffer';

const maxDepth = 8;
const maxNodes = 200_000;
const maxMapKeys = 32;

/**
 * Looks over one MessagePack value in `bytes[start, end)` before anything is allocated for it, and says what
 * is wrong with it, or undefined. Refused: claimed lengths that the bytes cannot hold, nesting deeper than 8,
 * more than 200,000 values, maps of more than 32 keys, keys that are not strings or stand twice, `__proto__`,
 * text that is not UTF-8, NaN and infinities, extension types, and bytes after the value.
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function structuralFault(bytes: Uint8Array, start: number, end: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  let nodes = 0;

  const scalar = (size: number): string | undefined => {
    at += size;
    return at > end ? 'it ends too early' : undefined;
  };

  const text = (length: number): string | undefined => {
    const from = at;
    at += length;
    if (at > end) return 'it ends too early';
    for (let i = from; i < at; i++) {
      if ((bytes[i] ?? 0) >= 0x80) return isUtf8(bytes.subarray(from, at)) ? undefined : 'its text is not UTF-8';
    }
    return undefined;
  };

  const key = (): string | undefined => {
    const byte = bytes[at++] ?? 0xc1;
    if (byte >= 0xa0 && byte <= 0xbf) return text(byte & 0x1f);
    if (byte === 0xd9 && at < end) return text(bytes[at++] ?? 0);
    return 'a key of a map is not a short string';
  };

  const sameKey = (a: number, b: number, length: number): boolean => {
    for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  };

  const map = (size: number, depth: number): string | undefined => {
    if (size > maxMapKeys) return 'a map has too many keys';
    const keys: number[] = [];
    for (let i = 0; i < size; i++) {
      if (at >= end) return 'it ends too early';
      const from = at;
      const fault = key();
      if (fault !== undefined) return fault;
      const length = at - from;
      if (length === 10 && Buffer.prototype.latin1Slice.call(bytes, from + 1, at) === '__proto__') {
        return 'a key is not allowed';
      }
      for (let k = 0; k < keys.length; k += 2) {
        if (keys[k + 1] === length && sameKey(keys[k] ?? 0, from, length)) return 'a key stands twice in a map';
      }
      keys.push(from, length);
      const inner = value(depth);
      if (inner !== undefined) return inner;
    }
    return undefined;
  };

  const array = (size: number, depth: number): string | undefined => {
    if (size > end - at) return 'it ends too early';
    for (let i = 0; i < size; i++) {
      const inner = value(depth);
      if (inner !== undefined) return inner;
    }
    return undefined;
  };

  const finite = (size: 4 | 8): string | undefined => {
    if (at + size > end) return 'it ends too early';
    const number = size === 4 ? view.getFloat32(at) : view.getFloat64(at);
    at += size;
    return Number.isFinite(number) ? undefined : 'a number is not finite';
  };

  /** The big-endian length of `size` bytes at `at`; past the end it counts as longer than any frame. */
  const length = (size: 1 | 2 | 4): number => {
    if (at + size > end) return 0x1_0000_0000;
    const number = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at);
    at += size;
    return number;
  };

  const value = (depth: number): string | undefined => {
    if (++nodes > maxNodes) return 'it holds too many values';
    if (at >= end) return 'it ends too early';
    const byte = bytes[at++] ?? 0xc1;
    if (byte <= 0x7f || byte >= 0xe0) return undefined;
    if (byte <= 0x9f) {
      if (depth >= maxDepth) return 'it is nested too deeply';
      return byte <= 0x8f ? map(byte & 0x0f, depth + 1) : array(byte & 0x0f, depth + 1);
    }
    if (byte <= 0xbf) return text(byte & 0x1f);
    switch (byte) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return undefined;
      case 0xc4:
        return scalar(length(1));
      case 0xc5:
        return scalar(length(2));
      case 0xc6:
        return scalar(length(4));
      case 0xca:
        return finite(4);
      case 0xcb:
        return finite(8);
      case 0xcc:
      case 0xd0:
        return scalar(1);
      case 0xcd:
      case 0xd1:
        return scalar(2);
      case 0xce:
      case 0xd2:
        return scalar(4);
      case 0xcf:
      case 0xd3:
        return scalar(8);
      case 0xd9:
        return text(length(1));
      case 0xda:
        return text(length(2));
      case 0xdb:
        return text(length(4));
      case 0xdc:
        return depth >= maxDepth ? 'it is nested too deeply' : array(length(2), depth + 1);
      case 0xdd:
        return depth >= maxDepth ? 'it is nested too deeply' : array(length(4), depth + 1);
      case 0xde:
        return depth >= maxDepth ? 'it is nested too deeply' : map(length(2), depth + 1);
      case 0xdf:
        return depth >= maxDepth ? 'it is nested too deeply' : map(length(4), depth + 1);
      default:
        return 'it uses an extension type';
    }
  };

  const first = bytes[start] ?? 0;
  if (!((first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf)) return 'it is not a map';
  return value(0) ?? (at === end ? undefined : 'bytes follow the message');
}
