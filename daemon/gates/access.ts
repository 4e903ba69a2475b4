import { HushError } from '../../protocol/errors.ts';
import type { Gate, GateCall, GatePeer } from './gate.ts';

/** Gate 5: the config grants the caller the right that the operation needs. */
export const accessGate: Gate = (call, peer) =>
  call.right === undefined || peer.allows(call.profile, call.right)
    ? undefined
    : (enrolmentDenial(call, peer) ??
      new HushError('ACCESS_DENIED', `the access rules do not allow ${call.name} here`));

/** What a caller is refused with who would need an enrolled key, and may know so; undefined for everybody else. */
export function enrolmentDenial({ profile }: GateCall, peer: GatePeer): HushError | undefined {
  if (profile === undefined || !peer.lacksEnrolment(profile)) return undefined;
  return new HushError('ACCESS_DENIED', `the profile ${profile} serves enrolled clients only`, {
    hint: 'enrol this client with hush client add NAME --key-file FILE, and give it that file: --client-key FILE or HUSH_CLIENT_KEY_FILE',
  });
}
