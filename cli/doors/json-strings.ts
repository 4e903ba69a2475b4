import { isUtf8 } from 'node:buffer';
import { HushError } from '../../protocol/errors.ts';

const quote = 0x22;
const backslash = 0x5c;
const isBlank = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const scalar = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/**
 * The members of a JSON object that are strings, each as its JSON text, a part of the bytes: a secret in it is never made
 * a text of. Other scalars are passed over. Throws BAD_REQUEST, which never repeats what is there, for anything else.
 */
export function jsonStrings(bytes: Uint8Array, where: string): ReadonlyMap<string, Uint8Array> {
  const wrong = (): HushError =>
    new HushError('BAD_REQUEST', `${where} is not one JSON object of texts`, { hint: 'docs/doors.md' });
  let at = 0;
  const skipBlanks = (): void => {
    while (isBlank(bytes[at])) at++;
  };
  const take = (byte: string): boolean => {
    skipBlanks();
    if (bytes[at] !== byte.charCodeAt(0)) return false;
    at++;
    return true;
  };
  const string = (): Uint8Array => {
    skipBlanks();
    const start = at;
    const end = bytes[at] === quote ? endOfString(bytes, at) : undefined;
    if (end === undefined) throw wrong();
    at = end;
    return bytes.subarray(start, end);
  };

  if (!isUtf8(bytes) || !take('{')) throw wrong();
  const members = new Map<string, Uint8Array>();
  if (!take('}')) {
    do {
      const name = textIn(string());
      if (!take(':') || members.has(name)) throw wrong();
      skipBlanks();
      if (bytes[at] === quote) {
        members.set(name, string());
        continue;
      }
      const start = at;
      while (at < bytes.length && !isBlank(bytes[at]) && bytes[at] !== 0x2c && bytes[at] !== 0x7d) at++;
      if (!scalar.test(Buffer.from(bytes.buffer, bytes.byteOffset + start, at - start).toString('latin1')))
        throw wrong();
    } while (take(','));
    if (!take('}')) throw wrong();
  }
  skipBlanks();
  if (at !== bytes.length) throw wrong();
  return members;
}

/** Where the string that begins at `from` has ended, undefined where it is no JSON string (RFC 8259, 7). */
function endOfString(bytes: Uint8Array, from: number): number | undefined {
  for (let at = from + 1; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) return at + 1;
    if (byte < 0x20) return undefined;
    if (byte !== backslash) continue;
    const escape = String.fromCharCode(bytes[++at] ?? 0);
    if (escape === 'u') {
      for (let digit = 0; digit < 4; digit++) {
        if (!/[0-9a-fA-F]/.test(String.fromCharCode(bytes[++at] ?? 0))) return undefined;
      }
    } else if (!'"\\/bfnrt'.includes(escape)) return undefined;
  }
  return undefined;
}

/** The text that a JSON string stands for. */
export function textIn(json: Uint8Array): string {
  // `jsonStrings` has seen that it is a string.
  return JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8')) as string;
}

/** A JSON object of one line, of names and JSON texts; in memory of its own, which the caller wipes. */
export function jsonLine(
  members: readonly (readonly [string, Uint8Array | string])[],
): Uint8Array<ArrayBuffer> {
  const parts = members.flatMap(([name, json], index) => [
    Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify(name)}:`),
    typeof json === 'string' ? Buffer.from(json) : json,
  ]);
  const all = [Buffer.from('{'), ...parts, Buffer.from('}\n')];
  const line = new Uint8Array(new ArrayBuffer(all.reduce((sum, part) => sum + part.length, 0)));
  let at = 0;
  for (const part of all) {
    line.set(part, at);
    at += part.length;
  }
  return line;
}
