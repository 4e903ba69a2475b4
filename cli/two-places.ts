import { HushError } from '../protocol/errors.ts';
import { targetOf, type ProfileOption, type Target } from './target.ts';

/** Where a secret is, and where it shall be. */
export interface TwoPlaces {
  readonly profile: string;
  readonly from: string;
  readonly to: string;
}

/**
 * The two places in one profile that two words name; a reference in the first says for both which profile it is. Throws
 * INVALID_NAME, and BAD_REQUEST where the two are not in one profile or are one.
 */
export function twoPlacesOf(
  from: string,
  to: string,
  options: ProfileOption,
  env: NodeJS.ProcessEnv,
): TwoPlaces {
  const source = targetOf(from, options, env);
  const target = to.startsWith('hush://')
    ? targetOf(to, {}, env)
    : targetOf(to, { profile: source.profile }, env);
  if (source.profile !== target.profile) throw apart(source, target);
  if (source.path === target.path) {
    throw new HushError('BAD_REQUEST', 'both names are the same', { hint: 'write another name' });
  }
  return { profile: source.profile, from: source.path, to: target.path };
}

function apart(source: Target, target: Target): HushError {
  return new HushError('BAD_REQUEST', 'they are in two profiles, which share nothing', {
    hint:
      `hush get -p ${source.profile} ${source.path} --reveal | ` +
      `hush set -p ${target.profile} ${target.path}`,
  });
}
