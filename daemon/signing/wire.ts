import { concatBytes, newBytes } from '../memory/plain-bytes.ts';

/** Reads the data types of RFC 4251 section 5 one after the other; `undefined` once the bytes do not hold what is asked for. */
export interface SshReader {
  /** How many bytes are left. */
  left(): number;
  uint32(): number | undefined;
  /** The content of a `string`, as a view into what is read. */
  string(): Uint8Array | undefined;
  /** The magnitude of an `mpint` above zero, without leading zero bytes, as a view; undefined for any other or one that is not in its shortest form. */
  positive(): Uint8Array | undefined;
  /** So many bytes as they stand. */
  raw(length: number): Uint8Array | undefined;
}

/** A reader over bytes that stay the caller's. */
export function createSshReader(bytes: Uint8Array): SshReader {
  let at = 0;
  const left = (): number => bytes.length - at;

  const raw = (length: number): Uint8Array | undefined => {
    if (length > left()) return undefined;
    at += length;
    return bytes.subarray(at - length, at);
  };

  const uint32 = (): number | undefined => {
    const word = raw(4);
    if (word === undefined) return undefined;
    return new DataView(word.buffer, word.byteOffset, 4).getUint32(0);
  };

  const string = (): Uint8Array | undefined => {
    const length = uint32();
    return length === undefined ? undefined : raw(length);
  };

  return {
    left,
    uint32,
    string,
    positive() {
      const number = string();
      const [first, second = 0] = number ?? [];
      if (number === undefined || first === undefined || first >= 0x80) return undefined;
      if (first !== 0) return number;
      return second >= 0x80 ? number.subarray(1) : undefined;
    },
    raw,
  };
}

/** A `uint32`. */
export function sshUint32(value: number): Uint8Array<ArrayBuffer> {
  const word = newBytes(4);
  new DataView(word.buffer).setUint32(0, value);
  return word;
}

/** A `string` with this content. */
export function sshString(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(sshUint32(content.length), content);
}

/** A `string` that holds ASCII text. */
export function sshText(text: string): Uint8Array<ArrayBuffer> {
  return sshString(Buffer.from(text, 'latin1'));
}

/** Writes the data types of RFC 4251 into memory that the caller gives: nothing of a secret is copied on the way. */
export interface SshWriter {
  /** How many bytes are written. */
  written(): number;
  uint32(value: number): void;
  string(content: Uint8Array): void;
  /** The `mpint` of a magnitude without leading zero bytes. */
  positive(magnitude: Uint8Array): void;
  raw(bytes: Uint8Array): void;
}

/** A writer into `out`, which must have the room (RangeError otherwise). */
export function createSshWriter(out: Uint8Array): SshWriter {
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  let at = 0;
  const raw = (bytes: Uint8Array): void => {
    out.set(bytes, at);
    at += bytes.length;
  };
  const uint32 = (value: number): void => {
    view.setUint32(at, value);
    at += 4;
  };
  return {
    written: () => at,
    uint32,
    string(content) {
      uint32(content.length);
      raw(content);
    },
    positive(magnitude) {
      const sign = (magnitude[0] ?? 0) >= 0x80 ? 1 : 0;
      uint32(magnitude.length + sign);
      if (sign === 1) raw(newBytes(1));
      raw(magnitude);
    },
    raw,
  };
}
