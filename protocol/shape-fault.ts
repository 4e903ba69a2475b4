import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/**
 * What is wrong with a value that its schema refused: the place, and what it is not, such as `slots: fewer than 2
 * items`. `whole` names the value itself. It never repeats anything of the value.
 */
export function shapeFault({ issues }: Pick<z.ZodError, 'issues'>, whole: string): string {
  const [issue] = issues;
  if (issue === undefined) return `${whole}: not well formed`;
  return `${[whole, ...issue.path.map(String)].join('.')}: ${faultOf(issue)}`;
}

function faultOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `not ${nounOf(issue.expected)}`;
    case 'too_small':
      return boundOf(issue.origin, issue.minimum, issue.inclusive === false ? 'not above' : 'below', 'fewer');
    case 'too_big':
      return boundOf(issue.origin, issue.maximum, issue.inclusive === false ? 'not below' : 'above', 'more');
    case 'unrecognized_keys':
      return 'a field too many';
    case 'invalid_value':
      return `none of ${issue.values.map(String).join(', ')}`;
    case 'custom':
      return issue.message;
    default:
      return 'not well formed';
  }
}

const nouns: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  object: 'an object',
  record: 'an object',
};

const nounOf = (expected: string): string => nouns[expected] ?? `a ${expected}`;

const units: Readonly<Record<string, string>> = { array: 'items', set: 'items', string: 'characters' };

/** A bound of a number, or of how much something holds. */
function boundOf(origin: string, bound: number | bigint, ofNumber: string, ofSize: string): string {
  const unit = units[origin];
  return unit === undefined ? `${ofNumber} ${bound}` : `${ofSize} than ${bound} ${unit}`;
}
