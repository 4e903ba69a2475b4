import { createHmac, createSecretKey, randomBytes, randomFillSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { copyBytes, newBytes } from '../../protocol/bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  deriveLocalKey,
  localKmsKeyId,
  openLocalHandle,
  sealLocalHandle,
} from '../../protocol/local-handle.ts';
import type { LocalKey, LocalPlace } from '../../protocol/local-handle.ts';
import { masterKeyBytes } from '../../protocol/master-key-text.ts';
import { shapeFault } from '../../protocol/shape-fault.ts';
import { cryptoHandle } from '../../protocol/shapes.ts';
import { coordinateOf, plaintextOf, textOf } from '../crypto-context.ts';
import type { CryptoContext } from '../crypto-context.ts';
import { handleOf } from '../crypto-handle.ts';
import type { CryptoHandle, ICryptoProvider } from '../crypto-handle.ts';
import { withoutPaths } from '../platform-error.ts';
import type { Environment } from '../socket-path.ts';
import { createGcm } from './aes-gcm.ts';
import { keyFromEnvironment, keyFromFile } from './key-source.ts';
import { NoStableKeyError, waysToAProvider } from './no-stable-key.ts';
import { refuseEphemeralKey } from './stage.ts';

/** Where a local provider's key comes from: one of `key`, `keyFile` and `ephemeralKeyForTests`, else the environment. */
export interface LocalProviderOptions {
  /** 32 bytes; copied. */
  readonly key?: Uint8Array;
  /** The path of a key file that is there already: 64 hex digits or base64, mode 0600. */
  readonly keyFile?: string;
  /** A random key that is gone with the process, and with it whatever it sealed. Refused in production. */
  readonly ephemeralKeyForTests?: boolean;
  /** The environment, for OS_SECRET_KEY or OS_SECRET_KEY_FILE, and NODE_ENV; `process.env` by default. */
  readonly env?: Environment;
}

const mostRevisions = 2 ** 32 - 1;

/**
 * The platform's crypto provider without a daemon: AES-256-GCM in this process, under one stable key. It also opens what
 * the platform's default provider sealed under the same key. Errors are `HushError`s that name hushd, and those of calls
 * hold no value and no path.
 */
export class LocalCryptoProvider implements ICryptoProvider {
  /** `local:` and the public id of the key: what stands in the handles that it seals. */
  readonly kmsKeyId: string;
  readonly #key: LocalKey;
  readonly #digestKey: KeyObject;

  /**
   * Takes its key from the options or the environment; none is ever made up. Throws `NoStableKeyError`, BAD_REQUEST for
   * what is no key, UNSAFE_MODE for a key file that others can reach, UNAVAILABLE for one that cannot be read.
   */
  constructor(options: LocalProviderOptions = {}) {
    const secret = keyOf(options);
    try {
      this.#key = deriveLocalKey(secret, createGcm);
    } finally {
      secret.fill(0);
    }
    this.#digestKey = createSecretKey(this.#key.digestKey);
    this.kmsKeyId = localKmsKeyId(this.#key);
  }

  /** Seals a string of any content under a new id. Rejects with BAD_REQUEST for what would not come back the same. */
  encrypt(plain: string, ctx: CryptoContext): Promise<CryptoHandle> {
    return answer(() => {
      const place = coordinateOf(ctx);
      return this.#seal(`sec_${randomBytes(16).toString('hex')}`, place, 1, plaintextOf(plain));
    });
  }

  /**
   * Opens a handle; the tenant need not be given. Rejects with WRONG_KEY when another key sealed it, or the daemon, and
   * with INTEGRITY when it was tampered with or belongs elsewhere.
   */
  decrypt(handle: CryptoHandle, ctx: CryptoContext): Promise<string> {
    return answer(() => {
      const { plaintext } = openLocalHandle(this.#key, checkedHandle(handle), coordinateOf(ctx));
      try {
        return textOf(plaintext);
      } finally {
        plaintext.fill(0);
      }
    });
  }

  /** The same plaintext under the same key, sealed anew: same id, next version. Rejects as `decrypt`. */
  rotateKey(handle: CryptoHandle, ctx: CryptoContext): Promise<CryptoHandle> {
    return answer(() => {
      const place = coordinateOf(ctx);
      const checked = checkedHandle(handle);
      const { plaintext, tenant, revision } = openLocalHandle(this.#key, checked, place);
      return this.#seal(
        checked.id,
        tenant === undefined ? place : { ...place, tenant },
        revision + 1,
        plaintext,
      );
    });
  }

  /** HMAC-SHA-256 in hex under a key of its own; the same for the same key, on every node. */
  digest(plain: string): string {
    return createHmac('sha256', this.#digestKey).update(plain, 'utf8').digest('hex');
  }

  /** Drops the keys; `digest` goes on working, the other calls reject with UNAVAILABLE. */
  close(): void {
    this.#key.close();
  }

  /** The handle of a plaintext, which it wipes. */
  #seal(id: string, place: LocalPlace, revision: number, plaintext: Uint8Array): CryptoHandle {
    try {
      if (revision > mostRevisions) throw new HushError('BAD_REQUEST', 'the handle has no version left');
      const nonce = randomFillSync(newBytes(12));
      const ciphertext = sealLocalHandle(this.#key, { ...place, id, revision }, nonce, plaintext);
      return { id, kmsKeyId: this.kmsKeyId, alg: 'aes-256-gcm', version: revision, ciphertext };
    } finally {
      plaintext.fill(0);
    }
  }
}

/** The one key that the options ask for; the caller wipes it. */
function keyOf(options: LocalProviderOptions): Uint8Array {
  const { key, keyFile, ephemeralKeyForTests = false, env = process.env } = options;
  if ([key !== undefined, keyFile !== undefined, ephemeralKeyForTests].filter(Boolean).length > 1) {
    throw new HushError('BAD_REQUEST', 'give one of key, keyFile and ephemeralKeyForTests, not more');
  }
  if (key !== undefined) return copyBytes(key);
  if (keyFile !== undefined) return keyFromFile(keyFile);
  if (ephemeralKeyForTests) {
    refuseEphemeralKey(env);
    return randomFillSync(newBytes(masterKeyBytes));
  }
  const found = keyFromEnvironment(env);
  if (found !== undefined) return found;
  throw new NoStableKeyError('there is no stable key, and hushd never makes one up', waysToAProvider);
}

/** The fields of a handle, checked. Throws BAD_REQUEST that names the field. */
function checkedHandle(handle: CryptoHandle): CryptoHandle {
  const checked = cryptoHandle.safeParse(handleOf(handle));
  if (checked.success) return checked.data;
  throw new HushError('BAD_REQUEST', shapeFault(checked.error, 'handle'));
}

/** What synchronous work comes to, as the platform wants it. */
function answer<Result>(work: () => Result): Promise<Result> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(withoutPaths(error));
  }
}
