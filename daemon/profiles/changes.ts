import { HushError } from '../../protocol/errors.ts';
import type { Profile } from './profile.ts';
import type { Registry } from './registry.ts';
import type { Session } from './session.ts';

/** Runs a change of a profile's keys or header, one at a time: see `Profiles.change`. */
export async function change<Result>(
  profile: Profile,
  session: Session,
  what: string,
  work: (session: Session, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (profile.changing !== undefined) {
    throw new HushError(
      'CONFLICT',
      `another change of this profile's keys is under way: ${profile.changing.what}`,
      { hint: 'wait until it is done, then try again' },
    );
  }
  const ending = new AbortController();
  profile.changing = { what, ending };
  try {
    return await work(session, ending.signal);
  } finally {
    profile.changing = undefined;
  }
}

/** Ends all changes that take long, before their time: the daemon stops. */
export function stopChanges(registry: Registry): void {
  const reason = new HushError('UNAVAILABLE', 'the daemon stops; nothing was changed', {
    hint: 'hush start',
  });
  for (const { changing } of registry.known()) changing?.ending.abort(reason);
}
