import { HushError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';

/** Gate 3: the kernel or a handshake says who the caller is, and it seals values where the config asks it to. */
export const identityGate: Gate = (_call, peer) => {
  if (!peer.identified) return new HushError('UNIDENTIFIED');
  if (!peer.lacksFields) return undefined;
  return new HushError(
    'ACCESS_DENIED',
    'this daemon takes requests of this client with field encryption only',
    {
      hint: 'connect with the option fieldEncryption, after a handshake of docs/protocol.md; or see field_encryption in config.toml',
    },
  );
};
