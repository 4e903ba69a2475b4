import { isUsablePublicKey, keyBytes, newPrivateKey, publicKeyOf } from '../../../noise/x25519.ts';
import { concatBytes, wipe } from '../../../protocol/bytes.ts';
import { HushError } from '../../../protocol/errors.ts';
import { parseReference, type SecretReference } from '../../../protocol/names.ts';
import { decodeBech32, encodeBech32, upperCase } from './bech32.ts';

const recipientPrefix = 'age';
const secretKeyPrefix = 'age-secret-key-';
const pluginPrefix = 'age-plugin-hush-';
const formatNumber = 1;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const hash = 0x23;

/** An identity in the vault, as the text that stands in an identity file names it; nothing of it is secret. */
export interface VaultIdentity {
  /** Where its secret key is kept. */
  readonly reference: SecretReference;
  /** Its public key, so that files can be encrypted without the vault, and a secret that was exchanged shows. */
  readonly publicKey: Uint8Array;
}

/** The recipient `age1…` of a public key: anybody can encrypt to it with age alone. */
export function recipientText(publicKey: Uint8Array): string {
  return textOf(encodeBech32(recipientPrefix, publicKey));
}

/** The identity `AGE-PLUGIN-HUSH-1…`: Bech32 of a format byte, the public key, and the reference in UTF-8. */
export function identityText({ reference, publicKey }: VaultIdentity): string {
  const text = `hush://${reference.profile}/${reference.path.text}`;
  const data = concatBytes(Uint8Array.of(formatNumber), publicKey, new TextEncoder().encode(text));
  return textOf(upperCase(encodeBech32(pluginPrefix, data)));
}

/** Reads an identity `AGE-PLUGIN-HUSH-1…`. Throws BAD_REQUEST, INVALID_NAME, NEWER_FORMAT. */
export function parseIdentity(text: string): VaultIdentity {
  const data = decodeBech32(pluginPrefix, new TextEncoder().encode(text));
  if (data === undefined || data.length <= 1 + keyBytes) throw noIdentity();
  if (data[0] !== formatNumber) {
    throw new HushError('NEWER_FORMAT', 'the identity was made by another release of age-plugin-hush');
  }
  const publicKey = data.subarray(1, 1 + keyBytes);
  if (!isUsablePublicKey(publicKey)) throw noIdentity();
  return { reference: parseReference(new TextDecoder().decode(data.subarray(1 + keyBytes))), publicKey };
}

/** A new secret key as age has it, `AGE-SECRET-KEY-1…`, which the caller wipes, and its public key. */
export function newSecretKey(): { readonly text: Uint8Array<ArrayBuffer>; readonly publicKey: Uint8Array } {
  const privateKey = newPrivateKey();
  try {
    return { text: upperCase(encodeBech32(secretKeyPrefix, privateKey)), publicKey: publicKeyOf(privateKey) };
  } finally {
    wipe(privateKey);
  }
}

/**
 * The 32 bytes of the one `AGE-SECRET-KEY-1…` in a text, which may have comments and empty lines as the files of
 * age-keygen do. The caller wipes them. Throws BAD_REQUEST, which tells nothing of the text.
 */
export function parseSecretKey(text: Uint8Array): Uint8Array<ArrayBuffer> {
  const [line, another] = linesOf(text).filter((one) => one.length > 0 && one[0] !== hash);
  if (line === undefined || another !== undefined) throw noSecretKey();
  const key = decodeBech32(secretKeyPrefix, line);
  if (key?.length === keyBytes) return key;
  key?.fill(0);
  throw noSecretKey();
}

/** The lines of a text, as parts of it. */
function linesOf(text: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < text.length;) {
    const feed = text.indexOf(lineFeed, from);
    const end = feed < 0 ? text.length : feed;
    lines.push(text.subarray(from, text[end - 1] === carriageReturn && end > from ? end - 1 : end));
    from = end + 1;
  }
  return lines;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const noIdentity = (): HushError =>
  new HushError('BAD_REQUEST', 'that is no identity of age-plugin-hush, or a character of it is mistyped', {
    hint: 'hush door age identity PATH',
  });

const noSecretKey = (): HushError =>
  new HushError('BAD_REQUEST', 'the secret does not hold one AGE-SECRET-KEY-1…', {
    hint: 'hush door age new PATH, or age-keygen | hush set PATH',
  });
