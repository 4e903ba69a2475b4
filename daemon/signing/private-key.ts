import { HushError } from '../../protocol/errors.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { readArmor } from './armor.ts';
import { createSshReader, createSshWriter, type SshReader } from './wire.ts';

/** What a private key is made of: views that are gone with the key they are of. */
export type KeyNumbers =
  /** RFC 8032: 32 bytes each. */
  | { readonly type: 'ed25519'; readonly point: Uint8Array; readonly seed: Uint8Array }
  /** RFC 8017 3.2, big-endian, without leading zero bytes. */
  | {
      readonly type: 'rsa';
      readonly n: Uint8Array;
      readonly e: Uint8Array;
      readonly d: Uint8Array;
      readonly iqmp: Uint8Array;
      readonly p: Uint8Array;
      readonly q: Uint8Array;
    };

/** A private key that was read. */
export interface PrivateKey {
  readonly numbers: KeyNumbers;
  /** The public key as SSH sends it (RFC 4253 6.6, RFC 8709 4), a view too. */
  readonly publicKey: Uint8Array;
  readonly comment: string;
  /** Overwrites the key. */
  wipe(): void;
}

/** Larger than any key that is taken, its text included. */
export const maxKeyText = 16 * 1024;

const magic = Buffer.from('openssh-key-v1\0', 'latin1');
const names = { ed25519: 'ssh-ed25519', rsa: 'ssh-rsa' } as const;
const seedLength = 32;
const blockLength = 8;

/** RSA keys that sign: fewer bits are not safe any more, and more would hold up everybody else. */
export const rsaBits = { least: 2048, most: 4096 } as const;

/**
 * The one private key in the text of an OpenSSH key file without a passphrase (openssh-key-v1 of OpenSSH's PROTOCOL.key),
 * read into the arena. Throws BAD_REQUEST, which tells what it is instead and nothing of what it holds.
 */
export function readPrivateKey(text: Uint8Array, arena: SecureArena): PrivateKey {
  if (text.length > maxKeyText) throw noKey('it is too large to be one');
  const secret = readArmor(text, arena);
  if (secret === 'no key') throw noKey('it is something else');
  if (secret === 'another format') throw foreignKey('it is a key in another format than that of OpenSSH');
  if (secret === 'damaged') throw damaged();
  try {
    const { numbers, publicKey, comment } = parse(secret.bytes);
    return { numbers, publicKey, comment, wipe: secret.wipe };
  } catch (error) {
    secret.wipe();
    throw error;
  }
}

function parse(bytes: Uint8Array): Omit<PrivateKey, 'wipe'> {
  const file = createSshReader(bytes);
  if (!isSame(file.raw(magic.length), magic)) throw damaged();
  const cipher = file.string();
  const kdf = file.string();
  const kdfOptions = file.string();
  const keys = file.uint32();
  const publicKey = file.string();
  const secrets = file.string();
  if (publicKey === undefined || secrets === undefined || kdfOptions === undefined || file.left() !== 0) {
    throw damaged();
  }
  if (!spells(cipher, 'none') || !spells(kdf, 'none')) {
    throw new HushError('BAD_REQUEST', 'the value is an SSH key that a passphrase protects', {
      hint: "take the passphrase off with ssh-keygen -p -N '' -f FILE, then hush set it again: the vault protects it",
    });
  }
  if (keys !== 1) throw foreignKey('it holds several keys');
  const list = createSshReader(secrets);
  const check = list.uint32();
  if (check === undefined || list.uint32() !== check) throw damaged();
  const numbers = numbersIn(list);
  const comment = list.string();
  if (comment === undefined || !isPadding(list)) throw damaged();
  if (!isPublicHalf(publicKey, numbers)) throw damaged();
  return { numbers, publicKey, comment: Buffer.from(comment).toString('utf8') };
}

function numbersIn(list: SshReader): KeyNumbers {
  const name = list.string();
  if (spells(name, names.ed25519)) {
    const point = list.string();
    const secret = list.string();
    if (point?.length !== seedLength || secret?.length !== 2 * seedLength) throw damaged();
    if (!equalBytes(point, secret.subarray(seedLength))) throw damaged();
    return { type: 'ed25519', point, seed: secret.subarray(0, seedLength) };
  }
  if (!spells(name, names.rsa)) throw foreignKey('it is neither an Ed25519 nor an RSA key');
  const [n, e, d, iqmp, p, q] = Array.from({ length: 6 }, () => list.positive());
  if (!n || !e || !d || !iqmp || !p || !q) throw damaged();
  requireSoundSize(n, e);
  if (d.length > n.length || iqmp.length > p.length || p.length + q.length > n.length + 1) throw damaged();
  return { type: 'rsa', n, e, d, iqmp, p, q };
}

