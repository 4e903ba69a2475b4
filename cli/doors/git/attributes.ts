import { HushError } from '../../../protocol/errors.ts';

/** What git says of a credential, or a secret holds of one; see git-credential(1). Text has one character a byte. */
export interface Attributes {
  /** Those that are no secret, by name. */
  readonly plain: ReadonlyMap<string, string>;
  /** The secret ones, as parts of the bytes that were read. */
  readonly secret: ReadonlyMap<string, Uint8Array>;
}

/** Their values are never made a text of. */
const secretNames: ReadonlySet<string> = new Set(['password', 'oauth_refresh_token']);
const plainNames: ReadonlySet<string> = new Set([
  'protocol',
  'host',
  'path',
  'username',
  'password_expiry_utc',
]);

const lineFeed = 0x0a;
const equals = 0x3d;
const hasControl = (bytes: Uint8Array): boolean => bytes.some((byte) => byte < 0x20 || byte === 0x7f);

/**
 * The attributes in lines of `name=value`, up to an empty line or the end. Those of other names are of no use here, and
 * left out. Throws BAD_REQUEST for anything else, for a control character in a value, which could end a line that git or
 * we write later, and for one that stands twice: so a URL with a newline makes an old git name another host
 * (CVE-2020-5260).
 */
export function attributesIn(bytes: Uint8Array, where: string): Attributes {
  const plain = new Map<string, string>();
  const secret = new Map<string, Uint8Array>();
  for (let from = 0; from < bytes.length;) {
    const feed = bytes.indexOf(lineFeed, from);
    const end = feed < 0 ? bytes.length : feed;
    if (end === from) break;
    const line = bytes.subarray(from, end);
    from = end + 1;
    const at = line.indexOf(equals);
    if (at <= 0) throw new HushError('BAD_REQUEST', `a line of ${where} is not NAME=VALUE`, seeHelp);
    const name = textOf(line.subarray(0, at));
    const value = line.subarray(at + 1);
    if (!secretNames.has(name) && !plainNames.has(name)) continue;
    if (hasControl(value)) {
      throw new HushError('BAD_REQUEST', `the ${name} of ${where} has a control character`, seeHelp);
    }
    if (secret.has(name) || plain.has(name)) {
      throw new HushError('BAD_REQUEST', `the ${name} of ${where} stands there twice`, seeHelp);
    }
    if (secretNames.has(name)) secret.set(name, value);
    else plain.set(name, textOf(value));
  }
  return { plain, secret };
}

const seeHelp = { hint: 'hush help door, and docs/doors.md' };

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** The lines of attributes, in memory of its own that the caller wipes. */
export function linesOf(
  attributes: readonly (readonly [string, string | Uint8Array])[],
): Uint8Array<ArrayBuffer> {
  const size = attributes.reduce((sum, [name, value]) => sum + name.length + value.length + 2, 0);
  const lines = new Uint8Array(new ArrayBuffer(size));
  let at = 0;
  const put = (part: string | Uint8Array): void => {
    lines.set(typeof part === 'string' ? Buffer.from(part, 'latin1') : part, at);
    at += part.length;
  };
  for (const [name, value] of attributes) [name, '=', value, '\n'].forEach(put);
  return lines;
}
