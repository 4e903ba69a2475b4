import { randomFillSync } from 'node:crypto';
import { resolve } from 'node:path';
import { pathsOf, type HomePaths } from '../../daemon/home/paths.ts';
import { masterKeyBytes } from '../../daemon/master-key-text.ts';
import { newBytes } from '../../daemon/memory/plain-bytes.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { Define } from '../commands.ts';
import { findCredential, withCredential, type Credential, type CredentialOptions } from '../credentials.ts';
import { keyText, writeKeyFile } from '../key-file.ts';
import { makeProfile, refuseExisting } from '../new-profile.ts';
import type { Output } from '../output.ts';
import { charactersOf, shortPassphrase } from '../passphrase.ts';
import { askHiddenTwice } from '../prompts.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface InitOptions extends ProfileOption, CredentialOptions {
  readonly generate?: true;
}

export const define: Define = (command, { output }) => {
  command
    .option('--passphrase-stdin', 'read the passphrase from one line of standard input')
    .option('--key-file <file>', 'the 32-byte key in this file opens it')
    .option('--generate', 'make a random 32-byte key: into --key-file FILE, or shown once')
    .addHelpText('after', examples)
    .action(async (options: InitOptions) => {
      const profile = profileOf(options, process.env);
      const paths = pathsOf(process.env);
      refuseExisting(paths, profile);
      if (options.generate) return initWithNewKey(paths, profile, options, output);
      const ask = (): Promise<Uint8Array> =>
        askHiddenTwice(`A passphrase for profile ${profile}`, 'An empty passphrase opens to everybody');
      const found = await findCredential(options, process.env, ask);
      await withCredential(found, async (credential) => {
        await warnIfShort(credential, output);
        const vaultId = await makeProfile(paths, profile, credential);
        const facts = { profile, vaultId, credential: credential.kind };
        await output.facts(facts, [madeText(profile, vaultId)]);
        await output.note('next: hush start && hush unlock');
      });
    });
};

const examples = `
What opens the profile, in this order: --passphrase-stdin, --key-file, the systemd credential
hushd-master-key, HUSH_MASTER_KEY, a passphrase typed twice at a hidden prompt.

Examples:
  hush init
  hush init -p work --generate --key-file work.key
  pass show hushd | hush init --passphrase-stdin`;

const madeText = (profile: string, vaultId: string): string => `profile ${profile} is made, vault ${vaultId}`;

async function warnIfShort({ kind, secret }: Credential, output: Output): Promise<void> {
  if (kind === 'key' || charactersOf(secret) >= shortPassphrase) return;
  await output.note(
    `the passphrase has fewer than ${shortPassphrase} characters: a longer one is harder to guess`,
  );
}

async function initWithNewKey(
  paths: HomePaths,
  profile: ProfileName,
  { passphraseStdin, keyFile }: InitOptions,
  output: Output,
): Promise<void> {
  if (passphraseStdin) throw badUsage('--generate makes a key, and takes no passphrase', 'init');
  const key = newBytes(masterKeyBytes);
  try {
    randomFillSync(key);
    const made = { profile, credential: 'key' } as const;
    if (keyFile === undefined) {
      const vaultId = await makeProfile(paths, profile, { kind: 'key', secret: key });
      await showKey({ ...made, vaultId }, key, output);
    } else {
      const file = resolve(keyFile);
      const vaultId = await makeWithKeyFile(paths, profile, key, file);
      await output.facts({ ...made, vaultId, keyFile: file }, [
        madeText(profile, vaultId),
        `its key is in ${file}`,
      ]);
      await output.note(`keep a copy of ${file} elsewhere: without it the profile cannot be opened`);
    }
  } finally {
    key.fill(0);
  }
}

/** The key file first: a profile whose key is not kept anywhere could never be opened. */
async function makeWithKeyFile(
  paths: HomePaths,
  profile: ProfileName,
  key: Uint8Array<ArrayBuffer>,
  file: string,
): Promise<string> {
  const takeBack = writeKeyFile(file, key);
  try {
    return await makeProfile(paths, profile, { kind: 'key', secret: key });
  } catch (error) {
    takeBack();
    throw error;
  }
}

async function showKey(
  facts: { readonly profile: string; readonly vaultId: string },
  key: Uint8Array,
  output: Output,
): Promise<void> {
  const text = keyText(key);
  try {
    if (output.json) {
      await output.facts({ ...facts, key: Buffer.from(key).toString('hex') }, []);
    } else {
      await output.note(madeText(facts.profile, facts.vaultId));
      await output.note(
        'this is its key, shown only now: keep it, for without it the profile cannot be opened',
      );
      await output.bytes(text);
    }
  } finally {
    text.fill(0);
  }
}
