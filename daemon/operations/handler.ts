import type { Limits, OperationName, ParamsOf, ResultOf } from '../../protocol/index.ts';
import type { RuntimeGrants } from '../access/runtime-grants.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Backups } from '../backup/backups.ts';
import type { ClientRule } from '../config/config.ts';
import type { Presence } from '../enrolled/presence.ts';
import type { EnrolledStore } from '../enrolled/store.ts';
import type { Peer } from '../peer.ts';
import type { Profiles } from '../profiles/profiles.ts';
import type { Signing } from '../signing/signing.ts';
import type { CallOf } from './call.ts';

/** What a handler may use. */
export interface Context {
  readonly peer: Peer;
  readonly profiles: Profiles;
  readonly backups: Backups;
  readonly enrolled: EnrolledStore;
  readonly presence: Presence;
  readonly approvals: Approvals;
  readonly grants: RuntimeGrants;
  readonly signing: Signing;
  /** Whether the config or an enrolment knows a client of that name. */
  readonly knowsClient: (name: string) => boolean;
  /** The entry that the config has for a client of that name. */
  readonly clientEntry: (name: string) => ClientRule | undefined;
  /** Has `listener` called when the connection of the call is closed; answers how to take that back. */
  readonly whenClosed: (listener: () => void) => () => void;
  /** The limits that `hello` told. */
  readonly limits: Limits;
  readonly status: (peer: Peer, profile: string | undefined) => ResultOf<'status'>;
  /** Begins to stop the daemon; answers its pid. */
  readonly stop: () => number;
}

/** What a handler gives: the result, and the vault's commit counter if it changed the vault. */
export interface Answer<Name extends OperationName = OperationName> {
  readonly result: ResultOf<Name>;
  readonly commit?: number;
  /** The profiles in whose audit it is on record, besides the one that the call names. */
  readonly alsoIn?: readonly string[];
}

/** Carries out the calls of one operation that passed the gates. Throws or rejects with the HushError that refuses one. */
export type Handler<Name extends OperationName> = (
  params: ParamsOf<Name>,
  context: Context,
  call: CallOf<Name>,
) => Answer<Name> | Promise<Answer<Name>>;

/** The handlers of a group of operations. */
export type Handlers<Name extends OperationName> = { readonly [One in Name]: Handler<One> };
