import type { Handlers } from './handler.ts';

/** The rotation of the vault key, and how far it is. */
export const vaultKeyHandlers: Handlers<'keys.rotateVault' | 'keys.vaultRotation'> = {
  'keys.rotateVault': ({ profile }, { profiles }) =>
    profiles.change(profile, 'keys rotate --vault', async (session, signal) => {
      const { files, ...result } = await session.rotateVaultKey(signal);
      // With it the record is sealed, and the seal tells the new header's generation.
      return { result: { ...result, files: { ...files } }, commit: session.vault.commitCounter() };
    }),

  'keys.vaultRotation': ({ profile }, { profiles }) => {
    const progress = profiles.session(profile).vaultRotation();
    return { result: { underWay: progress !== undefined, ...progress } };
  },
};
