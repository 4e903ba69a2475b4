import { HushError } from '../../protocol/errors.ts';
import type { Gate, GateCall, GatePeer } from './gate.ts';

/** Gate 5: the config grants the caller each right that the operation needs; which one it lacks is not told. */
export const accessGate: Gate = (call, peer) => {
  for (const right of call.rights) {
    if (peer.allows(call.profile, right)) continue;
    return (
      enrolmentDenial(call, peer) ??
      new HushError('ACCESS_DENIED', `the access rules do not allow ${call.name} here`)
    );
  }
  return undefined;
};

/** What a caller is refused with who would need an enrolled key, and may know so; undefined for everybody else. */
export function enrolmentDenial({ profile }: GateCall, peer: GatePeer): HushError | undefined {
  if (profile === undefined || !peer.lacksEnrolment(profile)) return undefined;
  return new HushError('ACCESS_DENIED', `the profile ${profile} serves enrolled clients only`, {
    hint: 'enrol this client with hush client add NAME --key-file FILE, and give it that file: --client-key FILE or HUSH_CLIENT_KEY_FILE',
  });
}
