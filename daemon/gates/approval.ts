import type { Gate } from './gate.ts';

/** Gate 5.2: what the config wants approved is read only with the approval of another identity than the caller. */
export const approvalGate: Gate = ({ right, profile, pathFault }, peer, state) =>
  right?.kind === 'read' && profile !== undefined && pathFault === undefined
    ? state.approval(profile, right.path, peer.identity)
    : undefined;
