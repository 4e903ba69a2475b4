import { HushError } from '../../../protocol/errors.ts';
import type { Daemon } from '../../daemon.ts';
import { typedFor, type Target } from '../../target.ts';
import type { HelperLine } from '../helper.ts';
import { readIfThere } from '../reading.ts';
import { attributesIn, type Attributes } from './attributes.ts';
import { nameOf, placeOf, type Place } from './name.ts';

/** A credential that is kept: its value's lines, and when git is to ask for another. */
export interface Kept {
  readonly version: number;
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
  const { value, version, expiresAt } = found;
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
        hint: `${typedFor('delete', target, process.env)}, and let git ask again`,
      });
    }
    return { version, attributes, expiresAt, wipe };
  } catch (error) {
    wipe();
    throw error;
  }
}

/**
 * The credentials that are kept of a user at a place, or of whoever has its name where git names no user. Each is wiped
 * when the next is asked for. A secret that is refused hides none that is not: then its error comes last. Throws what
 * `keptIn` throws.
 */
export async function* keptOf(
  user: string | undefined,
  place: Place,
  daemon: Daemon,
  line: HelperLine,
): AsyncGenerator<{ readonly target: Target; readonly kept: Kept }, void> {
  const names = [nameOf(place), ...(user === undefined ? [] : [nameOf(place, user)])];
  let refusal: HushError | undefined;
  for (const name of names) {
    const target = line.target(name);
    try {
      const kept = await keptIn(daemon, target, place);
      if (kept === undefined) continue;
      try {
        if (isOf(user, kept)) yield { target, kept };
      } finally {
        kept.wipe();
      }
    } catch (error) {
      if (!(error instanceof HushError && ofOneSecret.includes(error.code))) throw error;
      refusal ??= error;
    }
  }
  if (refusal !== undefined) throw refusal;
}

const ofOneSecret: readonly string[] = ['ACCESS_DENIED', 'BAD_REQUEST', 'CONFLICT'];

/** Whether a credential is that of the user, undefined being anybody; one that names no user is everybody's. */
export const isOf = (user: string | undefined, { attributes }: Kept): boolean =>
  user === undefined || (attributes.plain.get('username') ?? user) === user;

const isSame = (one: Place, other: Place): boolean =>
  one.protocol === other.protocol && one.host === other.host && one.path === other.path;

/** Whether two passwords are the same; one that is not given is the same as any. Both are the caller's own. */
export function isSamePassword(given: Uint8Array | undefined, kept: Uint8Array | undefined): boolean {
  if (given === undefined) return true;
  return kept?.length === given.length && given.every((byte, index) => byte === kept[index]);
}
