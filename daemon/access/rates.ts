import { type Config, profileConfigOf } from '../config/config.ts';
import type { Identity } from './identity.ts';

/** Which token bucket a request is taken from, and how that one fills. */
export interface BucketRule {
  /** Equal names share one bucket. They come from the config and from uids: peers cannot make up new ones. */
  readonly name: string;
  /** Tokens a second. */
  readonly rate: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
}

/**
 * What a token is taken for: unlocking with a passphrase among the credentials or without one (which nobody guesses),
 * a handshake, or anything else.
 */
export type TokenUse = 'unlock' | 'unlock by key' | 'handshake' | 'request';

/**
 * The bucket of an identity. A grant with a rate of its own gives its client a bucket for that profile, for as long as
 * it stands in the config; strangers and unidentified peers share one for all of them. Unlocking has others on each
 * profile, so `profile` must then be one that there is, or empty. Handshakes of strangers have one for each uid: an
 * enrolled client is a stranger until then, and no other user may keep it out.
 */
export function bucketOf(config: Config, identity: Identity, profile: string, use: TokenUse): BucketRule {
  const { rate, burst, unidentifiedRate, unidentifiedBurst } = config.rate;
  if (identity.kind === 'unidentified' || identity.kind === 'stranger') {
    const whose = identity.kind === 'stranger' ? String(identity.uid) : 'unidentified';
    const name = use === 'handshake' ? `handshake:${whose}` : 'unidentified';
    return { name, rate: unidentifiedRate, burst: unidentifiedBurst };
  }
  if (use === 'unlock' || use === 'unlock by key') {
    return { name: `${identity.name} ${use}@${profile}`, ...config.unlock };
  }
  const { grants } = profileConfigOf(config, profile);
  const grant =
    identity.kind === 'client' && Object.hasOwn(grants, identity.name) ? grants[identity.name] : undefined;
  if (grant?.rate === undefined && grant?.burst === undefined) return { name: identity.name, rate, burst };
  const ownRate = grant.rate ?? rate;
  return { name: `${identity.name}@${profile}`, rate: ownRate, burst: grant.burst ?? ownRate };
}
