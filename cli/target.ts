import { HushError } from '../protocol/errors.ts';
import {
  defaultProfile,
  parseProfileName,
  parseReference,
  parseSecretPath,
  type ProfileName,
} from '../protocol/names.ts';

/** The option that every command has. */
export interface ProfileOption {
  readonly profile?: string;
}

/** A secret's place, as a request names it. */
export interface Target {
  readonly profile: ProfileName;
  /** `<scope>/<name>`. */
  readonly path: string;
}

/** The profile meant: `--profile`, else HUSH_PROFILE, else `default`. Throws INVALID_NAME. */
export function profileOf({ profile }: ProfileOption, env: NodeJS.ProcessEnv): ProfileName {
  return parseProfileName(profile ?? (env['HUSH_PROFILE'] || defaultProfile));
}

/** The secret meant by `<scope>/<name>`, or by a whole reference `hush://<profile>/<scope>/<name>`. Throws INVALID_NAME. */
export function targetOf(text: string, options: ProfileOption, env: NodeJS.ProcessEnv): Target {
  if (!text.startsWith('hush://'))
    return { profile: profileOf(options, env), path: parseSecretPath(text).text };
  const { profile, path } = parseReference(text);
  if (options.profile !== undefined && options.profile !== profile) {
    throw new HushError('BAD_REQUEST', 'the reference names another profile than --profile', {
      hint: 'leave --profile away',
    });
  }
  return { profile, path: path.text };
}

/** What is typed to have a command act on a secret, in an environment that may name a profile. */
export function typedFor(
  name: string,
  { profile, path }: { readonly profile: string; readonly path: string },
  env: NodeJS.ProcessEnv,
): string {
  const isUsual = profile === (env['HUSH_PROFILE'] || defaultProfile);
  return `hush ${name}${isUsual ? '' : ` -p ${profile}`} ${path}`;
}
