import type { Handlers } from './handler.ts';

/** A copy of a whole profile, still sealed, that a client takes away piece by piece. */
export const backupHandlers: Handlers<'backup.begin' | 'backup.read' | 'backup.end'> = {
  'backup.begin': async ({ profile }, { backups, profiles, whenClosed }) => {
    const result = await backups.begin(profile, whenClosed);
    return { result: { ...result }, commit: profiles.vault(profile).commitCounter() };
  },

  'backup.read': async ({ profile, id, offset }, { backups }) => ({
    result: { data: await backups.read(profile, id, offset) },
  }),

  'backup.end': ({ profile, id, kept }, { backups }) => {
    const { complete, commit } = backups.end(profile, id, kept);
    return { result: { complete }, ...(commit === undefined ? {} : { commit }) };
  },
};
