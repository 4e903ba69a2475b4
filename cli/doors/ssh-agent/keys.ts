import type { HushClient } from '../../../client/client.ts';
import { compilePathRules, pathPatternProblem } from '../../../daemon/config/patterns.ts';
import { HushError } from '../../../protocol/errors.ts';
import type { ResultOf } from '../../../protocol/operations.ts';
import { badUsage } from '../../usage.ts';

/** A key of the vault, its public half. */
export type VaultKey = ResultOf<'ssh.list'>['keys'][number];

/** What stands under a name that is asked for, and cannot be offered. */
export type Unusable = ResultOf<'ssh.list'>['unusable'][number];

/** The keys that there are, and what was meant to be one. */
export interface VaultKeys {
  readonly keys: readonly VaultKey[];
  readonly unusable: readonly Unusable[];
}

/** The names of keys where nobody says which. */
export const usualPatterns = ['global/ssh.*'] as const;

type Daemon = Pick<HushClient, 'call'>;

/** Throws BAD_REQUEST for a text that is no pattern over `<scope>/<name>`. */
export function checkPatterns(patterns: readonly string[]): void {
  for (const text of patterns) {
    const problem = pathPatternProblem(text);
    if (problem !== undefined) throw badUsage(`--only ${text}: ${problem}`, 'door ssh-agent');
  }
}

/** The keys that the patterns match and that the daemon lets this client sign with. Rejects as a call does. */
export async function listKeys(
  daemon: Daemon,
  profile: string,
  patterns: readonly string[],
): Promise<VaultKeys> {
  const found = new Map<string, VaultKey>();
  const unusable = new Map<string, Unusable>();
  for (const pattern of patterns) {
    for await (const { keys, unusable: others } of pagesOf(daemon, profile, pattern)) {
      for (const key of keys) found.set(key.path, key);
      for (const other of others) unusable.set(other.path, other);
    }
  }
  const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
  return { keys: [...found.values()].sort(byPath), unusable: [...unusable.values()].sort(byPath) };
}

async function* pagesOf(daemon: Daemon, profile: string, pattern: string): AsyncGenerator<VaultKeys> {
  const star = pattern.indexOf('*');
  if (star < 0) {
    yield await pageOfOne(daemon, profile, pattern);
    return;
  }
  const { matches } = compilePathRules([pattern]);
  const isMeant = ({ path }: { readonly path: string }): boolean => matches(path);
  let after: string | undefined;
  do {
    const page = await daemon.call('ssh.list', { profile, prefix: pattern.slice(0, star), after });
    yield { keys: page.keys.filter(isMeant), unusable: page.unusable.filter(isMeant) };
    after = page.next;
  } while (after !== undefined);
}

/** Why one key cannot be offered, and others can. */
const faultsOfOne: readonly string[] = [
  'NOT_FOUND',
  'BAD_REQUEST',
  'EXPIRED',
  'KEY_DESTROYED',
  'ACCESS_DENIED',
];

/** One that was asked for by its name, and is missed where it is not there. */
async function pageOfOne(daemon: Daemon, profile: string, path: string): Promise<VaultKeys> {
  try {
    return { keys: [{ path, ...(await daemon.call('ssh.public', { profile, path })) }], unusable: [] };
  } catch (error) {
    if (!(error instanceof HushError && faultsOfOne.includes(error.code))) throw error;
    return { keys: [], unusable: [{ path, message: error.message }] };
  }
}

/** The line of a public key, as authorized_keys and `git config user.signingKey` take it. */
export function publicLine({ type, publicKey, comment }: Omit<VaultKey, 'path'>): string {
  const name = type === 'rsa' ? 'ssh-rsa' : 'ssh-ed25519';
  const bytes = Buffer.from(publicKey).toString('base64');
  return comment === '' ? `${name} ${bytes}` : `${name} ${bytes} ${comment}`;
}
