import { HushError, type ErrorCode } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';

/** A value that another place keeps. */
export interface Found {
  /** What it is called there, in steps: the path in a file, the folders of a password store. */
  readonly steps: readonly (string | number)[];
  /** The caller's to wipe. */
  readonly value: Uint8Array<ArrayBuffer>;
}

/** What was found in a place. */
export interface Harvest {
  readonly found: readonly Found[];
  /** What cannot be imported, and why. */
  readonly problems: readonly string[];
  /** How many hold a reference already, and how many no value. */
  readonly references: number;
  readonly empty: number;
}

/** A value and the path that it is to have. */
export interface Candidate {
  readonly path: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** Where imported values go. */
export interface Naming {
  readonly scope: string;
  /** What their names begin with. */
  readonly prefix: string;
}

/** The path of a value: `SCOPE/PREFIX` and its steps with dots between. Throws INVALID_NAME. */
export function pathFor(steps: Found['steps'], { scope, prefix }: Naming): string {
  return parseSecretPath(`${scope}/${prefix}${steps.join('.')}`).text;
}

/**
 * The paths of all values, of several with the same steps the last. What makes no name, or one that another value has
 * too, is a problem.
 */
export function candidatesOf(
  found: readonly Found[],
  naming: Naming,
): { readonly candidates: readonly Candidate[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const byPath = new Map<string, Candidate & { readonly source: string }>();
  for (const { steps, value } of found) {
    const source = JSON.stringify(steps);
    try {
      const path = pathFor(steps, naming);
      const other = byPath.get(path);
      if (other === undefined || other.source === source) byPath.set(path, { path, value, source });
      else problems.push(`${path} would be made of two values`);
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      problems.push(`${shown(steps)} makes no name of a secret`);
    }
  }
  return { candidates: [...byPath.values()].map(({ path, value }) => ({ path, value })), problems };
}

/** The steps as people write them. */
const shown = (steps: Found['steps']): string => `'${steps.join('.').slice(0, 80)}'`;

/** How many problems an error tells. */
const mostTold = 20;

/** Throws one error that tells all problems; nothing has been stored by then. */
export function refuseProblems(problems: readonly string[], code: ErrorCode, hint: string): void {
  if (problems.length === 0) return;
  const more = problems.length > mostTold ? `; and ${problems.length - mostTold} more` : '';
  throw new HushError(code, `nothing was stored: ${problems.slice(0, mostTold).join('; ')}${more}`, { hint });
}
