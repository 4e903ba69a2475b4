import { randomFillSync } from 'node:crypto';
import { readCredential, readKeyFile } from '../daemon/key-file.ts';
import { masterKeyBytes, parseMasterKey } from '../protocol/master-key-text.ts';
import { copyBytes, newBytes } from '../protocol/bytes.ts';
import { createSecureArena, type SecureArena, type SecureBytes } from '../daemon/memory/secure-bytes.ts';
import { HushError } from '../protocol/errors.ts';
import {
  parseRecoveryKey,
  recoveryKeyBytes,
  recoveryTextLength,
  writeRecoveryKey,
} from '../protocol/recovery-key.ts';
import { openLines, type Lines } from './input.ts';
import { maxPassphraseBytes, passphraseOf } from './passphrase.ts';
import { askHidden, isTyped, onTerminal } from './prompts.ts';
import { badUsage } from './usage.ts';

/**
 * What opens a profile: the UTF-8 of a passphrase in NFKC, or 32 bytes of key or recovery key. Whoever asked for it
 * wipes it.
 */
export interface Credential {
  readonly kind: 'passphrase' | 'key' | 'recovery';
  readonly secret: Uint8Array<ArrayBuffer>;
}

/** The options that say what a new profile is to be opened with. */
export interface CredentialOptions {
  readonly passphraseStdin?: true;
  readonly keyFile?: string;
}

/**
 * The credential of `init`, from the first of: `--passphrase-stdin`, `--key-file`, the systemd credential
 * `hushd-master-key`, HUSH_MASTER_KEY, a prompt on a terminal (`ask`).
 * Throws NO_STABLE_KEY where there is none of them, and what reading it throws: nothing is ever made up instead.
 */
export async function findCredential(
  { passphraseStdin, keyFile }: CredentialOptions,
  env: NodeJS.ProcessEnv,
  ask: () => Promise<Uint8Array>,
): Promise<Credential> {
  if (passphraseStdin && keyFile !== undefined) {
    throw badUsage('give --passphrase-stdin or --key-file, not both', 'init');
  }
  if (passphraseStdin) return withLines((lines) => passphraseFrom(lines, '--passphrase-stdin'));
  if (keyFile !== undefined) return keyFromFile(keyFile);
  const found = keyWithoutPerson(env);
  if (found !== undefined) return found.credential;
  if (!onTerminal()) throw new HushError('NO_STABLE_KEY');
  return passphraseTyped(await ask());
}

/** Runs `use` with a credential, and wipes it in any case. */
export async function withCredential<Result>(
  credential: Credential,
  use: (credential: Credential) => Promise<Result>,
): Promise<Result> {
  try {
    return await use(credential);
  } finally {
    credential.secret.fill(0);
  }
}

/** Runs `use` with the lines of standard input, and wipes what is left of them. */
export async function withLines<Result>(use: (lines: Lines) => Promise<Result>): Promise<Result> {
  const lines = openLines(maxPassphraseBytes);
  try {
    return await use(lines);
  } finally {
    lines.close();
  }
}

/** The credential that a typed passphrase is; what was typed is wiped. Throws BAD_REQUEST as `passphraseOf`. */
export function passphraseTyped(typed: Uint8Array): Credential {
  try {
    return { kind: 'passphrase', secret: passphraseOf(typed) };
  } finally {
    typed.fill(0);
  }
}

/** The passphrase on the next line of standard input; `option` is what asked for it. */
export async function passphraseFrom(lines: Lines, option: string): Promise<Credential> {
  return passphraseTyped(await lineFor(lines, option, 'passphrase'));
}

/** The recovery key on the next line of standard input. Throws BAD_REQUEST that names what is mistyped. */
export async function recoveryKeyFrom(lines: Lines, option: string): Promise<Credential> {
  return recoveryKeyTyped(await lineFor(lines, option, 'recovery key'));
}

