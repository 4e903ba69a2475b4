import { createHmac, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HushError } from '../protocol/errors.ts';
import { isLocalHandle, notTheDaemons } from '../protocol/local-handle.ts';
import type { ParamsOf } from '../protocol/operations.ts';
import { anotherVault, connectAndVerify } from './client.ts';
import type { ConnectOptions, HushClient, Verify } from './client.ts';
import { coordinateOf, plaintextOf, textOf } from './crypto-context.ts';
import type { CryptoContext } from './crypto-context.ts';
import { handleOf } from './crypto-handle.ts';
import type { CryptoHandle, ICryptoProvider } from './crypto-handle.ts';
import { createListeners } from './events.ts';
import { withoutPaths } from './platform-error.ts';
import { createRecovery } from './recovery.ts';

/** The platform's provider, served by the daemon. */
export interface HushCryptoProvider extends ICryptoProvider {
  /** The id of the vault that seals: the only one that this provider will ever talk to. */
  readonly vaultId: string;
  /**
   * `disconnect` when the daemon is gone or locked; `reconnect` when it serves again, which is watched for in the
   * background (the moment to call `engine.setCryptoProvider` again). Answers how to stop listening.
   */
  on(event: 'disconnect' | 'reconnect', listener: () => void): () => void;
  /** Ends the connection; `digest` goes on working. */
  close(): void;
}

/** How a provider finds its daemon, and the keyring it uses. */
export interface CryptoProviderOptions extends ConnectOptions {
  /** `default` by default. */
  readonly keyring?: string;
  /**
   * Where the known value is sealed that proves the provider works. By default `hushd/proof`, and not insisted on: a
   * client whose grant does not reach there is content with the digest key, which no other vault has.
   */
  readonly proof?: CryptoContext;
}

const knownValue = 'hushd seals and opens this';
const defaultProof: CryptoContext = { namespace: 'hushd', key: 'proof' };

/**
 * A crypto provider that has proved itself: connected, holding the digest key, and having sealed and opened a known
 * value. Rejects with what `connect` rejects with, LOCKED, ACCESS_DENIED, or INTEGRITY when `vaultId` is given and
 * another vault answers.
 */
export async function createCryptoProvider(options: CryptoProviderOptions = {}): Promise<HushCryptoProvider> {
  const keyring = options.keyring ?? 'default';
  let digestKey: KeyObject | undefined;
  let vaultId = options.vaultId;

  const checkDigestKey = (told: { key: Uint8Array; vaultId: string }): void => {
    try {
      const key = createSecretKey(told.key);
      vaultId ??= told.vaultId;
      digestKey ??= key;
      if (told.vaultId !== vaultId || !key.equals(digestKey)) throw anotherVault();
    } finally {
      told.key.fill(0);
    }
  };

  const verify: Verify = async (connection, profile, expiresAt) => {
    checkDigestKey(await connection.call('crypto.digestKey', { profile, keyring }, expiresAt));
  };

  const client = await connectAndVerify(options, verify).catch((error: unknown) => {
    throw withoutPaths(error);
  });
  try {
    // Both were set by `verify`, without which no connection is made.
    if (digestKey === undefined || vaultId === undefined)
      throw new HushError('UNAVAILABLE', 'there is no digest key');
    const provider = providerOf({ client, keyring, digestKey, vaultId, checkDigestKey });
    await prove(provider, keyring, options.proof);
    return provider;
  } catch (error) {
    client.close();
    throw error;
  }
}

async function prove(
  provider: ICryptoProvider,
  keyring: string,
  asked: CryptoContext | undefined,
): Promise<void> {
  const ctx = asked ?? defaultProof;
  const opened = provider.encrypt(knownValue, ctx).then((handle) => provider.decrypt(handle, ctx));
  const value = await opened.catch((error: unknown) => {
    if (!(error instanceof HushError && error.code === 'ACCESS_DENIED')) throw error;
    if (asked === undefined) return knownValue;
    throw new HushError('ACCESS_DENIED', 'hushd: the access rules do not allow the proof of a known value', {
      hint: `grant crypto on ${keyring}/${ctx.namespace}/${ctx.key}, or name an allowed place in the option "proof"`,
    });
  });
  if (value !== knownValue) {
    throw new HushError('INTEGRITY', 'hushd did not give back the value that it sealed');
  }
}

interface ProviderParts {
  readonly client: HushClient;
  readonly keyring: string;
  readonly digestKey: KeyObject;
  readonly vaultId: string;
  readonly checkDigestKey: (told: { key: Uint8Array; vaultId: string }) => void;
}

function providerOf({
  client,
  keyring,
  digestKey,
  vaultId,
  checkDigestKey,
}: ProviderParts): HushCryptoProvider {
  const listeners = createListeners<'disconnect' | 'reconnect'>();
  const recovery = createRecovery({
    probe: async () => {
      checkDigestKey(await client.call('crypto.digestKey', { keyring }));
    },
    onOutage: () => {
      listeners.tell('disconnect');
    },
    onRecovery: () => {
      listeners.tell('reconnect');
    },
  });
  client.on('disconnect', () => {
    recovery.failed(new HushError('UNREACHABLE'));
  });

  const watched = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      const result = await work();
      recovery.succeeded();
      return result;
    } catch (error) {
      recovery.failed(error);
      throw withoutPaths(error);
    }
  };

  const ofThisVault = (handle: CryptoHandle): CryptoHandle => {
    if (!handle.kmsKeyId.startsWith(`hush:${vaultId}:`)) throw anotherVault();
    return handle;
  };

  return {
    vaultId,
    encrypt: (plain, ctx) =>
      watched(async () => {
        const coordinate = coordinateOf(ctx);
        const plaintext = plaintextOf(plain);
        try {
          const { handle } = await client.call('crypto.encrypt', { keyring, ...coordinate, plaintext });
          return ofThisVault(handle);
        } finally {
          plaintext.fill(0);
        }
      }),
    decrypt: (handle, ctx) =>
      watched(async () => {
        const params = { keyring, ...coordinateOf(ctx), handle: ofTheDaemon(handle) };
        const { plaintext } = await client.call('crypto.decrypt', params);
        try {
          return textOf(plaintext);
        } finally {
          plaintext.fill(0);
        }
      }),
    rotateKey: (handle, ctx) =>
      watched(async () => {
        const params = { keyring, ...coordinateOf(ctx), handle: ofTheDaemon(handle) };
        return ofThisVault((await client.call('crypto.rotate', params)).handle);
      }),
    digest: (plain) => createHmac('sha256', digestKey).update(plain, 'utf8').digest('hex'),
    on: listeners.on,
    close() {
      recovery.stop();
      client.close();
    },
  };
}

/** The fields of a handle. Throws WRONG_KEY for one that was sealed without the daemon. */
function ofTheDaemon(handle: CryptoHandle): ParamsOf<'crypto.decrypt'>['handle'] {
  const fields = handleOf(handle);
  if (isLocalHandle(fields)) throw notTheDaemons();
  return fields;
}
