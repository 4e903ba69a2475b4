import { HushError } from '../../../protocol/errors.ts';
import { parseSecretPath, type SecretPath } from '../../../protocol/names.ts';
import { shellWord } from '../../../protocol/shell-word.ts';
import type { Wanted } from './address.ts';

/** The scopes that the operator has given to units by name. */
export type Scopes = ReadonlyMap<string, string>;

/**
 * Where the credential of a unit is kept: `pr:<unit>/<credential>`, or below the scope that the operator has given
 * to the unit. No two units share a place unless the operator says so. Throws INVALID_NAME for what is no name of ours,
 * such as the `@` of an instance.
 */
export function placeOf({ unit, credential }: Wanted, scopes: Scopes): SecretPath {
  const scope = scopes.get(unit) ?? `pr:${unit}`;
  try {
    return parseSecretPath(`${scope}/${credential}`);
  } catch (error) {
    throw new HushError('INVALID_NAME', 'no secret can have that name', {
      hint: isScope(scope)
        ? 'rename the credential'
        : `hush door systemd --map ${shellWord(`${unit}=pr:NAME`)}`,
      cause: error,
    });
  }
}

/** The unit and the scope of `--map UNIT=SCOPE`, added to those before it. Throws BAD_REQUEST. */
export function addScope(text: string, scopes: Scopes): Scopes {
  const at = text.indexOf('=');
  const [unit, scope] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || !isScope(scope)) {
    throw new HushError('BAD_REQUEST', '--map takes UNIT=SCOPE', { hint: "--map 'web@1.service=pr:web-1'" });
  }
  if (scopes.has(unit)) throw new HushError('BAD_REQUEST', `--map names ${unit} twice`, { hint: '' });
  return new Map([...scopes, [unit, scope]]);
}

function isScope(text: string): boolean {
  try {
    return parseSecretPath(`${text}/x`).scope === text;
  } catch {
    return false;
  }
}
