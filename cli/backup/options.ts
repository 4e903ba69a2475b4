import type { Command } from 'commander';
import { fileOf } from '../../daemon/backup/container.ts';
import { openBackup, type BackupFile } from '../../daemon/backup/reader.ts';
import { checkHeader } from '../../daemon/backup/unpack.ts';
import type { ProofParts } from '../../daemon/backup/prove.ts';
import { headerLimits, parseHeader, type Header } from '../../daemon/keys/header.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { keyWithoutPerson, passphraseTyped, withLines, type Credential } from '../credentials.ts';
import { askHidden } from '../prompts.ts';
import { addProofOptions, withProof, type ProofOptions } from '../proof.ts';
import { opensWithOf } from '../slots.ts';

/** The options of the commands that may open a backup. */
export interface OpenOptions {
  readonly open?: true;
}

/** Puts the options onto a command that say what a backup is opened with, and gives how to read them in its action. */
export function addOpenOptions(command: Command): () => ProofOptions {
  command.option('--open', 'open it, and prove all that is in it; asks on a terminal');
  return addProofOptions(command, '--recovery');
}

/** Whether a backup with this header is to be opened: it was asked for, or the key to it is at hand. */
export function isToBeOpened(header: Header, { open }: OpenOptions, proof: ProofOptions): boolean {
  const { keyFiles, passphraseLines, recoveryLines, askRecovery } = proof;
  if (open || askRecovery || keyFiles.length + passphraseLines + recoveryLines > 0) return true;
  const takesKey = opensWithOf(header.body).some((members) => members.every(({ kind }) => kind === 'key'));
  const found = takesKey ? keyWithoutPerson(process.env) : undefined;
  found?.credential.secret.fill(0);
  return found !== undefined;
}

/** Runs `use` with what proves a backup or opens a profile with this header, and wipes it. */
export async function withProofParts<Result>(
  header: Header,
  profile: string,
  proof: ProofOptions,
  use: (parts: ProofParts) => Promise<Result>,
): Promise<Result> {
  const arena = createSecureArena();
  try {
    return await withLines((lines) =>
      withProof(proof, profile, opensWithOf(header.body), lines, (credentials) =>
        use({ credentials, arena, argon2Queue: createArgon2Queue() }),
      ),
    );
  } finally {
    arena.close();
  }
}

/** Asks at a terminal for the passphrase that opened a profile at an earlier time. */
export async function askPastPassphrase(profile: string): Promise<readonly Credential[]> {
  const typed = await askHidden(
    `Passphrase of profile ${profile} when the backup was taken`,
    'Type the passphrase of that time',
  );
  return [passphraseTyped(typed)];
}

/** Runs `use` with the file of a backup and the header in it, which belong together; nothing else is proved yet. */
export async function withBackup<Result>(
  path: string,
  use: (backup: BackupFile, header: Header) => Promise<Result>,
): Promise<Result> {
  const backup = await openBackup(path);
  try {
    const { manifest } = backup.head;
    const header = parseHeader(await backup.read(fileOf(manifest, 'header'), headerLimits.bytes));
    checkHeader(manifest, header);
    return await use(backup, header);
  } finally {
    await backup.close();
  }
}