/** The exponent is bounded too: each signature is checked with it. */
function requireSoundSize(n: Uint8Array, e: Uint8Array): void {
  const bits = bitsOf(n);
  if (bits < rsaBits.least || bits > rsaBits.most) {
    throw foreignKey(`it is an RSA key of ${bits} bits, and not of ${rsaBits.least} to ${rsaBits.most}`);
  }
  const isOdd = ((e.at(-1) ?? 0) & 1) === 1;
  const isOne = e.length === 1 && e[0] === 1;
  if (!isOdd || isOne || e.length > 4) throw foreignKey('it is an RSA key with an unusual public exponent');
}

const bitsOf = (magnitude: Uint8Array): number => magnitude.length * 8 - Math.clz32(magnitude[0] ?? 0) + 24;

/** What follows the comment: 1, 2, 3, … up to a full block of the cipher `none`. */
function isPadding(list: SshReader): boolean {
  const padding = list.raw(list.left()) ?? new Uint8Array(blockLength);
  return padding.length < blockLength && padding.every((byte, index) => byte === index + 1);
}

/** Whether the public key in front is that of the private one. */
function isPublicHalf(publicKey: Uint8Array, numbers: KeyNumbers): boolean {
  const reader = createSshReader(publicKey);
  if (!spells(reader.string(), names[numbers.type])) return false;
  const parts = numbers.type === 'rsa' ? [numbers.e, numbers.n] : [numbers.point];
  const read = () => (numbers.type === 'rsa' ? reader.positive() : reader.string());
  return parts.every((part) => isSame(read(), part)) && reader.left() === 0;
}

const isSame = (found: Uint8Array | undefined, wanted: Uint8Array): boolean =>
  found !== undefined && equalBytes(found, wanted);

/** Whether a string on the wire is this name; looked at where it lies, for in a malformed key it may be no name. */
const spells = (found: Uint8Array | undefined, name: string): boolean =>
  found?.length === name.length && found.every((byte, index) => byte === name.charCodeAt(index));

/**
 * Writes a private key as openssh-key-v1 without a passphrase into the arena; the caller wipes it. `check` is random: it
 * tells a wrong passphrase where there is one. The comment is UTF-8 of at most 1,024 bytes.
 */
export function writePrivateKey(
  numbers: KeyNumbers,
  comment: string,
  check: number,
  arena: SecureArena,
): SecureBytes {
  const secret = arena.allocate(maxKeyText / 2);
  const list = arena.allocate(maxKeyText / 2);
  try {
    const inner = createSshWriter(list.bytes);
    inner.uint32(check);
    inner.uint32(check);
    putNumbers(inner, numbers);
    inner.string(Buffer.from(comment, 'utf8'));
    for (let pad = 1; inner.written() % blockLength !== 0; pad += 1) inner.raw(Uint8Array.of(pad));

    const outer = createSshWriter(secret.bytes);
    outer.raw(magic);
    outer.string(Buffer.from('none'));
    outer.string(Buffer.from('none'));
    outer.string(new Uint8Array());
    outer.uint32(1);
    outer.string(publicKeyOf(numbers));
    outer.string(list.bytes.subarray(0, inner.written()));
    const length = outer.written();
    return {
      get bytes() {
        return secret.bytes.subarray(0, length);
      },
      wipe: secret.wipe,
    };
  } catch (error) {
    secret.wipe();
    throw error;
  } finally {
    list.wipe();
  }
}

function putNumbers(writer: ReturnType<typeof createSshWriter>, numbers: KeyNumbers): void {
  writer.string(Buffer.from(names[numbers.type]));
  if (numbers.type === 'rsa') {
    const { n, e, d, iqmp, p, q } = numbers;
    for (const number of [n, e, d, iqmp, p, q]) writer.positive(number);
    return;
  }
  writer.string(numbers.point);
  writer.uint32(2 * seedLength);
  writer.raw(numbers.seed);
  writer.raw(numbers.point);
}

/** The public key as SSH sends it. */
export function publicKeyOf(numbers: KeyNumbers): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(new ArrayBuffer(1024));
  const writer = createSshWriter(room);
  writer.string(Buffer.from(names[numbers.type]));
  if (numbers.type === 'ed25519') writer.string(numbers.point);
  else {
    writer.positive(numbers.e);
    writer.positive(numbers.n);
  }
  return room.slice(0, writer.written());
}

const noKey = (why: string): HushError =>
  new HushError('BAD_REQUEST', `the value is no OpenSSH private key: ${why}`, {
    hint: 'hush set PATH < ~/.ssh/id_ed25519, or hush door ssh-agent --generate PATH',
  });

const foreignKey = (why: string): HushError =>
  new HushError('BAD_REQUEST', `the value is no key that hushd signs with: ${why}`, {
    hint: "ssh-keygen -p -N '' -f FILE turns other formats into that of OpenSSH; keys are Ed25519, or RSA of 2048 to 4096 bits",
  });

const damaged = (): HushError =>
  new HushError('BAD_REQUEST', 'the value is a damaged OpenSSH private key', {
    hint: 'hush set it again from the file that it came from',
  });
