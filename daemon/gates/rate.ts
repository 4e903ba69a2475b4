import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/**
 * Gate 4: the caller's bucket holds a token, and one is taken. Unlocking has buckets of its own on each profile that
 * there is and that the caller may know of; all others share one, so that no name makes a bucket, and none tells that
 * a profile exists.
 */
export const rateGate: Gate = (call, peer, state) => {
  const wait =
    call.name === 'unlock' ? waitToUnlock(call, peer, state) : peer.takeToken(call.profile, 'request');
  return wait === 0
    ? undefined
    : new HushError('RATE_LIMITED', `too many requests: try again in ${wait} ms`, { retryAfterMs: wait });
};

function waitToUnlock(...[{ profile, hasPassphrase }, peer, state]: Parameters<Gate>): number {
  const hasOwn =
    profile !== undefined && peer.hasAnyRight(profile) && state.profileState(profile) !== 'missing';
  return peer.takeToken(hasOwn ? profile : undefined, hasPassphrase === true ? 'unlock' : 'unlock by key');
}
