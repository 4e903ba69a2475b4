import { withDaemonAlone } from '../../daemon.ts';
import type { HelperLine } from '../helper.ts';
import type { Attributes } from './attributes.ts';
import { isSamePassword, keptIn } from './kept.ts';
import { nameOf, placeOf } from './name.ts';

/** Deletes what git was refused with; a credential of another user, or with another password, stays. */
export async function erase(told: Attributes, line: HelperLine): Promise<void> {
  const place = placeOf(told);
  if (place === undefined || line.option('--secret') !== undefined) return;
  const user = told.plain.get('username');
  await withDaemonAlone(async (daemon) => {
    for (const name of user === undefined ? [nameOf(place)] : [nameOf(place, user), nameOf(place)]) {
      const target = line.target(name);
      const kept = await keptIn(daemon, target, place);
      if (kept === undefined) continue;
      try {
        const { plain, secret } = kept.attributes;
        if (user !== undefined && plain.get('username') !== user) continue;
        if (!isSamePassword(told.secret.get('password'), secret.get('password'))) continue;
        await daemon.call('secret.delete', target);
      } finally {
        kept.wipe();
      }
    }
  });
}
