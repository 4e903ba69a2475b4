import type { Socket } from 'node:net';
import { HushError } from '../protocol/errors.ts';
import { socketFd } from '../native/peer-credentials.ts';
import { identifyPeer } from '../native/peer-process.ts';
import { openChain } from './audit/chain.ts';
import type { AuditEntry } from './audit/records.ts';
import { createBackups } from './backup/backups.ts';
import type { Configs } from './configs.ts';
import { createDispatcher, type Dispatcher } from './dispatch.ts';
import { createBuckets } from './gates/buckets.ts';
import type { HardeningReport } from './hardening.ts';
import type { HomePaths } from './home/paths.ts';
import { createJournal } from './journal.ts';
import { createArgon2Queue } from './keys/passphrase.ts';
import type { Logger } from './log.ts';
import type { SecureArena } from './memory/secure-bytes.ts';
import { collectGarbage } from './memory/collect.ts';
import { createIdleCollector } from './memory/idle-collector.ts';
import { createScratch } from './memory/scratch.ts';
import type { Context } from './operations/handler.ts';
import { createPeer, type KernelFacts, type Peer } from './peer.ts';
import { createProfiles } from './profiles/profiles.ts';
import { readRelease } from './release.ts';
import { closeSocketToOthers, freeSocketPath, removeSocket } from './socket.ts';
import { createStatus } from './status.ts';
import { createUpkeepNotes } from './upkeep-notes.ts';
import type { Service } from './transport/connection.ts';
import { listen } from './transport/listener.ts';

/** A daemon that listens. */
export interface Serving {
  /** Opens a profile with a key from outside any connection; on record like any unlock. Rejects as `unlock` does. */
  unlockAtStart(profile: string, key: Uint8Array, source: string): Promise<void>;
  /** Puts an event of the daemon itself on record. */
  note(event: string, detail?: AuditEntry['detail']): void;
  /**
   * Stops accepting, finishes what began, locks everything, closes the audit, removes the socket. Throws UNAVAILABLE
   * when the disk lets it end the audit or remove the socket no more; the rest is done all the same.
   */
  close(): Promise<void>;
}

interface ServingParts {
  readonly paths: HomePaths;
  readonly configs: Configs;
  readonly arena: SecureArena;
  readonly hardening: HardeningReport;
  readonly log: Logger;
  /** The cache's TTL where it does not come from the config. */
  readonly ttlSeconds: number | undefined;
  readonly stop: (reason: string) => void;
}

/** Identities that have a token bucket at the same time. */
const bucketCount = 4096;
const tickMs = 1000;
/** The bounds of a backup: the vault's log grows while it is read. */
const backupBounds = { idleMs: 60_000, totalMs: 3_600_000 };
/** The most bytes of a backup in one reply, and what is left free around them in a frame. */
const backupChunk = { bytes: 256 * 1024, overhead: 1024 };
/** Room for the results of a turn, most of them: 32 values of 4 KiB. */
const scratchBytes = 128 * 1024;

