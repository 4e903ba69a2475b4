import { randomFillSync } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { newBytes } from '../daemon/memory/plain-bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { masterKeyBytes } from '../protocol/master-key-text.ts';
import {
  fileOption,
  keyFromFile,
  newRecoveryKey,
  passphraseFrom,
  passphraseTyped,
  recoveryKeyText,
  type Credential,
} from './credentials.ts';
import type { Lines } from './input.ts';
import { writeKeyFile } from './key-file.ts';
import type { Output } from './output.ts';
import { charactersOf, shortPassphrase } from './passphrase.ts';
import { askHiddenTwice, isTyped } from './prompts.ts';
import { badUsage } from './usage.ts';

/** What the options say of a slot's new secret. */
export interface NewSecretOptions {
  readonly newPassphrase?: true;
  readonly newKeyFile?: string;
  readonly generate?: true;
}

/** Puts the options of a new secret onto a command. */
export function addNewSecretOptions(command: Command): void {
  command
    .option('--new-passphrase', 'the new secret is a passphrase, typed twice or the last line (the default)')
    .option(
      '--new-key-file <file>',
      'the new secret is the 32-byte key in this file',
      fileOption('--new-key-file', 'slot'),
    )
    .option('--generate', 'make that file, with a random key');
}

/** The kind of secret that the options speak of; undefined where they speak of none. Throws BAD_REQUEST for two. */
export function kindOfNew(
  { newPassphrase, newKeyFile, generate }: NewSecretOptions,
  recovery: true | undefined,
): Credential['kind'] | undefined {
  if ([newPassphrase, newKeyFile, recovery].filter((given) => given !== undefined).length > 1) {
    throw badUsage('a slot has one secret: a passphrase, a key file or a recovery key', 'slot');
  }
  if (generate && newKeyFile === undefined) {
    throw badUsage('--generate makes a key into the file of --new-key-file', 'slot');
  }
  if (newKeyFile !== undefined) return 'key';
  if (recovery) return 'recovery';
  return newPassphrase ? 'passphrase' : undefined;
}

/**
 * Runs `use` with a new secret of the kind, and wipes it. A key file that was made for it is taken back when `use`
 * fails. Throws BAD_REQUEST where a key is wanted and no file is named, and what reading it throws.
 */
export async function withNewSecret<Result>(
  kind: Credential['kind'],
  { newKeyFile, generate }: NewSecretOptions,
  { profile, lines, output }: { readonly profile: string; readonly lines: Lines; readonly output: Output },
  use: (secret: Credential) => Promise<Result>,
): Promise<Result> {
  let takeBack: (() => void) | undefined;
  let secret: Credential | undefined;
  try {
    if (kind === 'passphrase') {
      secret = await newPassphrase(profile, lines);
      await warnIfShort(secret, output);
    } else if (kind === 'recovery') {
      secret = newRecoveryKey();
    } else if (newKeyFile === undefined) {
      throw badUsage('a new key comes from a file: --new-key-file FILE, with --generate to make it', 'slot');
    } else if (generate) {
      secret = { kind, secret: randomFillSync(newBytes(masterKeyBytes)) };
      takeBack = writeKeyFile(resolve(newKeyFile), secret.secret);
    } else {
      secret = keyFromFile(newKeyFile);
    }
    return await use(secret);
  } catch (error) {
    // Whether a change that was not answered in time was made is not known: then its key must not be lost.
    if (!(error instanceof HushError && unanswered.has(error.code))) takeBack?.();
    throw error;
  } finally {
    secret?.secret.fill(0);
  }
}

const unanswered: ReadonlySet<string> = new Set(['DEADLINE', 'UNREACHABLE']);

async function newPassphrase(profile: string, lines: Lines): Promise<Credential> {
  if (!isTyped()) return passphraseFrom(lines, '--new-passphrase');
  return passphraseTyped(
    await askHiddenTwice(`A new passphrase for profile ${profile}`, 'An empty passphrase opens to everybody'),
  );
}

/** A word of warning where a new passphrase is short. */
export async function warnIfShort({ kind, secret }: Credential, output: Output): Promise<void> {
  if (kind !== 'passphrase' || charactersOf(secret) >= shortPassphrase) return;
  await output.note(
    `the passphrase has fewer than ${shortPassphrase} characters: a longer one is harder to guess`,
  );
}

/** Tells of something that was done, and shows a recovery key, alone on standard output, this one time. */
export async function showRecoveryKey(
  facts: object,
  done: string,
  recoveryKey: Credential,
  output: Output,
): Promise<void> {
  const text = recoveryKeyText(recoveryKey);
  try {
    if (output.json) {
      await output.facts({ ...facts, recoveryKey: new TextDecoder().decode(text).trimEnd() }, []);
    } else {
      await output.note(done);
      await output.note(
        'this is the recovery key, shown only now: write it down, and keep it apart from this host',
      );
      await output.bytes(text);
    }
  } finally {
    text.fill(0);
  }
}
