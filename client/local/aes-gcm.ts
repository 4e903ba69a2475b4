import { createNodeGcm } from '../../native/node-gcm.ts';
import { HushError } from '../../protocol/errors.ts';
import type { Gcm } from '../../protocol/local-handle.ts';

const closed = (): HushError =>
  new HushError('UNAVAILABLE', 'the provider was closed', { hint: 'make a new one' });

/** AES-256-GCM for a provider in this process. `key` is the caller's to wipe. Throws UNAVAILABLE after `close`. */
export const createGcm = (key: Uint8Array): Gcm => createNodeGcm(key, closed);
