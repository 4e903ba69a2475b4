import { randomFillSync } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { diskError } from '../daemon/home/disk-errors.ts';
import { newBytes } from '../protocol/bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { masterKeyBytes } from '../protocol/master-key-text.ts';
import { shellWord } from '../protocol/shell-word.ts';
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

/** What is done with a new secret. */
export interface NewSecretUse<Made> {
  /** Lets the daemon make a slot of it, or change one. */
  readonly make: (secret: Credential) => Promise<Made>;
  /** Tells of it, once that is done. */
  readonly tell: (made: Made, secret: Credential) => Promise<void>;
}

/**
 * Makes a slot with a new secret of the kind, tells of it, and wipes the secret. A key file that was made for it is
 * taken back when the daemon refuses, and never after the daemon's ok. Throws BAD_REQUEST where a key is wanted and no
 * file is named, what reading it throws, and what `make` and `tell` throw.
 */
export async function withNewSecret<Made>(
  kind: Credential['kind'],
  { newKeyFile, generate }: NewSecretOptions,
  { profile, lines, output }: { readonly profile: string; readonly lines: Lines; readonly output: Output },
  { make, tell }: NewSecretUse<Made>,
): Promise<void> {
  let file: NewKeyFile | undefined;
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
      const path = resolve(newKeyFile);
      file = { path, takeBack: writeKeyFile(path, secret.secret) };
    } else {
      secret = keyFromFile(newKeyFile);
    }
    const made = await keptUnlessRefused(file, make(secret));
    await tell(made, secret);
  } finally {
    secret?.secret.fill(0);
  }
}

interface NewKeyFile {
  readonly path: string;
  readonly takeBack: () => void;
}

/** These leave open whether the change was made. */
const leavesOpen: ReadonlySet<string> = new Set(['DEADLINE', 'UNREACHABLE', 'UNAVAILABLE']);

/** The outcome of a change; where that is a refusal for certain, the new key file is taken back. */
async function keptUnlessRefused<Made>(file: NewKeyFile | undefined, made: Promise<Made>): Promise<Made> {
  try {
    return await made;
  } catch (error) {
    if (file === undefined) throw error;
    if (error instanceof HushError && !leavesOpen.has(error.code)) {
      file.takeBack();
      throw error;
    }
    const { code, message } =
      error instanceof HushError ? error : { code: 'UNAVAILABLE' as const, message: String(error) };
    throw new HushError(code, `${message}; its key stays in ${file.path}, for the slot may have been made`, {
      hint: `hush slot list; where there is no such slot: rm ${shellWord(file.path)}`,
      cause: error,
    });
  }
}

async function newPassphrase(profile: string, lines: Lines): Promise<Credential> {
  if (!isTyped()) return passphraseFrom(lines, '--new-passphrase');
  return passphraseTyped(
    await askHiddenTwice(
      `A new passphrase for profile ${profile}`,
      'An empty passphrase opens to everybody',
      'pipe it in: the last line of standard input, after those of --passphrase-stdin',
    ),
  );
}

/** A word of warning where a new passphrase is short. */
export async function warnIfShort({ kind, secret }: Credential, output: Output): Promise<void> {
  if (kind !== 'passphrase' || charactersOf(secret) >= shortPassphrase) return;
  await output.note(
    `the passphrase has fewer than ${shortPassphrase} characters: a longer one is harder to guess`,
  );
}

/** A secret that nobody has but this process. */
export interface ShownOnce {
  /** Its line, which is wiped. */
  readonly text: Uint8Array;
  /** Its member in JSON. */
  readonly member: 'key' | 'recoveryKey';
  /** What was done, and what the secret is, as notes. */
  readonly done: string;
  readonly note: string;
  /** What to type where it could not be shown. */
  readonly ifLost: string;
}

/**
 * Tells of something that was done, and shows a secret, alone on standard output, this one time. Throws UNAVAILABLE
 * that says what to type where it cannot be shown: then nobody has it.
 */
export async function showOnce(
  facts: object,
  { text, member, done, note, ifLost }: ShownOnce,
  output: Output,
): Promise<void> {
  try {
    if (output.json) {
      await output.facts({ ...facts, [member]: new TextDecoder().decode(text).trimEnd() }, []);
      return;
    }
    try {
      await output.note(done);
      await output.note(note);
    } finally {
      await output.bytes(text);
    }
  } catch (error) {
    const { message } = diskError(`${done}, and its secret could not be shown`, error);
    throw new HushError('UNAVAILABLE', message, { hint: ifLost, cause: error });
  } finally {
    text.fill(0);
  }
}

/** Shows a recovery key as `showOnce` does. */
export function showRecoveryKey(
  facts: object,
  done: string,
  recoveryKey: Credential,
  ifLost: string,
  output: Output,
): Promise<void> {
  const note = 'this is the recovery key, shown only now: write it down, and keep it apart from this host';
  const text = recoveryKeyText(recoveryKey);
  return showOnce(facts, { text, member: 'recoveryKey', done, note, ifLost }, output);
}
