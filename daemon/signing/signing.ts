import sodium from 'sodium-native';
import { HushError } from '../../protocol/errors.ts';
import { concatBytes, equalBytes, newBytes, wipe } from '../memory/plain-bytes.ts';
import { overwriteRegisters } from '../memory/registers.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { writeArmor } from './armor.ts';
import { opensslRsa, type OpenSslRsa } from './openssl-rsa.ts';
import {
  publicKeyOf,
  readPrivateKey,
  writePrivateKey,
  type KeyNumbers,
  type PrivateKey,
} from './private-key.ts';
import { generateRsa, signRsa, type digestIds } from './rsa.ts';
import { createTurns } from './turns.ts';
import { sshString, sshText } from './wire.ts';

/** What a signature is made with, as SSH names it (RFC 8709, RFC 8332). */
export type SignatureAlgorithm = 'ssh-ed25519' | RsaAlgorithm;

type RsaAlgorithm = keyof typeof digestIds;

/** The kinds of keys that sign. */
export type KeyType = KeyNumbers['type'];

/** The public half of a key. */
export interface PublicHalf {
  readonly type: KeyType;
  /** As SSH sends it (RFC 4253 6.6). */
  readonly publicKey: Uint8Array;
  readonly comment: string;
}

/** A key that was made. */
export interface MadeKey extends PublicHalf {
  /** The text to keep, the caller's to wipe. */
  readonly secret: SecureBytes;
}

/** What is to be made. */
export interface KeyPlan {
  readonly type: KeyType;
  /** Of an RSA key. */
  readonly bits: number;
  readonly comment: string;
}

/** Signs with private keys that are values of the vault; each is in the arena for as long as one call takes. */
export interface Signing {
  /** Throws BAD_REQUEST where the value is no key that signs. */
  publicHalf(value: Uint8Array): PublicHalf;
  /**
   * The signature of `data` as SSH sends it. An RSA key signs with rsa-sha2-512 where no algorithm is given, and never with
   * SHA-1. `valueOf` gives the value, which is wiped here: an RSA key signs in a turn of its own, and asks for it once more
   * then. Throws or rejects with BAD_REQUEST, RATE_LIMITED, and what `valueOf` throws.
   */
  sign(
    valueOf: () => Uint8Array,
    data: Uint8Array,
    algorithm: SignatureAlgorithm | undefined,
  ): Uint8Array | Promise<Uint8Array>;
  /** Makes a key. Rejects with RATE_LIMITED while an RSA key is being made, UNAVAILABLE. */
  generate(plan: KeyPlan): Promise<MadeKey>;
}

/** So many RSA signatures may wait, of all clients: more than one agent has clients, and about a second's worth. */
const mostWaiting = 256;
const hashLengths = { 'rsa-sha2-256': 32, 'rsa-sha2-512': 64 } as const;

/** Signing over the arena of the daemon; without OpenSSL's library RSA keys neither sign nor are made. */
export function createSigning(arena: SecureArena, library: OpenSslRsa | null = opensslRsa ?? null): Signing {
  const turns = createTurns(mostWaiting);
  let isMaking = false;

  /** Reads a key out of a value, uses it, and overwrites both. */
  const withKey = <Result>(value: Uint8Array, use: (key: PrivateKey) => Result): Result => {
    let key: PrivateKey | undefined;
    try {
      key = readPrivateKey(value, arena);
      return use(key);
    } finally {
      key?.wipe();
      wipe(value);
      overwriteRegisters();
    }
  };

  const signDigest = (value: Uint8Array, algorithm: RsaAlgorithm, digest: Uint8Array): Uint8Array =>
    withKey(value, ({ numbers }) => {
      if (numbers.type !== 'rsa') throw unfit(numbers.type, algorithm);
      return signatureOf(algorithm, signRsa(requireRsa(library), numbers, algorithm, digest));
    });

  const makeRsa = async (plan: KeyPlan): Promise<MadeKey> => {
    const openssl = requireRsa(library);
    if (isMaking) {
      throw new HushError('RATE_LIMITED', 'an RSA key is being made already', { retryAfterMs: 1000 });
    }
    isMaking = true;
    try {
      const { numbers, wipe: done } = await generateRsa(openssl, plan.bits, arena);
      try {
        return madeOf(numbers, plan.comment, arena);
      } finally {
        done();
        overwriteRegisters();
      }
    } finally {
      isMaking = false;
    }
  };

  return {
    publicHalf: (value) =>
      withKey(value, ({ numbers, publicKey, comment }) => ({
        type: numbers.type,
        publicKey: publicKey.slice(),
        comment,
      })),
    sign(valueOf, data, wanted) {
      const signature = withKey(valueOf(), ({ numbers }) => {
        if (numbers.type === 'rsa') return undefined;
        if (wanted !== undefined && wanted !== 'ssh-ed25519') throw unfit('ed25519', wanted);
        return signatureOf('ssh-ed25519', signEd25519(numbers, data, arena));
      });
      if (signature !== undefined) return signature;
      const algorithm = wanted ?? 'rsa-sha2-512';
      if (algorithm === 'ssh-ed25519') throw unfit('rsa', algorithm);
      // The data is the caller's again when this returns.
      const digest = digestOf(algorithm, data);
      return turns.take(() => signDigest(valueOf(), algorithm, digest));
    },
    generate: (plan) => (plan.type === 'rsa' ? makeRsa(plan) : Promise.resolve(makeEd25519(plan, arena))),
  };
}

