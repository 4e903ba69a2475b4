import { HushError } from '../../../protocol/errors.ts';
import type { Daemon } from '../../daemon.ts';
import type { Target } from '../../target.ts';
import { readIfThere } from '../reading.ts';
import { attributesIn, type Attributes } from './attributes.ts';
import { placeOf, type Place } from './name.ts';

/** A credential that is kept: its value's lines, and when git is to ask for another. */
export interface Kept {
  readonly attributes: Attributes;
  readonly expiresAt: string | undefined;
  /** Wipes it. */
  wipe(): void;
}

/**
 * The credential in a secret, undefined where there is none. Throws CONFLICT for one that says that it is for another
 * place: a renamed or copied secret must not send a password elsewhere; BAD_REQUEST for what is no credential.
 */
export async function keptIn(daemon: Daemon, target: Target, place: Place): Promise<Kept | undefined> {
  const found = await readIfThere(daemon, target);
  if (found === undefined) return undefined;
  const { value, expiresAt } = found;
  const wipe = (): void => void value.fill(0);
  try {
    const attributes = attributesIn(value, target.path);
    if (!attributes.secret.has('password')) {
      throw new HushError('BAD_REQUEST', `${target.path} holds no credential of git`, {
        hint: 'docs/doors.md says what such a secret holds',
      });
    }
    const own = placeOf(attributes);
    if (own !== undefined && !isSame(own, place)) {
      throw new HushError('CONFLICT', `${target.path} holds a credential for another host or path`, {
        hint: `hush delete ${target.path}, and let git ask again`,
      });
    }
    return { attributes, expiresAt, wipe };
  } catch (error) {
    wipe();
    throw error;
  }
}

const isSame = (one: Place, other: Place): boolean =>
  one.protocol === other.protocol && one.host === other.host && one.path === other.path;

/** Whether two passwords are the same; one that is not given is the same as any. Both are the caller's own. */
export function isSamePassword(given: Uint8Array | undefined, kept: Uint8Array | undefined): boolean {
  if (given === undefined) return true;
  return kept?.length === given.length && given.every((byte, index) => byte === kept[index]);
}
