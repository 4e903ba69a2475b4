import { withDaemonAlone } from '../../daemon.ts';
import type { HelperLine } from '../helper.ts';
import { linesOf, type Attributes } from './attributes.ts';
import { isOf, isSamePassword, keptIn, type Kept } from './kept.ts';
import { nameOf, placeOf } from './name.ts';

/**
 * Keeps what git has signed in with. The first user of a place has its name, any other a name of their own. What is
 * kept already is not written again: git stores after each use.
 */
export async function store(told: Attributes, line: HelperLine): Promise<void> {
  const place = placeOf(told);
  const username = told.plain.get('username');
  const until = expiryOf(told);
  if (place === undefined || username === undefined || !told.secret.has('password')) return;
  // A password that an option names is kept by people.
  if (line.option('--secret') !== undefined || until <= Date.now()) return;
  const expiresAt = until === Infinity ? undefined : new Date(until).toISOString();
  await withDaemonAlone(async (daemon) => {
    let target = line.target(nameOf(place));
    let kept = await keptIn(daemon, target, place);
    try {
      if (kept !== undefined && !isOf(username, kept)) {
        kept.wipe();
        target = line.target(nameOf(place, username));
        kept = await keptIn(daemon, target, place);
      }
      if (kept !== undefined && holds(kept, told, expiresAt)) return;
      const value = linesOf([
        ['protocol', place.protocol],
        ['host', place.host],
        ...(place.path === '' ? [] : [['path', place.path] as const]),
        ['username', username],
        ...told.secret,
      ]);
      try {
        await daemon.call('secret.set', {
          ...target,
          value,
          ...(expiresAt === undefined ? {} : { expiresAt }),
        });
      } finally {
        value.fill(0);
      }
    } finally {
      kept?.wipe();
    }
  });
}

/** Whether a user's credential has all that git told. An older git does not tell all that it was given. */
function holds({ attributes, expiresAt }: Kept, { secret }: Attributes, until: string | undefined): boolean {
  return (
    [...secret].every(([name, value]) => isSamePassword(value, attributes.secret.get(name))) &&
    (until === undefined || secondsOf(expiresAt) === secondsOf(until))
  );
}

const secondsOf = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Math.floor(Date.parse(time) / 1000);

/** When the password is to be used no more, in milliseconds since 1970; what is no time counts as never. */
function expiryOf({ plain }: Attributes): number {
  const text = plain.get('password_expiry_utc') ?? '';
  return /^\d{1,11}$/.test(text) ? Number(text) * 1000 : Infinity;
}
