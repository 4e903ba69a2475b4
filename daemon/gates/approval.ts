import type { Gate } from './gate.ts';

/** Gate 5.2: what the config wants approved is read, or signed with, only with the approval of another identity than the caller. */
export const approvalGate: Gate = ({ rights, profile, pathFault }, peer, state) => {
  if (profile === undefined || pathFault !== undefined) return undefined;
  for (const right of rights) {
    const denial =
      right.kind === 'read' || right.kind === 'sign'
        ? state.approval(profile, right.path, peer.identity, right.kind)
        : undefined;
    if (denial !== undefined) return denial;
  }
  return undefined;
};
