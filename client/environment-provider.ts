import { createCryptoProvider } from './crypto-provider.ts';
import type { CryptoProviderOptions, HushCryptoProvider } from './crypto-provider.ts';
import { developmentKey, developmentKeyPath } from './local/development-key.ts';
import { keyFromEnvironment } from './local/key-source.ts';
import { NoStableKeyError, waysToAProvider } from './local/no-stable-key.ts';
import { LocalCryptoProvider } from './local/provider.ts';
import { isDevelopment, refuseEphemeralKey } from './local/stage.ts';
import type { Environment } from './socket-path.ts';

/** What a provider is found by, besides the environment: what `createCryptoProvider` takes, and these. */
export interface EnvironmentProviderOptions extends CryptoProviderOptions {
  /**
   * Where neither a daemon nor a key is configured: a random key that is gone with the process, and with it whatever it
   * sealed. Refused in production, whatever else is configured.
   */
  readonly ephemeralKeyForTests?: boolean;
  /** The development key file, by default `hushd/development.key` in the data folder; `false` never makes or takes one. */
  readonly developmentKeyFile?: string | false;
}

/**
 * The crypto provider that the environment asks for, from the first of:
 * 1. the daemon, if `socket`, HUSH_SOCKET or HUSH_HOME is set: rejects as `createCryptoProvider` when it is down or
 *    locked, and never falls back to a local key;
 * 2. a local key: OS_SECRET_KEY, or the file that OS_SECRET_KEY_FILE names; rejects when that is no key;
 * 3. `ephemeralKeyForTests`;
 * 4. the development key file, only where NODE_ENV is `development` or `test`; announced on standard error, and made
 *    when it is not there. One that others can reach, that holds no key or cannot be read is an error.
 * Rejects with `NoStableKeyError` where there is none of them.
 */
export async function cryptoProviderFromEnv(
  options: EnvironmentProviderOptions = {},
): Promise<HushCryptoProvider | LocalCryptoProvider> {
  const { env = process.env, ephemeralKeyForTests = false, developmentKeyFile } = options;
  if (ephemeralKeyForTests) refuseEphemeralKey(env);
  // An empty variable counts as not set.
  const isDaemonConfigured = options.socket !== undefined || Boolean(env['HUSH_SOCKET'] || env['HUSH_HOME']);
  if (isDaemonConfigured) return createCryptoProvider(options);
  if (ephemeralKeyForTests && !hasKey(env)) return new LocalCryptoProvider({ env, ephemeralKeyForTests });
  const key = keyFromEnvironment(env) ?? keyOfDeveloper(env, developmentKeyFile);
  if (key === undefined) {
    throw new NoStableKeyError('there is no stable key, and hushd never makes one up', waysToAProvider);
  }
  try {
    return new LocalCryptoProvider({ key });
  } finally {
    key.fill(0);
  }
}

const hasKey = (env: Environment): boolean =>
  env['OS_SECRET_KEY'] !== undefined || env['OS_SECRET_KEY_FILE'] !== undefined;

function keyOfDeveloper(env: Environment, asked: string | false | undefined): Uint8Array | undefined {
  if (asked === false || !isDevelopment(env)) return undefined;
  const path = asked ?? developmentKeyPath(env);
  if (path === undefined) return undefined;
  const { key, made } = developmentKey(path);
  const announced = made
    ? `hushd: made a key for development, and keeps it in ${path}: what it seals cannot be opened without that file`
    : `hushd: seals with the key for development in ${path}`;
  process.stderr.write(`${announced}\n`);
  return key;
}
