import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/** Gate 3: the kernel says who the caller is. */
export const identityGate: Gate = (_call, peer) =>
  peer.identified ? undefined : new HushError('UNIDENTIFIED');
