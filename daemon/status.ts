import { HushError } from '../protocol/errors.ts';
import type { ResultOf } from '../protocol/index.ts';
import type { HardeningReport } from './hardening.ts';
import type { ConfigInForce, Peer } from './peer.ts';
import type { ProfileFacts, Profiles } from './profiles/profiles.ts';
import type { Session } from './profiles/session.ts';
import { backupsFact, backupsOf, backupState } from './vault/backup-facts.ts';

interface StatusParts {
  readonly profiles: Profiles;
  readonly hardening: HardeningReport;
  readonly release: string;
  readonly startedAt: Date;
  readonly inForce: () => ConfigInForce;
}

/** What `status` answers: the daemon, and the profiles on which the peer has some right. */
export function createStatus(
  parts: StatusParts,
): (peer: Peer, profile: string | undefined) => ResultOf<'status'> {
  return (peer, profile) => ({
    pid: process.pid,
    version: parts.release,
    node: process.versions.node,
    startedAt: parts.startedAt.toISOString(),
    uptimeMs: Math.round(process.uptime() * 1000),
    rssBytes: process.memoryUsage.rss(),
    configGeneration: parts.inForce().generation,
    hardening: parts.hardening.map((measure) => ({ ...measure })),
    profiles: parts.profiles
      .facts()
      .filter(({ name }) => (profile === undefined || profile === name) && peer.hasAnyRight(name))
      .map((facts) => statusOf(facts, opensWith(peer, facts.name))),
  });

  /** For those who may open the profile, or say who may. */
  function opensWith(peer: Peer, name: string): ProfileStatus['opensWith'] {
    if (!peer.allows(name, { kind: 'unlock' }) && !peer.allows(name, { kind: 'admin' })) return undefined;
    const openers = parts.profiles.opensWith(name);
    return openers?.map((members) => members.map(({ kind, label }) => ({ kind, label })));
  }
}

type ProfileStatus = ResultOf<'status'>['profiles'][number];

function statusOf(
  { name, state, problem, session }: ProfileFacts,
  opensWith: ProfileStatus['opensWith'],
): ProfileStatus {
  const known = {
    name,
    state,
    ...(problem === undefined ? {} : { problem }),
    ...(opensWith === undefined ? {} : { opensWith }),
  };
  if (session === undefined) return known;
  const { secrets, activeKey, cache } = session.vault.stats();
  return {
    ...known,
    vaultId: session.vault.vaultId,
    unlockedAt: session.unlockedAt,
    secrets,
    activeKey,
    ...backupOf(session),
    cache,
  };
}

/** Which data keys are in a backup; a vault that a disk has left in an unknown state cannot be asked. */
function backupOf({ vault, keyring }: Session): Pick<ProfileStatus, 'backup'> {
  try {
    const { last, newer } = backupState(keyring.keyset(), backupsOf(vault.facts.get(backupsFact)));
    return { backup: { ...(last === undefined ? {} : { at: last.at }), missingKeys: newer.length } };
  } catch (error) {
    if (error instanceof HushError) return {};
    throw error;
  }
}
