import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import { withLines } from '../credentials.ts';
import { noSuchProfile, stateOf, withDaemon, type Daemon } from '../daemon.ts';
import { addProofOptions, proofHelp, withProof, type ProofOptions } from '../proof.ts';
import { profileOf, type ProfileOption } from '../target.ts';

interface UnlockOptions extends ProfileOption {
  readonly acceptRollback?: string;
}

interface Unlocked {
  readonly already: boolean;
  readonly vaultId?: string | undefined;
  /** What the operator should know, although it is open. */
  readonly warning?: string | undefined;
}

export const define: Define = (command, { output }) => {
  const proofOf = addProofOptions(command, '--recovery');
  command
    .option(
      '--accept-rollback <id>',
      'take an older state that was put back on purpose, by the id in the error',
    )
    .addHelpText('after', `${proofHelp}${examples}`)
    .action(async (options: UnlockOptions) => {
      const profile = profileOf(options, process.env);
      const { already, vaultId, warning } = await withDaemon((daemon) =>
        unlock(daemon, profile, options, proofOf()),
      );
      const text = already ? `profile ${profile} was unlocked already` : `profile ${profile} is unlocked`;
      const facts = { ...(vaultId && { vaultId }), ...(warning && { warning }) };
      await output.facts({ profile, state: 'unlocked', already, ...facts }, [text]);
      if (warning !== undefined) await output.note(`${warning}; hush audit verify tells more`);
    });
};

const examples = `

Examples:
  hush unlock
  hush unlock -p work --key-file /etc/hushd/work.key
  pass show hushd | hush unlock --passphrase-stdin
  pass show hushd | hush unlock --passphrase-stdin --key-file work.key
  hush unlock --recovery`;

/** Looks at the state first, so that nobody types a passphrase for nothing. */
async function unlock(
  daemon: Daemon,
  profile: ProfileName,
  { acceptRollback }: UnlockOptions,
  proof: ProofOptions,
): Promise<Unlocked> {
  const known = await stateOf(daemon, profile);
  if (known === undefined) throw noSuchProfile(profile);
  if (known.state === 'unlocked') return { already: true, vaultId: known.vaultId };
  if (known.state === 'inactive') {
    throw new HushError('PROFILE_INACTIVE', `profile ${profile} is deactivated`, {
      hint: `hush profile activate ${profile}`,
    });
  }
  return withLines((lines) =>
    withProof(proof, profile, known.opensWith, lines, (credentials) =>
      daemon.call('unlock', {
        profile,
        credentials,
        ...(acceptRollback === undefined ? {} : { acceptRollback }),
      }),
    ),
  );
}
