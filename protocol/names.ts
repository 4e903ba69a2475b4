import { HushError } from './errors.ts';

/** A profile's name: 1-64 bytes of `[A-Za-z0-9_-]`, starting with a letter or digit. */
export type ProfileName = string & { readonly __brand: 'ProfileName' };

/** The path of a secret inside one profile: `<scope>/<name>`. */
export interface SecretPath {
  readonly scope: string;
  readonly name: string;
  /** `<scope>/<name>`, as it was written. */
  readonly text: string;
}

/** A reference to a secret from anywhere: `hush://<profile>/<scope>/<name>`. */
export interface SecretReference {
  readonly profile: ProfileName;
  readonly path: SecretPath;
}

/** The profile that commands mean when none is named. */
export const defaultProfile = 'default';

const profilePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const pathPattern =
  /^(global|(?:ws|pr):[A-Za-z0-9][A-Za-z0-9._-]{0,127})\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;
const referencePattern = /^hush:\/\/([^/]*)\/(.*)$/s;

/** Whether the text is a profile's name. */
export function isProfileName(text: string): text is ProfileName {
  return profilePattern.test(text);
}

/** The profile's name that the text is. Throws INVALID_NAME. */
export function parseProfileName(text: string): ProfileName {
  if (isProfileName(text)) return text;
  throw new HushError('INVALID_NAME', 'that is not the name of a profile', {
    hint: 'a profile is 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit',
  });
}

/** The names that the daemon gives to peers itself; a client of that name would read like one of them in the audit. */
const reservedNames: ReadonlySet<string> = new Set([
  'owner',
  'operator',
  'limited',
  'stranger',
  'unidentified',
  'daemon',
]);

/** Whether the text is one of the names that the daemon gives to peers itself, and so no client's. */
export function isReservedName(text: string): boolean {
  return reservedNames.has(text);
}

/** Whether the text can be a client's name: like a profile's, and none that the daemon gives itself. */
export function isClientName(text: string): boolean {
  return isProfileName(text) && !isReservedName(text);
}

/** The client's name that the text is. Throws INVALID_NAME. */
export function parseClientName(text: string): string {
  if (isClientName(text)) return text;
  throw new HushError(
    'INVALID_NAME',
    isReservedName(text) ? 'that is a name which hushd gives itself' : 'that is not the name of a client',
    { hint: 'a client is 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit' },
  );
}

/** The path that the text is: scope `global`, `ws:<id>` or `pr:<id>`, a slash, a name. Throws INVALID_NAME. */
export function parseSecretPath(text: string): SecretPath {
  const match = pathPattern.exec(text);
  const scope = match?.[1];
  const name = match?.[2];
  if (scope === undefined || name === undefined || text.includes('..')) {
    throw new HushError('INVALID_NAME', 'that is not the path of a secret');
  }
  return { scope, name, text };
}

/** The reference that the text is: `hush://<profile>/<scope>/<name>`. Throws INVALID_NAME. */
export function parseReference(text: string): SecretReference {
  const [, profile, path] = referencePattern.exec(text) ?? [];
  if (profile === undefined || path === undefined) {
    throw new HushError('INVALID_NAME', 'that is not a reference', {
      hint: 'hush://<profile>/<scope>/<name>',
    });
  }
  return { profile: parseProfileName(profile), path: parseSecretPath(path) };
}

const slotIdPattern = /^[0-9a-f]{16}$/;
const labelPattern = /^[^\p{C}\p{Z}](?:[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Z}])?$/u;

/** Whether the text is the id of a slot or of a group: 16 hex digits. */
export function isSlotId(text: string): boolean {
  return slotIdPattern.test(text);
}

/**
 * Whether the text can be what people call a slot: 1 to 64 characters, none of them a control character, no blank at
 * its ends, and not what could be an id.
 */
export function isSlotLabel(text: string): boolean {
  return text.length <= 64 && labelPattern.test(text) && !slotIdPattern.test(text);
}
