import type { Environment } from '../socket-path.ts';
import { NoStableKeyError, waysToAProvider } from './no-stable-key.ts';

/** Whether NODE_ENV says `production`, in the environment given or in that of the process. */
function isProduction(env: Environment): boolean {
  return [env, process.env].some((one) => one['NODE_ENV'] === 'production');
}

/**
 * Whether this is a developer's machine: NODE_ENV says `development` or `test`. An unset one proves nothing: many hosts
 * in production have none.
 */
export function isDevelopment(env: Environment): boolean {
  return !isProduction(env) && (env['NODE_ENV'] === 'development' || env['NODE_ENV'] === 'test');
}

/** Throws `NoStableKeyError` for a key that is gone with the process, where NODE_ENV says `production`. */
export function refuseEphemeralKey(env: Environment): void {
  if (!isProduction(env)) return;
  throw new NoStableKeyError('an ephemeral key is for tests, and NODE_ENV is production', waysToAProvider);
}
