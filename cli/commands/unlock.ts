import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import { findCredential, withCredential, type CredentialOptions } from '../credentials.ts';
import { noSuchProfile, stateOf, withDaemon, type Daemon } from '../daemon.ts';
import { askHidden } from '../prompts.ts';
import { profileOf, type ProfileOption } from '../target.ts';

interface UnlockOptions extends ProfileOption, CredentialOptions {
  readonly acceptRollback?: string;
}

interface Unlocked {
  readonly already: boolean;
  readonly vaultId?: string | undefined;
}

export const define: Define = (command, { output }) => {
  command
    .option('--passphrase-stdin', 'read the passphrase from one line of standard input')
    .option('--key-file <file>', 'open it with the 32-byte key in this file')
    .option(
      '--accept-rollback <id>',
      'take an older state that was put back on purpose, by the id in the error',
    )
    .addHelpText('after', examples)
    .action(async (options: UnlockOptions) => {
      const profile = profileOf(options, process.env);
      const { already, vaultId } = await withDaemon((daemon) => unlock(daemon, profile, options));
      const text = already ? `profile ${profile} was unlocked already` : `profile ${profile} is unlocked`;
      await output.facts({ profile, state: 'unlocked', already, ...(vaultId && { vaultId }) }, [text]);
    });
};

const examples = `
Where the key comes from, in this order: --passphrase-stdin, --key-file, the systemd
credential hushd-master-key, HUSH_MASTER_KEY, a hidden prompt on a terminal.

Examples:
  hush unlock
  hush unlock -p work --key-file /etc/hushd/work.key
  pass show hushd | hush unlock --passphrase-stdin`;

/** Looks at the state first, so that nobody types a passphrase for nothing. */
async function unlock(daemon: Daemon, profile: ProfileName, options: UnlockOptions): Promise<Unlocked> {
  const known = await stateOf(daemon, profile);
  if (known === undefined) throw noSuchProfile(profile);
  if (known.state === 'unlocked') return { already: true, vaultId: known.vaultId };
  if (known.state === 'inactive') {
    throw new HushError('PROFILE_INACTIVE', `profile ${profile} is deactivated`, {
      hint: `hush profile activate ${profile}`,
    });
  }
  const ask = (): Promise<Uint8Array> => askHidden(`Passphrase of profile ${profile}`, 'Type the passphrase');
  const credential = await findCredential(options, process.env, ask);
  const { acceptRollback } = options;
  return withCredential(credential, (opener) =>
    daemon.call('unlock', {
      profile,
      credentials: [opener],
      ...(acceptRollback === undefined ? {} : { acceptRollback }),
    }),
  );
}
