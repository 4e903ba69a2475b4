import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Chain, chainFileName, openChain } from '../../daemon/audit/chain.ts';
import { type AuditEntry, recordPrefix } from '../../daemon/audit/records.ts';
import { giveUpOldest, type KeepLimits, type KeptChain } from '../../daemon/audit/retention.ts';
import type { AuditKey, SealState } from '../../daemon/audit/seals.ts';
import { chainFiles } from '../../daemon/audit/segments.ts';

export const who = recordPrefix({ client: 'app', uid: 1, gid: 2, pid: 3, exe: '/usr/bin/node' });
export const vaultId = '0123456789abcdef0123456789abcdef';
export const key: AuditKey = { id: 'aaaaaaaaaaaaaaaa', secret: new Uint8Array(32).fill(7) };
export const secretOf = (id: string): AuditKey['secret'] | undefined =>
  id === key.id ? key.secret : undefined;
export const sealAt = (commit: number): SealState => ({ vaultId, commit, generation: 1 });

/** A record that differs from others by its number. */
export const got = (number: number): AuditEntry => ({
  event: 'secret.get',
  who,
  outcome: 'ok',
  profile: 'default',
  key: `global/name-${number}`,
});

/** A folder that goes when the test ends. */
export function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'hush-audit-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Makes a chain of `count` records after its first, one flush each, closed; a seal after every `sealEvery`-th. */
export async function writeChain(folder: string, count: number, sealEvery = Infinity): Promise<void> {
  const chain = openChain(folder, 'p');
  for (let number = 1; number <= count; number += 1) {
    chain.append(got(number));
    chain.flush();
    if (number % sealEvery === 0) chain.seal(sealAt(number), key);
    chain.flush();
  }
  await chain.close();
}

/** The lines of a folder's chain, without their LF. */
export function linesIn(folder: string): string[] {
  return readFileSync(join(folder, chainFileName), 'latin1').split('\n').slice(0, -1);
}

/** Puts lines in place of a folder's chain. */
export function putLines(folder: string, lines: readonly string[]): void {
  writeFileSync(join(folder, chainFileName), lines.map((line) => `${line}\n`).join(''), 'latin1');
}

/** The events of a folder's chain. */
export function eventsIn(folder: string): string[] {
  return linesIn(folder).map((line) => String((JSON.parse(line) as Record<string, unknown>)['event']));
}

/** Runs something on a fresh chain in a folder, and closes the chain. */
export async function withChain(folder: string, run: (chain: Chain) => void | Promise<void>): Promise<void> {
  const chain = openChain(folder, 'p');
  try {
    await run(chain);
  } finally {
    await chain.close();
  }
}

/** What can vouch for the chains of these tests. */
export const keys = { vaultId, key: () => key, secretOf };

/** Makes a closed chain of `count` segments, each of `records` records of their own and, in its end, a seal. */
export async function writeSegments(folder: string, count: number, records = 3): Promise<void> {
  const chain = openChain(folder, 'p');
  for (let segment = 1; segment <= count; segment += 1) {
    for (let number = 1; number <= records; number += 1) chain.append(got(number));
    chain.seal(sealAt(segment), key);
    if (segment < count) chain.rotate();
  }
  await chain.close();
}

/** Gives up what the limits do not keep of a closed chain; answers the numbers of the segments that went. */
export async function giveUp(
  folder: string,
  limits: Partial<KeepLimits>,
  places?: KeptChain['places'],
): Promise<number[]> {
  const gone: number[] = [];
  const newest = chainFiles(folder).segments.at(-1)?.number ?? 0;
  await giveUpOldest(
    { folder, newest, ...(places === undefined ? {} : { places }), keys: () => keys },
    { keepBytes: 0, keepDays: 0, minAgeDays: 0, ...limits },
    Date.now() + 1_000,
    ({ segment }) => gone.push(segment),
  );
  return gone;
}
