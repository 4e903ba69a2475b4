import type { DaemonHead } from '../../daemon/audit/seals.ts';
import type { ExpectedRecord } from '../../daemon/audit/check.ts';
import { errnoOf } from '../../daemon/home/disk-errors.ts';
import type { ChainPart } from '../../daemon/audit/parts.ts';
import { isCount, readRecord } from '../../daemon/audit/records.ts';
import { type BadRecord, verifyParts } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Daemon } from '../daemon.ts';
import { isGone, localSource, missingAudit, remoteSource } from './chain-source.ts';
import { startOfParts } from './chain-start.ts';
import { checkpointsFor, comparisonOf, type GivenCheckpoint } from './checkpoints.ts';
import { type ForeignLine, proveForeign, vaultIdIn } from './foreign-lines.ts';
import { createProving, type Proving } from './proving.ts';
import type { ChainReport } from './report.ts';
import { vaultsOfHome } from './vaults-of-home.ts';

/** The keys to prove seals with: the daemon that has them, or why there are none. */
type Keys = { readonly daemon: Daemon; readonly facts: ResultOf<'audit.verify'> } | { readonly why: string };

/** What a verification of a profile's audit is done with. */
export interface VerificationParts {
  readonly profile: ProfileName;
  /** Undefined where none runs. */
  readonly daemon: Daemon | undefined;
  readonly checkpoints: readonly GivenCheckpoint[];
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Verifies the chain of a profile, and against what its seals say of it, the daemon's own: with the keys where the
 * profile is open. The second is left out for whom it is none of their business.
 */
export async function verifyAudit(parts: VerificationParts): Promise<readonly ChainReport[]> {
  try {
    return await verifyOnce(parts);
  } catch (error) {
    // A segment may have given way to its stub since it was listed.
    if (!isOfMissingFile(error)) throw error;
    return verifyOnce(parts);
  }
}

const isOfMissingFile = (error: unknown): boolean =>
  error instanceof HushError && (error.code === 'NOT_FOUND' || errnoOf(error.cause) === 'ENOENT');

async function verifyOnce(parts: VerificationParts): Promise<readonly ChainReport[]> {
  const { profile, daemon, env } = parts;
  const local = localSource(profile, env);
  const keys = await keysOf(profile, daemon, local !== undefined);
  const source = local ?? (daemon === undefined ? undefined : remoteSource(profile, daemon));
  const files = await source?.parts();
  if (files === undefined || files.length === 0) throw missingAudit(profile, env, source?.isRemote === true);
  const own = await verifyOwn(parts, files, keys);
  const daemonParts = await partsOfDaemon(daemon, env, local !== undefined);
  if (daemonParts === undefined) return [own.report];
  if (daemonParts.length === 0) {
    const missing = await missingDaemon(parts, own, keys);
    return missing === undefined ? [own.report] : [own.report, missing];
  }
  const vaultsOf = local === undefined ? undefined : () => vaultsOfHome(env);
  return [own.report, await verifyDaemon(parts, daemonParts, own, keys, vaultsOf)];
}

interface OwnVerification {
  readonly report: ChainReport;
  /** Where the seals say that the daemon's own chain stood, by its first record and the number. */
  readonly heads: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** What the last seal says of that. */
  readonly last: DaemonHead | undefined;
  /** Whether a restore is on record after the last seal: nothing vouches for that record, which only words a doubt. */
  readonly isRestored: boolean;
}

async function verifyOwn(
  { profile, checkpoints }: VerificationParts,
  files: readonly ChainPart[],
  keys: Keys,
): Promise<OwnVerification> {
  const chain = `profiles/${profile}`;
  const proving = 'why' in keys ? undefined : createProving(keys.daemon, profile, keys.facts);
  const against = checkpointsFor(checkpoints, await startOfParts(files), chain);
  const remembered = 'why' in keys ? undefined : keys.facts.remembered;
  const heads = new Map<string, Map<number, string>>();
  let last: DaemonHead | undefined;
  let lastSeal: { readonly text: string; readonly place: BadRecord } | undefined;
  const found = await verifyParts(files, {
    expected: [
      ...(remembered === undefined ? [] : [{ ...remembered, by: 'the vault' }]),
      ...('why' in keys ? [] : [{ ...keys.facts.head, by: 'the daemon' }]),
      ...against.expected,
    ],
    onKeyed: (line, place) => {
      proving?.add(line, place);
      if (line.kind !== 'seal') return;
      lastSeal = { text: line.text, place: { ...place, seq: line.seq, why: '' } };
      last = line.daemon;
      if (last?.start === undefined) return;
      const known = heads.get(last.start) ?? new Map<number, string>();
      heads.set(last.start, known.set(last.seq, last.hash));
    },
    afterBlock: () => proving?.askSome() ?? Promise.resolve(),
  });
  await proving?.askAll();
  const bad =
    proving?.bad() ??
    (await forgedCheckpoint(against.used, proving)) ??
    against.bad(files) ??
    found.bad ??
    behindSeal(lastSeal, proving);
  const report: ChainReport = {
    chain,
    files: files.length,
    verification: found,
    bad,
    proved: provedBy(keys, proving),
    remembered: remembered?.seq,
    isSealed: true,
    vouched: undefined,
    checkpoints: comparisonOf(against.used, found, checkpoints.length),
  };
  return { report, heads, last, isRestored: found.restoredSeq > found.sealedSeq };
}

/** The report of a daemon's own chain that something tells of, and that is not there. */
async function missingDaemon(
  { profile, daemon, checkpoints }: VerificationParts,
  { last, isRestored }: OwnVerification,
  keys: Keys,
): Promise<ChainReport | undefined> {
  const kept = checkpoints.find(({ chain }) => chain === 'daemon');
  const [who, seq] =
    last === undefined
      ? [`${kept?.name ?? ''} remembers`, kept?.seq]
      : [`seals of profiles/${profile} remember`, last.seq];
  if (seq === undefined && daemon === undefined) return undefined;
  const restored = isRestored ? ', unless the profile was restored from another home' : '';
  const told = seq === undefined ? 'the daemon runs' : `${who} record ${seq} of it${restored}`;
  const why = `the daemon's own audit is missing: ${told}`;
  const verification = await verifyParts([]);
  return {
    chain: 'daemon',
    files: 0,
    verification,
    bad: { file: 'daemon', line: 1, seq: 1, why },
    proved: provedBy(keys, undefined),
    remembered: undefined,
    isSealed: false,
    vouched: undefined,
    checkpoints: comparisonOf([], verification, checkpoints.length),
  };
}

async function verifyDaemon(
  { profile, daemon, checkpoints }: VerificationParts,
  files: readonly ChainPart[],
  { report: own, heads, last, isRestored }: OwnVerification,
  keys: Keys,
  vaultsOf: (() => ReadonlyMap<string, string>) | undefined,
): Promise<ChainReport> {
  const start = await startOfParts(files);
  const proving = 'why' in keys ? undefined : createProving(keys.daemon, profile, keys.facts);
  const vouched = heads.get(start ?? '') ?? new Map<number, string>();
  const by = `a seal of profiles/${profile}`;
  const against = checkpointsFor(checkpoints, start, 'daemon');
  const others: ForeignLine[] = [];
  const expected: ExpectedRecord[] = [...vouched].map(([seq, hash]) => ({ seq, hash, by }));
  const found = await verifyParts(files, {
    expected: [...expected, ...against.expected],
    onKeyed: (line, place) => {
      if (proving !== undefined && vaultIdIn(line.text) === proving.facts().vaultId) proving.add(line, place);
      else others.push({ ...line, ...place });
    },
    afterBlock: () => proving?.askSome() ?? Promise.resolve(),
  });
  await proving?.askAll();
  const foreign = await proveForeign(others, daemon, vaultsOf);
  const isOther = start !== undefined && last?.start !== undefined && last.start !== start;
  const since = isRestored
    ? 'a restore of the profile is on record since, and its next unlock will vouch for this one'
    : 'it was begun anew since';
  const why = `it is another chain than the last seal of profiles/${profile} vouches for: ${since}`;
  const other = isOther ? { file: files[0]?.name ?? '', line: 1, seq: 1, why } : undefined;
  return {
    chain: 'daemon',
    files: files.length,
    verification: found,
    bad: proving?.bad() ?? foreign.bad ?? against.bad(files) ?? found.bad ?? other,
    proved: provedBy(keys, proving, foreign),
    remembered: undefined,
    isSealed: false,
    vouched: vouchedFor(vouched),
    vouchedElsewhere: [...heads].reduce((sum, [of, { size }]) => (of === start ? sum : sum + size), 0),
    ...(own.verification.bad === undefined ? {} : { sealsReadTo: own.verification.head.seq }),
    checkpoints: comparisonOf(against.used, found, checkpoints.length),
  };
}

function vouchedFor(places: ReadonlyMap<number, string>): ChainReport['vouched'] {
  if (places.size === 0) return undefined;
  return { places: places.size, lastSeq: [...places.keys()].reduce((last, seq) => Math.max(last, seq), 0) };
}

async function keysOf(profile: ProfileName, daemon: Daemon | undefined, isLocal: boolean): Promise<Keys> {
  if (daemon === undefined) return { why: 'no daemon runs' };
  try {
    return { daemon, facts: await daemon.call('audit.verify', { profile }) };
  } catch (error) {
    const isLocked = error instanceof HushError && ['LOCKED', 'PROFILE_INACTIVE'].includes(error.code);
    if (!(error instanceof HushError) || !(isLocked || isLocal)) throw error;
    return { why: error.message };
  }
}

async function partsOfDaemon(
  daemon: Daemon | undefined,
  env: NodeJS.ProcessEnv,
  isLocal: boolean,
): Promise<readonly ChainPart[] | undefined> {
  const local = localSource(undefined, env);
  if (local !== undefined) return local.parts();
  if (isLocal && isGone(undefined, env)) return [];
  try {
    return await (daemon === undefined ? undefined : remoteSource(undefined, daemon).parts());
  } catch (error) {
    if (error instanceof HushError && error.code === 'ACCESS_DENIED') return undefined;
    throw error;
  }
}

const provedBy = (
  keys: Keys,
  proving: Proving | undefined,
  foreign = { proved: 0, unproved: 0 },
): ChainReport['proved'] =>
  'why' in keys && foreign.proved === 0
    ? { why: keys.why }
    : { lines: (proving?.proved() ?? 0) + foreign.proved, foreign: foreign.unproved };

/** A vault behind the last seal was put back. */
function behindSeal(
  lastSeal: { readonly text: string; readonly place: BadRecord } | undefined,
  proving: Proving | undefined,
): BadRecord | undefined {
  if (lastSeal === undefined || proving === undefined) return undefined;
  const { commit } = readRecord(Buffer.from(lastSeal.text, 'latin1'));
  const { commit: ofVault } = proving.facts();
  if (!isCount(commit) || commit <= ofVault) return undefined;
  return { ...lastSeal.place, why: `the vault is at change ${ofVault}, and the seal says ${commit}` };
}

/** Has the MACs of checkpoints checked, where they are of this vault. */
async function forgedCheckpoint(
  used: readonly GivenCheckpoint[],
  proving: Proving | undefined,
): Promise<BadRecord | undefined> {
  for (const { proof, text, name, seq } of used) {
    if (proof === undefined || proof.vaultId !== proving?.facts().vaultId) continue;
    const why = await proving.refusalOf(text);
    if (why !== undefined) return { file: name, line: 1, seq, why };
  }
  return undefined;
}
