import type { Gate } from './gate.ts';

/** Gate 5.5: what stands where a name belongs is one. */
export const nameGate: Gate = (call) => call.profileFault ?? call.pathFault;