function unfit(type: KeyType, algorithm: SignatureAlgorithm): HushError {
  const name = type === 'rsa' ? 'an RSA' : 'an Ed25519';
  return new HushError('BAD_REQUEST', `${name} key makes no signature of the kind ${algorithm}`, {
    hint: `leave the algorithm out, or ask for ${type === 'rsa' ? 'rsa-sha2-512' : 'ssh-ed25519'}`,
  });
}

/** A signature as SSH sends it (RFC 4253 6.6). */
const signatureOf = (algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array =>
  concatBytes(sshText(algorithm), sshString(signature));

function digestOf(algorithm: RsaAlgorithm, data: Uint8Array): Uint8Array {
  const digest = newBytes(hashLengths[algorithm]);
  if (algorithm === 'rsa-sha2-256') sodium.crypto_hash_sha256(digest, data);
  else sodium.crypto_hash_sha512(digest, data);
  return digest;
}

/**
 * Ed25519 (RFC 8032) by libsodium. The public half is worked out of the seed: a signature under another one would tell the
 * private key.
 */
function signEd25519(
  { seed, point }: Extract<KeyNumbers, { type: 'ed25519' }>,
  data: Uint8Array,
  arena: SecureArena,
): Uint8Array {
  const secret = arena.allocate(64);
  try {
    const derived = newBytes(32);
    sodium.crypto_sign_seed_keypair(derived, secret.bytes, seed);
    if (!equalBytes(derived, point)) {
      throw new HushError('BAD_REQUEST', 'the value is no Ed25519 key: its halves do not belong together', {
        hint: 'hush set it again from the file that it came from',
      });
    }
    const signature = newBytes(64);
    sodium.crypto_sign_detached(signature, data, secret.bytes);
    return signature;
  } finally {
    secret.wipe();
  }
}

function makeEd25519({ comment }: KeyPlan, arena: SecureArena): MadeKey {
  const seed = arena.allocate(32);
  const secret = arena.allocate(64);
  try {
    const point = newBytes(32);
    sodium.randombytes_buf(seed.bytes);
    sodium.crypto_sign_seed_keypair(point, secret.bytes, seed.bytes);
    return madeOf({ type: 'ed25519', point, seed: seed.bytes }, comment, arena);
  } finally {
    seed.wipe();
    secret.wipe();
    overwriteRegisters();
  }
}

function madeOf(numbers: KeyNumbers, comment: string, arena: SecureArena): MadeKey {
  const check = newBytes(4);
  sodium.randombytes_buf(check);
  const key = writePrivateKey(numbers, comment, new DataView(check.buffer).getUint32(0), arena);
  try {
    const secret = writeArmor(key.bytes, arena);
    return { type: numbers.type, publicKey: publicKeyOf(numbers), comment, secret };
  } finally {
    key.wipe();
  }
}

function requireRsa(library: OpenSslRsa | null): OpenSslRsa {
  if (library !== null) return library;
  throw new HushError('UNAVAILABLE', 'this build of Node does not let hushd use its RSA', {
    hint: 'use an Ed25519 key, or the Node of nodejs.org',
  });
}
