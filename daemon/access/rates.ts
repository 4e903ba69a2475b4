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
 * The bucket of an identity. A grant with a rate of its own gives its client a bucket for that profile; strangers and
 * unidentified peers share one for all of them.
 */
export function bucketOf(config: Config, identity: Identity, profile: string): BucketRule {
  const { rate, burst, unidentifiedRate, unidentifiedBurst } = config.rate;
  if (identity.kind === 'unidentified' || identity.kind === 'stranger') {
    return { name: 'unidentified', rate: unidentifiedRate, burst: unidentifiedBurst };
  }
  const { grants } = profileConfigOf(config, profile);
  const grant =
    identity.kind === 'client' && Object.hasOwn(grants, identity.name) ? grants[identity.name] : undefined;
  if (grant?.rate === undefined && grant?.burst === undefined) return { name: identity.name, rate, burst };
  const ownRate = grant.rate ?? rate;
  return { name: `${identity.name}@${profile}`, rate: ownRate, burst: grant.burst ?? ownRate };
}
