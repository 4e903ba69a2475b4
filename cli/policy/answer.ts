import { wantsFieldEncryption } from '../../daemon/access/enrolment.ts';
import type { ReadConfig } from '../../daemon/config/parse.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import type { Right } from '../../protocol/rights.ts';
import { explain, type Asked, type Explanation, type Rule } from './explain.ts';
import { identityNamed, needsEnrolledKey, rightsAsked, type Question } from './subject.ts';

/** An explanation, and what the daemon asks of the caller besides. */
export interface PolicyAnswer extends Explanation {
  /** What the connection must bring for that decision; left out where it is nothing. */
  readonly needs?: readonly string[];
}

/**
 * The explanation that answers a question, at a moment in milliseconds since 1970, for a daemon that runs as
 * `daemonUid`, if that is known. Throws BAD_REQUEST.
 */
export function answer(
  question: Question,
  reading: ReadConfig,
  enrolledNames: ReadonlySet<string>,
  now: number,
  daemonUid?: number,
): PolicyAnswer {
  const { config } = reading;
  const identity = identityNamed(question, config, enrolledNames, daemonUid);
  const rights = rightsAsked(question);
  const explanation = explainAll(reading, { identity, profile: question.profile, now }, rights);
  if (explanation.decision === 'deny') return explanation;
  const fault = rights.map(faultOf).find((found) => found !== undefined);
  if (fault !== undefined) {
    const { rule } = explanation;
    return {
      decision: 'deny',
      reason: `no secret can have that path (${fault.code}): ${fault.message}`,
      rule,
    };
  }
  const needs = [
    ...(identity.kind === 'client' && needsEnrolledKey(identity.name, config, enrolledNames)
      ? ['its enrolled key']
      : []),
    ...(wantsFieldEncryption(config, identity) ? ['field encryption'] : []),
  ];
  return needs.length === 0 ? explanation : { ...explanation, needs };
}

/** The first denial, else the first approval that it waits for, else what allows the first of the rights. */
function explainAll(reading: ReadConfig, asked: Omit<Asked, 'right'>, rights: readonly Right[]): Explanation {
  const first = explain(reading, { ...asked, right: rights[0] });
  const all = [first, ...rights.slice(1).map((right) => explain(reading, { ...asked, right }))];
  return (
    all.find(({ decision }) => decision === 'deny') ??
    all.find(({ approval }) => approval !== undefined) ??
    first
  );
}

/** What is wrong with the path that a right is on; the daemon refuses such a request. */
function faultOf(right: Right): HushError | undefined {
  if (!('path' in right) || right.kind === 'list') return undefined;
  try {
    parseSecretPath(right.path);
    return undefined;
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  }
}

/** A question in words. */
export function questionText({ client, op, path, tenant, profile }: Question): string {
  const what = path === undefined ? '' : ` ${path}`;
  const whose = tenant === undefined ? '' : ` of tenant ${tenant}`;
  return `${client} ${op}${what}${whose} on ${profile}`;
}

/** Where a rule stands, and its key; what no file says is a default. */
export function ruleText({ file, line, key }: Rule): string {
  return file === undefined || line === undefined ? `${key} (the default)` : `${file}:${line}: ${key}`;
}
