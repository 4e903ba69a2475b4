import { HushError } from '../../protocol/errors.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import { nonceLength, tagLength, type AesGcm } from './aes-gcm.ts';

/** A value that was sealed straight under a master key, before there were data keys; nothing is proved before it opens. */
export interface LegacyValue {
  /** Which legacy key of the key set it needs. */
  readonly keyVersion: number;
  /** Length of the plaintext in bytes. */
  readonly plainLength: number;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** The ciphertext, followed by its tag of 16 bytes. */
  readonly sealed: Uint8Array;
}

/** The first byte of a stored value that a legacy key sealed. */
const legacyFormat = 3;
const aes256Gcm = 1;
const headLength = 6;
const leastLength = headLength + nonceLength + tagLength;

const noAad = new Uint8Array(0);

const tampered = (): HushError => new HushError('INTEGRITY', 'a stored value was tampered with');

/**
 * The stored form of a legacy value: format 3, algorithm 1, version of the legacy key (u32, big endian), nonce,
 * ciphertext, tag.
 */
export function legacyForm(keyVersion: number, nonce: Uint8Array, sealed: Uint8Array): Uint8Array {
  const form = newBytes(headLength + nonceLength + sealed.length);
  form.set([legacyFormat, aes256Gcm]);
  new DataView(form.buffer).setUint32(2, keyVersion);
  form.set(nonce, headLength);
  form.set(sealed, headLength + nonceLength);
  return form;
}

/** The legacy value that a stored form is. Throws INTEGRITY when it is none. */
export function parseLegacyForm(form: Uint8Array): LegacyValue {
  if (form[0] !== legacyFormat || form[1] !== aes256Gcm || form.length < leastLength) throw tampered();
  return {
    keyVersion: new DataView(form.buffer, form.byteOffset).getUint32(2),
    plainLength: form.length - leastLength,
    nonce: form.subarray(headLength, headLength + nonceLength),
    sealed: form.subarray(headLength + nonceLength),
  };
}

/** Opens a legacy value into `out` (AES-256-GCM without AAD). False when it is not genuine; `out` is then all zeros. */
export function opensLegacy(
  cipher: AesGcm,
  value: Pick<LegacyValue, 'nonce' | 'sealed'>,
  out: Uint8Array,
): boolean {
  return cipher.open(value.nonce, noAad, value.sealed, out);
}

/** The plaintext of a legacy value in `out`, which the caller wipes. Throws INTEGRITY, and `out` is all zeros. */
export function openLegacy(cipher: AesGcm, value: LegacyValue, out: Uint8Array): Uint8Array {
  if (opensLegacy(cipher, value, out)) return out;
  throw tampered();
}
