import type { ResultOf } from '../protocol/index.ts';
import type { HardeningReport } from './hardening.ts';
import type { ConfigInForce, Peer } from './peer.ts';
import type { ProfileFacts, Profiles } from './profiles/profiles.ts';

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
      .map(statusOf),
  });
}

function statusOf({ name, state, problem, session }: ProfileFacts): ResultOf<'status'>['profiles'][number] {
  const known = { name, state, ...(problem === undefined ? {} : { problem }) };
  if (session === undefined) return known;
  const { secrets, activeKey, cache } = session.vault.stats();
  return {
    ...known,
    vaultId: session.vault.vaultId,
    unlockedAt: session.unlockedAt,
    secrets,
    activeKey,
    cache,
  };
}
