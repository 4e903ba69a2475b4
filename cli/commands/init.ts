import { randomFillSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathsOf, profilePathsOf, type HomePaths } from '../../daemon/home/paths.ts';
import { hexLine, masterKeyBytes } from '../../protocol/master-key-text.ts';
import { newBytes } from '../../protocol/bytes.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import {
  fileOption,
  findCredential,
  newRecoveryKey,
  withCredential,
  type Credential,
  type CredentialOptions,
} from '../credentials.ts';
import { openFirst } from '../first-start.ts';
import { forProfile } from '../hints.ts';
import { writeKeyFile } from '../key-file.ts';
import { makeProfile, refuseExisting, refuseServed } from '../new-profile.ts';
import { showOnce, showRecoveryKey, warnIfShort } from '../new-secret.ts';
import type { Output } from '../output.ts';
import { askHiddenTwice, askYesNo, onTerminal } from '../prompts.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface InitOptions extends ProfileOption, CredentialOptions {
  readonly generate?: true;
  readonly recovery?: true;
  /** False with `--no-start`. */
  readonly start: boolean;
}

export const define: Define = (command, { output }) => {
  command
    .option('--passphrase-stdin', 'read the passphrase from one line of standard input')
    .option('--key-file <file>', 'the 32-byte key in this file opens it', fileOption('--key-file', 'init'))
    .option('--generate', 'make a random 32-byte key: into --key-file FILE, or shown once')
    .option('--recovery', 'make a recovery key too, which opens it as well, and is shown once')
    .option('--no-start', 'only make the profile: do not start the daemon on a terminal, nor unlock')
    .addHelpText('after', examples)
    .action(async (options: InitOptions) => {
      const profile = profileOf(options, process.env);
      const paths = pathsOf(process.env);
      refuseExisting(paths, profile);
      await refuseServed(paths, profile);
      // What reads JSON is a program, and does the next steps itself.
      const isFollowed = onTerminal() && !output.json && options.start;
      const open = async (credential: Credential): Promise<void> => {
        if (isFollowed) await openFirst(profile, credential, options.profile, output);
      };
      if (options.generate) return initWithNewKey(paths, profile, options, open, output);
      let isTyped = false;
      const ask = (): Promise<Uint8Array> => {
        isTyped = true;
        return askHiddenTwice(
          `A passphrase for profile ${profile}`,
          'An empty passphrase opens to everybody',
        );
      };
      const found = await findCredential(options, process.env, ask);
      await withCredential(found, async (credential) => {
        await warnIfShort(credential, output);
        const recovery = options.recovery ?? (isTyped && (await askYesNo(recoveryQuestion)));
        const made = { profile, credential: credential.kind };
        await makeAndTell(paths, made, [credential], [], recovery, output);
        if (!isFollowed) await output.note(forProfile('next: hush start && hush unlock', options.profile));
        await open(credential);
      });
    });
};

const recoveryQuestion = 'Make a recovery key too, for the day when the passphrase is forgotten?';

const examples = `
What opens the profile, in this order: --passphrase-stdin, --key-file, the systemd credential
hushd-master-key, HUSH_MASTER_KEY, a passphrase typed twice at a hidden prompt. On a terminal it then
starts the daemon where none runs, and unlocks the profile.

Examples:
  hush init
  hush init --recovery
  hush init -p work --generate --key-file work.key
  pass show hushd | hush init --passphrase-stdin`;

const madeText = (profile: string, vaultId: string): string => `profile ${profile} is made, vault ${vaultId}`;

/** Makes the profile and tells of it; with a recovery key that one has standard output for itself. */
async function makeAndTell(
  paths: HomePaths,
  made: { readonly profile: ProfileName; readonly credential: Credential['kind']; readonly keyFile?: string },
  credentials: readonly Credential[],
  lines: readonly string[],
  recovery: boolean | undefined,
  output: Output,
): Promise<void> {
  const { profile } = made;
  if (!recovery) {
    const vaultId = await makeProfile(paths, profile, credentials);
    return output.facts({ ...made, vaultId }, [madeText(profile, vaultId), ...lines]);
  }
  await withCredential(newRecoveryKey(), async (paper) => {
    const vaultId = await makeProfile(paths, profile, [...credentials, paper]);
    for (const line of lines) await output.note(line);
    const ifLost = `hush start && hush unlock -p ${profile} && hush slot change -p ${profile} ${paper.kind}`;
    await showRecoveryKey({ ...made, vaultId }, madeText(profile, vaultId), paper, ifLost, output);
  });
}

async function initWithNewKey(
  paths: HomePaths,
  profile: ProfileName,
  { passphraseStdin, keyFile, recovery }: InitOptions,
  open: (key: Credential) => Promise<void>,
  output: Output,
): Promise<void> {
  if (passphraseStdin) throw badUsage('--generate makes a key, and takes no passphrase', 'init');
  if (recovery && keyFile === undefined) {
    throw badUsage(
      'only one secret can be shown on standard output: put the key into --key-file FILE',
      'init',
    );
  }
  await withCredential({ kind: 'key', secret: randomFillSync(newBytes(masterKeyBytes)) }, async (key) => {
    if (keyFile === undefined) {
      const vaultId = await makeProfile(paths, profile, [key]);
      await showKey({ profile, credential: 'key', vaultId }, key.secret, output);
      return open(key);
    }
    // The key file first: a profile whose key is not kept anywhere could never be opened.
    const file = resolve(keyFile);
    const takeBack = writeKeyFile(file, key.secret);
    try {
      const made = { profile, credential: key.kind, keyFile: file };
      await makeAndTell(paths, made, [key], [`its key is in ${file}`], recovery, output);
    } catch (error) {
      // What fails after the profile is there was its telling: then the key must stay.
      if (!existsSync(profilePathsOf(paths, profile).folder)) takeBack();
      throw error;
    }
    const only = recovery ? '' : ': without it the profile cannot be opened';
    await output.note(`keep a copy of ${file} elsewhere${only}`);
    await open(key);
  });
}

function showKey(
  facts: { readonly profile: string; readonly credential: 'key'; readonly vaultId: string },
  key: Uint8Array,
  output: Output,
): Promise<void> {
  const { profile, vaultId } = facts;
  return showOnce(
    facts,
    {
      text: hexLine(key),
      member: 'key',
      done: madeText(profile, vaultId),
      note: 'this is its key, shown only now: keep it, for without it the profile cannot be opened',
      ifLost: `nobody can open it: hush start && hush profile delete ${profile} --yes`,
    },
    output,
  );
}
