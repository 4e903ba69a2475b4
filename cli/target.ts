import { HushError } from '../protocol/errors.ts';
import {
  defaultProfile,
  parseProfileName,
  parseReference,
  parseSecretPath,
  type ProfileName,
} from '../protocol/names.ts';
import { keyring, tenant } from '../protocol/shapes.ts';

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

/** The value of an option that names a keyring. Throws INVALID_NAME. */
export function keyringOption(text: string): string {
  if (keyring.safeParse(text).success) return text;
  throw new HushError('INVALID_NAME', 'that is not the name of a keyring', {
    hint: 'a keyring is 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit',
  });
}

/** The value of an option that names a tenant. Throws INVALID_NAME. */
export function tenantOption(text: string): string {
  if (tenant.safeParse(text).success) return text;
  throw new HushError('INVALID_NAME', 'that is not the id of a tenant', {
    hint: 'a tenant is 1 to 128 characters',
  });
}