async function lineFor(lines: Lines, option: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  if (isTyped()) {
    throw new HushError('BAD_REQUEST', `standard input is a terminal, where the ${what} would show`, {
      hint: `leave ${option} away, and type it at the hidden prompt`,
    });
  }
  const line = await lines.next();
  if (line !== undefined) return line;
  throw new HushError('BAD_REQUEST', `standard input has no line with the ${what} for ${option}`, {
    hint: 'one line each: first the passphrases, then the recovery keys, last the new passphrase',
  });
}

function recoveryKeyTyped(typed: Uint8Array): Credential {
  const secret = newBytes(recoveryKeyBytes);
  try {
    parseRecoveryKey(typed, secret);
    return { kind: 'recovery', secret };
  } finally {
    typed.fill(0);
  }
}

/** A recovery key typed at a hidden prompt, asked for again for as long as it is mistyped. */
export async function askRecoveryKey(message: string): Promise<Credential> {
  for (let prompt = message; ;) {
    const instead = '--recovery-stdin takes it from a line of standard input';
    const typed = await askHidden(prompt, 'Type the recovery key', instead);
    try {
      return recoveryKeyTyped(typed);
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      prompt = `${error.message}. ${message}`;
    }
  }
}

/** A fresh recovery key. */
export function newRecoveryKey(): Credential {
  return { kind: 'recovery', secret: randomFillSync(newBytes(recoveryKeyBytes)) };
}

/** The text of a recovery key with a line feed, in memory that is the caller's to wipe. */
export function recoveryKeyText({ secret }: Credential): Uint8Array<ArrayBuffer> {
  const text = newBytes(recoveryTextLength + 1);
  writeRecoveryKey(secret, text.subarray(0, recoveryTextLength));
  text[recoveryTextLength] = 0x0a;
  return text;
}

/** The key in a file. Throws as `readKeyFile`. */
export function keyFromFile(path: string): Credential {
  const key = inArena((arena) => readKeyFile(path, arena));
  if (key === undefined) throw new HushError('UNAVAILABLE', `no key was read from ${path}`);
  return key;
}

/** The key that needs no person: the systemd credential, else HUSH_MASTER_KEY; undefined where neither is there. */
export function keyWithoutPerson(
  env: NodeJS.ProcessEnv,
): { readonly credential: Credential; readonly source: string } | undefined {
  const fromSystemd = inArena((arena) => readCredential(env, arena));
  if (fromSystemd !== undefined) {
    return { credential: fromSystemd, source: 'the systemd credential hushd-master-key' };
  }
  const secret = keyFromVariable(env, 'HUSH_MASTER_KEY');
  return secret === undefined
    ? undefined
    : { credential: { kind: 'key', secret }, source: 'HUSH_MASTER_KEY' };
}

/** The key in a variable, which the caller wipes; undefined where it is not set. Throws BAD_REQUEST for no key. */
export function keyFromVariable(env: NodeJS.ProcessEnv, name: string): Uint8Array<ArrayBuffer> | undefined {
  const text = env[name];
  if (text === undefined) return undefined;
  // The environment has the key as a string that nothing can wipe; the bytes at least are.
  const bytes = new TextEncoder().encode(text);
  const key = newBytes(masterKeyBytes);
  try {
    parseMasterKey(bytes, key, name);
    return key;
  } finally {
    bytes.fill(0);
  }
}

function inArena(read: (arena: SecureArena) => SecureBytes | undefined): Credential | undefined {
  const arena = createSecureArena({ bytes: 4096 });
  try {
    const found = read(arena);
    return found === undefined ? undefined : { kind: 'key', secret: copyBytes(found.bytes) };
  } finally {
    arena.close();
  }
}

/** The value of an option that takes the path of a file. Throws BAD_REQUEST for an empty one. */
export const fileOption =
  (option: string, command: string) =>
  (path: string): string => {
    if (path !== '') return path;
    throw badUsage(`${option} needs the name of a file, and was given nothing`, command);
  };