/** Opens the audit and listens. The caller holds the lock of the home. */
export async function startServing(parts: ServingParts): Promise<Serving> {
  const { paths, configs, arena, log } = parts;
  const release = readRelease();
  const now = (): number => performance.now();
  const inForce = configs.inForce;
  const scratch = createScratch(scratchBytes);
  const daemonChain = openChain(paths.daemonAudit, 'daemon');
  const profiles = createProfiles({
    paths,
    daemonChain,
    config: () => inForce().config,
    cache: () => {
      const { cache } = inForce().config;
      return { ...cache, ttlSeconds: parts.ttlSeconds ?? cache.ttlSeconds };
    },
    arena,
    scratch,
    argon2Queue: createArgon2Queue(),
    onUnsealed: (profile, error) => {
      log.error({ event: 'audit.unsealed', profile, message: textOf(error) });
    },
    onUpkeep: (profile, event) => {
      if (event.kind === 'done') resealed += event.moved;
      upkeep(profile, event);
    },
    onRaised: (profile, outcome) => {
      if ('cost' in outcome) {
        const detail = { slot: outcome.slot, ...outcome.cost };
        log.info({ event: 'slot.raised', profile, ...detail });
        journal.noteEvent('slot.raised', detail, profile);
      } else {
        const code = outcome.error instanceof HushError ? outcome.error.code : 'UNAVAILABLE';
        log.error({
          event: 'slot.raise.failed',
          profile,
          slot: outcome.slot,
          message: textOf(outcome.error),
        });
        journal.noteEvent('slot.raise.failed', { slot: outcome.slot, code }, profile);
      }
    },
  });
  /** How many stored values were sealed anew since the start: each leaves as much behind as a request. */
  let resealed = 0;
  const upkeep = createUpkeepNotes({
    log,
    note: (event, detail, profile) => {
      journal.noteEvent(event, detail, profile);
    },
  });
  const journal = createJournal({
    chainOf: profiles.chainOf,
    chains: profiles.chains,
    onFailure: () => inForce().config.audit.onFailure,
    log,
    meter: createBuckets(bucketCount, now),
  });
  const note: Serving['note'] = (event, detail) => {
    journal.noteEvent(event, detail);
    journal.flush();
  };

  const { limits } = inForce().config;
  const status = createStatus({
    profiles,
    hardening: parts.hardening,
    release,
    startedAt: new Date(),
    inForce,
  });
  const dispatcher = createDispatcher({
    gateState: { profileState: profiles.state },
    journal,
    scratch,
    onBug: (error) => {
      log.error({
        event: 'bug',
        message: textOf(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
    },
    limits,
  });
  const backups = createBackups({
    profiles,
    chunkBytes: Math.min(backupChunk.bytes, limits.frameBytes - backupChunk.overhead),
    ...backupBounds,
  });
  const contextOf = (peer: Peer, socket: Socket): Context => ({
    peer,
    profiles,
    backups,
    whenClosed: (listener) => {
      socket.once('close', listener);
      return () => socket.off('close', listener);
    },
    limits,
    status,
    stop: () => {
      setImmediate(parts.stop, `by ${peer.identity.name}`);
      return process.pid;
    },
  });
  const buckets = createBuckets(bucketCount, now);
  const daemonUid = process.getuid?.() ?? 0;

  await freeSocketPath(paths.socket);
  note('daemon.start', { release, node: process.versions.node });
  const listener = await listen({
    path: paths.socket,
    limits,
    daemon: release,
    now,
    service: (socket) =>
      serviceFor(
        dispatcher,
        contextOf(createPeer(factsOf(socket, log), daemonUid, inForce, buckets), socket),
      ),
    onLimit: (limit) => {
      log.warn({ event: 'limit', limit });
    },
  });
  closeSocketToOthers(paths.socket);
  const collectWhenIdle = createIdleCollector(collectGarbage);
  const tickFailed = (error: unknown): void => {
    log.error({ event: 'audit.tick', message: textOf(error) });
  };
  const ticker = setInterval(() => {
    collectWhenIdle(dispatcher.served() + resealed);
    profiles.tick();
    journal.tick().catch(tickFailed);
  }, tickMs);

  return {
    async unlockAtStart(profile, key, source) {
      try {
        await profiles.unlock(profile, [{ kind: 'key', secret: key }], undefined);
        journal.noteEvent('unlock', { source }, profile);
      } catch (error) {
        if (error instanceof HushError)
          journal.noteEvent('unlock.failed', { source, code: error.code }, profile);
        throw error;
      } finally {
        journal.flush();
      }
    },
    note,
    async close() {
      profiles.stopChanges();
      await listener.close();
      await dispatcher.idle();
      clearInterval(ticker);
      // An audit that cannot be written is no reason to leave keys or the socket behind.
      await journal.tick().catch(tickFailed);
      await profiles.close();
      note('daemon.stop');
      try {
        removeSocket(paths.socket);
      } finally {
        await daemonChain.close();
      }
    },
  };
}

function serviceFor(dispatcher: Dispatcher, context: Context): Service {
  return {
    begin: (request, settle) => {
      dispatcher.begin(context, request, settle);
    },
    endTurn: dispatcher.endTurn,
    refused: (error) => {
      dispatcher.refused(context, error);
    },
  };
}

/** What the kernel says of the peer; a peer that it names nobody for stays unidentified. */
function factsOf(socket: Socket, log: Logger): KernelFacts | undefined {
  try {
    const peer = identifyPeer(socketFd(socket));
    return peer === undefined
      ? undefined
      : { pid: peer.pid, uid: peer.uid, gid: peer.gid, exe: peer.process?.exe };
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    log.warn({ event: 'peer', message: error.message });
    return undefined;
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
