import { HushError, reportOf } from '../protocol/errors.ts';
import type { ParamsOf } from '../protocol/operations.ts';
import { shapeFault } from '../protocol/shape-fault.ts';
import { cryptoHandle, isHandle } from '../protocol/shapes.ts';
import { membersOf, type Member } from './json-members.ts';

/** A line of a table of handles: what the platform keeps of one value. */
export interface HandleLine {
  readonly handle: ParamsOf<'crypto.rotate'>['handle'];
  readonly namespace: string;
  readonly key: string;
  readonly tenant?: string;
  /** All that stands in the line. */
  readonly members: readonly Member[];
}

/** What a line that failed carries besides its own, so that it can be fed in again as it is. */
const ofFailures: ReadonlySet<string> = new Set(['error', 'line']);

/** The line that a text is. Throws BAD_REQUEST that names the field and shows no value. */
export function parseHandleLine(text: string): HandleLine {
  const value = objectOf(text);
  if (value === undefined) throw malformed('it is not a JSON object');
  const members = membersOf(text);
  if (members.filter(({ name }) => name === 'handle').length > 1)
    throw malformed('handle: it stands there twice');
  const { namespace, key, tenantId } = value;
  if (typeof namespace !== 'string') throw malformed('namespace: it is not a string');
  if (typeof key !== 'string') throw malformed('key: it is not a string');
  const place = { handle: handleOf(value['handle']), namespace, key, members };
  // A column that holds none is null.
  if (tenantId === undefined || tenantId === null) return place;
  if (typeof tenantId !== 'string') throw malformed('tenantId: it is not a string');
  return { ...place, tenant: tenantId };
}

/** The line with another handle; all that it held besides stays as it was. */
export function lineWithHandle({ members }: HandleLine, handle: HandleLine['handle']): string {
  const { id, kmsKeyId, alg, version, ciphertext } = handle;
  const texts = members
    .filter(({ name }) => !ofFailures.has(name))
    .map(({ name, text }) =>
      name === 'handle' ? `"handle":${JSON.stringify({ id, kmsKeyId, alg, version, ciphertext })}` : text,
    );
  return `{${texts.join(',')}}`;
}

/** What stands in the place of a line that failed: the error, the line's number, and what the line held. */
export function lineOfFailure(text: string, number: number, error: HushError): string {
  const held =
    objectOf(text) === undefined ? [] : membersOf(text).filter(({ name }) => !ofFailures.has(name));
  const texts = [
    `"error":${JSON.stringify(reportOf(error))}`,
    `"line":${number}`,
    ...held.map((member) => member.text),
  ];
  return `{${texts.join(',')}}`;
}

function handleOf(value: unknown): HandleLine['handle'] {
  // It accepts what the schema accepts.
  if (isHandle(value)) return value as HandleLine['handle'];
  const parsed = cryptoHandle.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformed(shapeFault(parsed.error, 'handle'));
}

/** The object that a text is, or undefined if it is none. */
function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    // An object that is no array has members of any kind.
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const lineForm =
  'each line is {"handle":{"id","kmsKeyId","alg","version","ciphertext"},"namespace","key","tenantId"?}';

const malformed = (message: string): HushError => new HushError('BAD_REQUEST', message, { hint: lineForm });
