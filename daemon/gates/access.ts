import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/** Gate 5: the config grants the caller the right that the operation needs. */
export const accessGate: Gate = (call, peer) =>
  call.right === undefined || peer.allows(call.profile, call.right)
    ? undefined
    : new HushError('ACCESS_DENIED', `the access rules do not allow ${call.name} here`);
