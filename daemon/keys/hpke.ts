import sodium from 'sodium-native';

import { HushError } from '../../protocol/errors.ts';
import { concatBytes, newBytes, wipe } from '../memory/plain-bytes.ts';
import { createAesGcm, tagLength } from './aes-gcm.ts';
import { hkdfExpand, hkdfExtract } from './hmac.ts';
import { utf8 } from './text.ts';

/** Length of `enc`, the sender's fresh public key that precedes the ciphertext. */
const encLength = 32;

// RFC 9180 7: DHKEM(X25519, HKDF-SHA256) = 0x0020, HKDF-SHA256 = 0x0001, AES-256-GCM = 0x0002.
const kemSuite = concatBytes(utf8('KEM'), Uint8Array.of(0x00, 0x20));
const hpkeSuite = concatBytes(utf8('HPKE'), Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0x00, 0x02));
const version = utf8('HPKE-v1');
const modeBase = Uint8Array.of(0);
const empty = newBytes(0);
const noSalt = newBytes(32);

// RFC 9180 4: LabeledExtract and LabeledExpand. HMAC pads its key with zeros, so 32 of them are the empty salt.
function labeledExtract(
  suite: Uint8Array,
  salt: Uint8Array,
  label: string,
  secret: Uint8Array,
  out: Uint8Array,
): void {
  const labeled = concatBytes(version, suite, utf8(label), secret);
  try {
    hkdfExtract(salt, labeled, out);
  } finally {
    wipe(labeled);
  }
}

function labeledExpand(
  suite: Uint8Array,
  key: Uint8Array,
  label: string,
  info: Uint8Array,
  out: Uint8Array,
): void {
  hkdfExpand(key, concatBytes(Uint8Array.of(0, out.length), version, suite, utf8(label), info), out);
}

/** X25519 (RFC 7748) into `out`; false when the shared secret is all zeros, as RFC 9180 7.1.4 asks to reject. */
function agree(privateKey: Uint8Array, publicKey: Uint8Array, out: Uint8Array): boolean {
  try {
    sodium.crypto_scalarmult(out, privateKey, publicKey);
    return true;
  } catch {
    return false;
  }
}

function kemSecret(agreed: Uint8Array, enc: Uint8Array, publicKey: Uint8Array, out: Uint8Array): void {
  const early = newBytes(32);
  try {
    labeledExtract(kemSuite, noSalt, 'eae_prk', agreed, early);
    labeledExpand(kemSuite, early, 'shared_secret', concatBytes(enc, publicKey), out);
  } finally {
    wipe(early);
  }
}

/** Runs `use` with the AES key and nonce of RFC 9180 5.1 (mode_base), and wipes them. */
function withKeySchedule<Result>(
  sharedSecret: Uint8Array,
  info: Uint8Array,
  use: (key: Uint8Array, nonce: Uint8Array) => Result,
): Result {
  const pskIdHash = newBytes(32);
  const infoHash = newBytes(32);
  const secret = newBytes(32);
  const key = newBytes(32);
  const nonce = newBytes(12);
  try {
    labeledExtract(hpkeSuite, noSalt, 'psk_id_hash', empty, pskIdHash);
    labeledExtract(hpkeSuite, noSalt, 'info_hash', info, infoHash);
    const context = concatBytes(modeBase, pskIdHash, infoHash);
    labeledExtract(hpkeSuite, sharedSecret, 'secret', empty, secret);
    labeledExpand(hpkeSuite, secret, 'key', context, key);
    labeledExpand(hpkeSuite, secret, 'base_nonce', context, nonce);
    return use(key, nonce);
  } finally {
    wipe(secret, key, nonce);
  }
}

/** The X25519 public key of a 32-byte private key (RFC 7748; any 32 bytes are one). */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const publicKey = newBytes(32);
  sodium.crypto_scalarmult_base(publicKey, privateKey);
  return publicKey;
}

/** The KEM's shared secret that `enc` carries to the private key (RFC 9180 4.1, Decap), into `out`; false if none. */
export function decapsulate(
  privateKey: Uint8Array,
  publicKey: Uint8Array,
  enc: Uint8Array,
  out: Uint8Array,
): boolean {
  const agreed = newBytes(32);
  try {
    if (!agree(privateKey, enc, agreed)) return false;
    kemSecret(agreed, enc, publicKey, out);
    return true;
  } finally {
    wipe(agreed);
  }
}

/**
 * `enc || ciphertext || tag` of `plain` for the holder of a private key: RFC 9180 single-shot, mode base,
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, empty AAD. Throws INTEGRITY for a public key that X25519
 * refuses.
 */
export function hpkeSeal(publicKey: Uint8Array, info: string, plain: Uint8Array): Uint8Array {
  const ephemeral = newBytes(32);
  const agreed = newBytes(32);
  const sharedSecret = newBytes(32);
  try {
    sodium.randombytes_buf(ephemeral);
    if (!agree(ephemeral, publicKey, agreed)) {
      throw new HushError('INTEGRITY', 'a public key in the header is not one that can be sealed to');
    }
    const enc = publicKeyOf(ephemeral);
    kemSecret(agreed, enc, publicKey, sharedSecret);
    const sealed = newBytes(encLength + plain.length + tagLength);
    sealed.set(enc);
    withKeySchedule(sharedSecret, utf8(info), (key, nonce) => {
      const cipher = createAesGcm(key);
      try {
        cipher.seal(nonce, empty, plain, sealed.subarray(encLength));
      } finally {
        cipher.close();
      }
    });
    return sealed;
  } finally {
    wipe(ephemeral, agreed, sharedSecret);
  }
}

/**
 * Opens what `hpkeSeal` made into `out`, whose length must be that of the plaintext. False when it was not sealed to
 * this key with this info, or was changed; `out` is then all zeros.
 */
export function hpkeOpen(privateKey: Uint8Array, info: string, sealed: Uint8Array, out: Uint8Array): boolean {
  if (sealed.length !== encLength + out.length + tagLength) return false;
  const sharedSecret = newBytes(32);
  try {
    const enc = sealed.subarray(0, encLength);
    if (!decapsulate(privateKey, publicKeyOf(privateKey), enc, sharedSecret)) return false;
    return withKeySchedule(sharedSecret, utf8(info), (key, nonce) => {
      const cipher = createAesGcm(key);
      try {
        return cipher.open(nonce, empty, sealed.subarray(encLength), out);
      } finally {
        cipher.close();
      }
    });
  } finally {
    wipe(sharedSecret);
  }
}
