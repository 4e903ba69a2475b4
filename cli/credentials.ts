import { readCredential, readKeyFile } from '../daemon/key-file.ts';
import { masterKeyBytes, parseMasterKey } from '../daemon/master-key-text.ts';
import { copyBytes, newBytes } from '../daemon/memory/plain-bytes.ts';
import { createSecureArena, type SecureBytes } from '../daemon/memory/secure-bytes.ts';
import { HushError } from '../protocol/errors.ts';
import { readLine } from './input.ts';
import { maxPassphraseBytes, passphraseOf } from './passphrase.ts';
import { isTyped, onTerminal } from './prompts.ts';

/** What opens a profile: the UTF-8 of a passphrase in NFKC, or 32 bytes of key. Whoever asked for it wipes it. */
export interface Credential {
  readonly kind: 'passphrase' | 'key';
  readonly secret: Uint8Array<ArrayBuffer>;
}

/** The options that say where a credential comes from. */
export interface CredentialOptions {
  readonly passphraseStdin?: true;
  readonly keyFile?: string;
}

/**
 * The credential of `init` and `unlock`, from the first of: `--passphrase-stdin`, `--key-file`, the systemd credential
 * `hushd-master-key`, HUSH_MASTER_KEY, a prompt on a terminal (`ask`).
 * Throws NO_STABLE_KEY where there is none of them, and what reading it throws: nothing is ever made up instead.
 */
export async function findCredential(
  { passphraseStdin, keyFile }: CredentialOptions,
  env: NodeJS.ProcessEnv,
  ask: () => Promise<Uint8Array>,
): Promise<Credential> {
  if (passphraseStdin && keyFile !== undefined) {
    throw new HushError('BAD_REQUEST', 'give --passphrase-stdin or --key-file, not both', {
      hint: 'hush help unlock',
    });
  }
  if (passphraseStdin) return passphraseCredential(await readPassphrase());
  const key = keyOf(keyFile, env);
  if (key !== undefined) return { kind: 'key', secret: key };
  if (!onTerminal()) throw new HushError('NO_STABLE_KEY');
  return passphraseCredential(await ask());
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

function passphraseCredential(typed: Uint8Array): Credential {
  try {
    return { kind: 'passphrase', secret: passphraseOf(typed) };
  } finally {
    typed.fill(0);
  }
}

function readPassphrase(): Promise<Uint8Array> {
  if (isTyped()) {
    throw new HushError('BAD_REQUEST', 'standard input is a terminal, where the passphrase would show', {
      hint: 'leave --passphrase-stdin away, and type it at the hidden prompt',
    });
  }
  return readLine(maxPassphraseBytes);
}

function keyOf(keyFile: string | undefined, env: NodeJS.ProcessEnv): Uint8Array<ArrayBuffer> | undefined {
  const arena = createSecureArena({ bytes: 4096 });
  try {
    const found: SecureBytes | undefined =
      keyFile === undefined ? readCredential(env, arena) : readKeyFile(keyFile, arena);
    return found === undefined ? keyFromEnvironment(env) : copyBytes(found.bytes);
  } finally {
    arena.close();
  }
}

function keyFromEnvironment(env: NodeJS.ProcessEnv): Uint8Array<ArrayBuffer> | undefined {
  const text = env['HUSH_MASTER_KEY'];
  if (text === undefined) return undefined;
  // The environment has the key as a string that nothing can wipe; the bytes at least are.
  const bytes = new TextEncoder().encode(text);
  const key = newBytes(masterKeyBytes);
  try {
    parseMasterKey(bytes, key, 'HUSH_MASTER_KEY');
    return key;
  } finally {
    bytes.fill(0);
  }
}
