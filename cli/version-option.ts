import { HushError } from '../protocol/errors.ts';

const digits = /^(?:0|[1-9]\d{0,15})$/;

/** The value of an option that names a version of a secret: the first is 1. Throws BAD_REQUEST. */
export function versionOption(text: string): number {
  return numberOf(text, 1);
}

/** The value of an option that names the version which is current, 0 where there is none. Throws BAD_REQUEST. */
export function currentOption(text: string): number {
  return numberOf(text, 0);
}

function numberOf(text: string, least: number): number {
  const version = digits.test(text) ? Number(text) : -1;
  if (version >= least && Number.isSafeInteger(version)) return version;
  throw new HushError('BAD_REQUEST', 'that is not the version of a secret', { hint: 'hush history PATH' });
}
