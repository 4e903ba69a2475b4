import type { OperationName } from '../protocol/operations.ts';

/** What a client knows of an operation. */
export interface Known {
  /** The parameters as they are sent, without keys that hold `undefined`. Throws BAD_REQUEST that names the parameter. */
  readonly sent: (params: object) => Record<string, unknown>;
  /** The result without what the client does not know of it; undefined where it has not the shape of one. */
  readonly read: (result: unknown) => unknown;
  /** Whether sending it a second time, when the first reply was lost, does no harm. */
  readonly repeatable: boolean;
  /** Whether it cannot do without a profile. */
  readonly profiled: boolean;
}

/** The operations that a client knows. */
export type Vocabulary = (op: OperationName) => Known;

/** The object without the keys that hold `undefined`. */
export function withoutUndefined(params: object): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(params)) if (value !== undefined) sent[key] = value;
  return sent;
}
