import { HushError } from '../protocol/errors.ts';
import { operations } from '../protocol/operations.ts';
import type { OperationName } from '../protocol/operations.ts';
import type { Check } from '../protocol/quick-shapes.ts';
import { shapeFault } from '../protocol/shape-fault.ts';
import { withoutUndefined } from './known.ts';
import type { Known, Vocabulary } from './known.ts';

/** Every operation of the table, by its own schemas. */
export const everyOperation: Vocabulary = (op) => known[op];

// The entries of an object made of the table's names.
const known = Object.fromEntries(
  (Object.keys(operations) as OperationName[]).map((op) => [op, knownOf(op)]),
) as Record<OperationName, Known>;

function knownOf(op: OperationName): Known {
  const entry: (typeof operations)[OperationName] & { readonly accepts?: Check } = operations[op];
  const { params, result, repeatable, accepts } = entry;
  return {
    sent: (given) => {
      if (accepts?.(given) === true) return withoutUndefined(given);
      // A request that is not well formed would cost the whole connection.
      const checked = params.safeParse(given);
      if (!checked.success) throw new HushError('BAD_REQUEST', shapeFault(checked.error, op));
      return withoutUndefined(checked.data);
    },
    read: (given) => result.safeParse(given).data,
    repeatable,
    profiled: 'profile' in params.shape && !params.shape.profile.safeParse(undefined).success,
  };
}
