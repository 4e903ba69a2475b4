import type { HushError, OperationName, Right } from '../../protocol/index.ts';
import type { Identity } from '../access/identity.ts';
import type { ApprovedRight } from '../approvals/approvals.ts';
import type { TokenUse } from '../access/rates.ts';

/** What the gates look at in a request: its operation, the profile it names and the rights it needs. */
export interface GateCall {
  readonly name: OperationName;
  /** As the caller wrote it: not yet known to be a name, nor to exist. */
  readonly profile: string | undefined;
  /** What is wrong with the profile's name or the path, as they were written; seen by the gates in their turn. */
  readonly profileFault: HushError | undefined;
  readonly pathFault: HushError | undefined;
  /** All of which it takes; none where being identified is enough. */
  readonly rights: readonly Right[];
  /** Whether it is an unlock with a passphrase among its credentials. */
  readonly hasPassphrase?: boolean;
}

/** What the gates may know of the caller, as the kernel and the config tell it. */
export interface GatePeer {
  readonly identified: boolean;
  readonly identity: Identity;
  /** Whether the config asks for field encryption of the caller, whose connection has none. */
  readonly lacksFields: boolean;
  /** Whether it is for want of an enrolled key that the caller may not do more on the profile. */
  lacksEnrolment(profile: string): boolean;
  /** Whether the access rules allow the right on the profile (any profile: undefined). */
  allows(profile: string | undefined, right: Right): boolean;
  /** Whether the access rules give the caller anything at all on the profile. */
  hasAnyRight(profile: string): boolean;
  /** Takes one token of the bucket that the caller has on the profile: 0, or the milliseconds until there is one. */
  takeToken(profile: string | undefined, use: TokenUse): number;
}

/** What the gates may know of a profile. */
export type ProfileState = 'missing' | 'locked' | 'unlocked' | 'inactive';

/** What the gates may know of the daemon. */
export interface GateState {
  profileState(name: string): ProfileState;
  /** Why somebody else must approve a read or signature first; undefined if nobody must, or if one did, which this uses up. */
  approval(profile: string, path: string, asker: Identity, right: ApprovedRight): HushError | undefined;
}

/** One decision about a request: why it is refused, or undefined to let it pass on. */
export type Gate = (call: GateCall, peer: GatePeer, state: GateState) => HushError | undefined;
