import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/** Gate 4: the caller's bucket holds a token, and one is taken. */
export const rateGate: Gate = (call, peer) => {
  const wait = peer.takeToken(call.profile);
  return wait === 0
    ? undefined
    : new HushError('RATE_LIMITED', `too many requests: try again in ${wait} ms`, { retryAfterMs: wait });
};
