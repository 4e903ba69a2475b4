import type { KeyedLine } from '../../daemon/audit/check.ts';
import type { BadRecord } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseProfileName } from '../../protocol/names.ts';
import type { Daemon } from '../daemon.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import { createProving } from './proving.ts';

/** A line that another vault's key has made, and where it stands. */
export type ForeignLine = KeyedLine & Pick<BadRecord, 'file' | 'line'>;

/** What became of the lines of other vaults. */
export interface ForeignProof {
  readonly bad: BadRecord | undefined;
  readonly proved: number;
  /** Those whose profile is not open to be asked. */
  readonly unproved: number;
}

/** The id of the vault that a line says it is of. */
export const vaultIdIn = (text: string): string | undefined => /"vault":"([0-9a-f]{32})"/.exec(text)?.[1];

/**
 * Has lines proved by the other profiles of the home; `vaultsOf` tells those that it knows of, undefined where nobody can
 * tell. A line of a vault that is none of them is bad: nothing could ever vouch for it.
 */
export async function proveForeign(
  lines: readonly ForeignLine[],
  daemon: Daemon | undefined,
  vaultsOf: (() => ReadonlyMap<string, string>) | undefined,
): Promise<ForeignProof> {
  const vaults = lines.length === 0 ? undefined : vaultsOf?.();
  let bad: BadRecord | undefined;
  let proved = 0;
  let unproved = 0;
  for (const [vaultId, own] of Map.groupBy(lines, ({ text }) => vaultIdIn(text) ?? '')) {
    const [first] = own;
    const profile = vaults?.get(vaultId);
    if (profile === undefined && vaults !== undefined && first !== undefined) {
      const why = 'it is of a vault that no profile of this home has, and so no key can prove it';
      bad ??= { file: first.file, line: first.line, seq: first.seq, why };
    }
    const facts = daemon === undefined || profile === undefined ? undefined : await factsOf(daemon, profile);
    if (daemon === undefined || profile === undefined || facts?.vaultId !== vaultId) {
      unproved += own.length;
      continue;
    }
    const proving = createProving(daemon, profile, facts);
    for (const line of own) proving.add(line, line);
    await proving.askAll();
    bad ??= proving.bad();
    proved += proving.proved();
  }
  return { bad, proved, unproved };
}

/** What a profile's keys are asked for; undefined where they are not to be had. */
async function factsOf(daemon: Daemon, profile: string): Promise<ResultOf<'audit.verify'> | undefined> {
  try {
    return await daemon.call('audit.verify', { profile: parseProfileName(profile) });
  } catch (error) {
    if (error instanceof HushError && error.code !== 'UNREACHABLE') return undefined;
    throw error;
  }
}
