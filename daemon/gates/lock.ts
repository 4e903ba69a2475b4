import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/** Gate 1: the profile exists, is active, and is locked. A missing or inactive one goes on to gate 2. */
export const lockGate: Gate = (call, _peer, state) =>
  call.profile !== undefined && state.profileState(call.profile) === 'locked'
    ? new HushError('LOCKED', `the profile ${call.profile} is locked`, {
        hint: `hush unlock -p ${call.profile}`,
      })
    : undefined;
