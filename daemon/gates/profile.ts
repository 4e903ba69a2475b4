import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/** Gate 2: the profile exists and is active. Text that cannot be a profile's name is told apart. */
export const profileGate: Gate = (call, _peer, state) => {
  if (call.profile === undefined) return undefined;
  if (call.profileFault !== undefined) return call.profileFault;
  switch (state.profileState(call.profile)) {
    case 'missing':
      return new HushError('NO_SUCH_PROFILE', `there is no profile ${call.profile}`, {
        hint: `hush init -p ${call.profile}`,
      });
    case 'inactive':
      return new HushError('PROFILE_INACTIVE', `the profile ${call.profile} is deactivated`, {
        hint: `hush profile activate ${call.profile}`,
      });
    case 'locked':
    case 'unlocked':
      return undefined;
  }
};
