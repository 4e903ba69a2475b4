import { HushError } from '../../protocol/errors.ts';
import { isProfileName, parseProfileName, parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import { operationNamed, operations } from '../../protocol/operations.ts';
import type { Check } from '../../protocol/quick-shapes.ts';
import { shapeFault } from '../../protocol/shape-fault.ts';
import type { OperationName, ParamsOf } from '../../protocol/index.ts';
import type { GateCall } from '../gates/gate.ts';

/** A request whose operation is known and whose parameters have the right shape. */
export type Call = { [Name in OperationName]: CallOf<Name> }[OperationName];

/** A call of one operation. */
export interface CallOf<Name extends OperationName> extends GateCall {
  readonly name: Name;
  readonly params: ParamsOf<Name>;
  /** The secret that the call names, or is to go from, where it names one and its path is well formed. */
  readonly place: SecretPath | undefined;
  /** The one that it is to go to. */
  readonly target: SecretPath | undefined;
  /** What the audit record names as acted on, besides the profile. */
  readonly subject: string | undefined;
  readonly changes: boolean;
  readonly batchable: boolean;
}

/** The call that a request asks for. Throws BAD_REQUEST for an unknown operation or a wrong shape. */
export function parseCall(op: string, params: unknown): Call {
  const name = operationNamed(op);
  if (name === undefined) {
    throw new HushError('BAD_REQUEST', 'there is no such operation', { hint: 'see docs/protocol.md' });
  }
  return callOf(name, params);
}

function callOf(name: OperationName, given: unknown): Call {
  const operation: (typeof operations)[OperationName] & { readonly accepts?: Check } = operations[name];
  const params = operation.accepts?.(given) === true ? given : parsedParams(name, given);
  // Schema, needs and subject stand in the same entry of the table, so they speak of the same parameters;
  // the compiler cannot follow that through an index.
  const entry = operation as unknown as {
    needs: (params: unknown) => GateCall['rights'];
    subject: (params: unknown) => string | undefined;
  };
  // Every schema of the table is of an object, and these parameters are strings in each that has them.
  const named = params as Partial<Record<'profile' | 'path' | 'from' | 'to', string>>;
  const { profile, path } = named;
  // Whatever has a path is not looked through for two others: to find that there are none takes time.
  const from = path ?? named.from;
  const to = path === undefined ? named.to : undefined;
  const place = from === undefined ? undefined : parsedOrFault(parseSecretPath, from);
  const target = to === undefined ? undefined : parsedOrFault(parseSecretPath, to);
  const call = {
    name,
    params,
    profile,
    profileFault: profile === undefined || isProfileName(profile) ? undefined : profileNameFault(profile),
    pathFault: place instanceof HushError ? place : target instanceof HushError ? target : undefined,
    place: place instanceof HushError ? undefined : place,
    target: target instanceof HushError ? undefined : target,
    rights: entry.needs(params),
    hasPassphrase: name === 'unlock' && hasPassphrase(params as ParamsOf<'unlock'>),
    subject: entry.subject(params),
    changes: operation.changes,
    batchable: operation.batchable,
  };
  // The name is that of the entry whose schema has just accepted the parameters.
  return call as unknown as Call;
}

const hasPassphrase = ({ credentials }: ParamsOf<'unlock'>): boolean =>
  credentials.some(({ kind }) => kind === 'passphrase');

function parsedParams(name: OperationName, given: unknown): unknown {
  const parsed = operations[name].params.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new HushError('BAD_REQUEST', shapeFault(parsed.error, name), { hint: 'see docs/protocol.md' });
}

function parsedOrFault<T>(parse: (text: string) => T, text: string): T | HushError {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  }
}

function profileNameFault(text: string): HushError | undefined {
  const parsed = parsedOrFault(parseProfileName, text);
  return parsed instanceof HushError ? parsed : undefined;
}
