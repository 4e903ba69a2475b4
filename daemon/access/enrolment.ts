import { type Config, profileConfigOf } from '../config/config.ts';
import type { Identity } from './identity.ts';

/**
 * Whether it is for want of an enrolled key that an identity may not do more on a profile. Only those are told so who
 * may know of the profile: the owner, operators, and clients with a grant on it.
 */
export function lacksEnrolment(config: Config, identity: Identity, profile: string): boolean {
  const { requireEnrolled, grants } = profileConfigOf(config, profile);
  if (!requireEnrolled || identity.enrolled) return false;
  switch (identity.kind) {
    case 'owner':
    case 'operator':
      return true;
    case 'client':
      return Object.hasOwn(grants, identity.name);
    case 'limited':
    case 'stranger':
    case 'unidentified':
      return false;
  }
}

/** Whether the config asks an identity to seal the values in its messages by themselves. */
export function wantsFieldEncryption(config: Config, identity: Identity): boolean {
  if (config.transport.fieldEncryption) return true;
  if (identity.kind !== 'client') return false;
  return config.clients.some((client) => client.name === identity.name && client.fieldEncryption);
}
