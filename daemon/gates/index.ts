import { HushError } from '../../protocol/errors.ts';
import { operations, type GateName } from '../../protocol/operations.ts';
import { accessGate, enrolmentDenial } from './access.ts';
import { approvalGate } from './approval.ts';
import type { Gate, GateCall, GatePeer, GateState } from './gate.ts';
import { identityGate } from './identity.ts';
import { lockGate } from './lock.ts';
import { nameGate } from './name.ts';
import { profileGate } from './profile.ts';
import { rateGate } from './rate.ts';

/** The gates, in the order in which a request meets them. */
const gates: readonly (readonly [GateName, Gate])[] = [
  ['lock', lockGate],
  ['profile', profileGate],
  ['identity', identityGate],
  ['rate', rateGate],
  ['access', accessGate],
  ['approval', approvalGate],
  ['name', nameGate],
];

/** The gates of each operation, in the one order. */
const gatesOf = new Map<string, readonly Gate[]>(
  Object.entries(operations).map(([operation, { gates: passed }]) => [
    operation,
    gates.filter(([name]) => passed.includes(name)).map(([, gate]) => gate),
  ]),
);

/**
 * Why a request is refused, or undefined. A caller without any right on the profile learns nothing of it,
 * not even whether it exists: it is refused before the first gate, at the price of a token.
 */
export function firstDenial(call: GateCall, peer: GatePeer, state: GateState): HushError | undefined {
  const passed = gatesOf.get(call.name);
  if (passed === undefined) return new HushError('BAD_REQUEST');
  if (!peer.identified || (call.profile !== undefined && !peer.hasAnyRight(call.profile))) {
    return (
      rateGate(call, peer, state) ??
      identityGate(call, peer, state) ??
      enrolmentDenial(call, peer) ??
      new HushError('ACCESS_DENIED')
    );
  }
  for (const gate of passed) {
    const denial = gate(call, peer, state);
    if (denial !== undefined) return denial;
  }
  return undefined;
}
