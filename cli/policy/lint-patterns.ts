import { isProfileName } from '../../protocol/names.ts';

/** The most characters of a name, an id, a namespace and a key. */
const longestPart = 128;

/** What a pattern over `<scope>/<name>` may not mean as it reads; undefined if there is nothing to say. */
export function pathPatternRemark(pattern: string): string | undefined {
  const [scope = '', name = ''] = pattern.split('/');
  if (pattern === '*') return undefined;
  const id = scope.slice(scope.indexOf(':') + 1);
  if (isTooLong(name) || isTooLong(id)) return `matches nothing: no name is longer than ${longestPart}`;
  if (/^\*+$/.test(scope)) return "matches in every scope: 'global', each workspace and each principal";
  return openEnd([scope === 'global' ? '' : id, name]);
}

/** The same for a pattern over `<keyring>/<namespace>/<key>`. */
export function cryptoPatternRemark(pattern: string): string | undefined {
  const [keyring = '', ...others] = pattern.split('/');
  if (pattern === '*') return undefined;
  // Keyrings are named like profiles.
  if (!keyring.includes('*') && !isProfileName(keyring))
    return `matches nothing: no keyring is called ${keyring}`;
  if (others.some(isTooLong)) return `matches nothing: no namespace and no key is longer than ${longestPart}`;
  return openEnd([keyring, ...others]);
}

/** `app*` reads like "those of app", and is everything that begins so. */
function openEnd(parts: readonly string[]): string | undefined {
  const open = parts.find((part) => /[A-Za-z0-9]\*$/.test(part));
  if (open === undefined) return undefined;
  const start = open.slice(0, -1);
  return `matches more than it may read: '${open}' is '${start}-x' and '${start}x' alike; end with a separator before the star`;
}

function isTooLong(part: string): boolean {
  return part.replaceAll('*', '').length > longestPart;
}
