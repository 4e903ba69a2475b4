import { escaped, shortened } from '../escape.ts';
import type { Attributes } from './attributes.ts';

/** What a credential is for: the texts that git compares, one character a byte. */
export interface Place {
  readonly protocol: string;
  readonly host: string;
  /** Empty where git was not told to tell it (credential.useHttpPath). */
  readonly path: string;
}

/** What attributes are for; undefined where they name no host that a secret could be of. */
export function placeOf({ plain }: Attributes): Place | undefined {
  const protocol = plain.get('protocol') ?? '';
  const host = (plain.get('host') ?? '').replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return protocol === '' || host === '' ? undefined : { protocol, host, path: plain.get('path') ?? '' };
}

/**
 * The name of the secret for a place, and for one user there: `git.github.com`, `git.example.org_3a8443_shttp_papp.git_ualice`
 * for http://alice@example.org:8443/app.git. What a URL most often has, https and no path, is left out. No two places
 * have the same name.
 */
export function nameOf({ protocol, host, path }: Place, user?: string): string {
  const parts = [
    `git.${escaped(host, '.')}`,
    protocol === 'https' ? '' : `_s${escaped(protocol, 's')}`,
    path === '' ? '' : `_p${escaped(path, 'p')}`,
    user === undefined ? '' : `_u${escaped(user, 'u')}`,
  ];
  return shortened(parts.join(''));
}
