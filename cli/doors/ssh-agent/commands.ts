import { withDaemon } from '../../daemon.ts';
import type { Output } from '../../output.ts';
import { targetOf, type ProfileOption, type Target } from '../../target.ts';
import { publicLine, type VaultKey } from './keys.ts';

interface NewKey extends ProfileOption {
  readonly type: 'ed25519' | 'rsa';
  readonly bits?: number | undefined;
  readonly comment?: string | undefined;
}

/** Prints the public half of a key. Throws what the call throws. */
export async function showKey(path: string, options: ProfileOption, output: Output): Promise<void> {
  const target = targetOf(path, options, process.env);
  const half = await withDaemon((daemon) => daemon.call('ssh.public', target));
  await print(target, half, output);
}

/** Has the daemon make a key, and prints its public half. Throws what the call throws: EXISTS for one that is there. */
export async function makeKey(path: string, options: NewKey, output: Output): Promise<void> {
  const target = targetOf(path, options, process.env);
  const { type, bits, comment } = options;
  const { version, ...half } = await withDaemon((daemon) =>
    daemon.call('ssh.generate', { ...target, type, bits, comment }),
  );
  await print({ ...target, version }, half, output);
}

async function print(
  facts: Target & { readonly version?: number },
  half: Omit<VaultKey, 'path'>,
  output: Output,
): Promise<void> {
  const line = publicLine(half);
  const { type, comment } = half;
  await output.facts({ ...facts, type, comment, publicKey: line.split(' ').slice(0, 2).join(' ') }, [line]);
}
