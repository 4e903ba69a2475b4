import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type ErrorCode, HushError, reportOf } from '../protocol/errors.ts';
import { bootTimeMs } from '../native/clocks.ts';
import { socketFd } from '../native/peer-credentials.ts';
import { identifyPeer, type PeerIdentity } from '../native/peer-process.ts';
import { createProgramHashes } from './access/program-hashes.ts';
import { administersUntil } from './access/rights.ts';
import { createRuntimeGrants } from './access/runtime-grants.ts';
import { createWallClock } from './access/wall-clock.ts';
import { createApprovals } from './approvals/approvals.ts';
import { openChain } from './audit/chain.ts';
import type { AuditEntry } from './audit/records.ts';
import { createAutoLock } from './auto-lock.ts';
import { createBackups } from './backup/backups.ts';
import type { Configs } from './configs.ts';
import { createDispatcher } from './dispatch.ts';
import { createPresence } from './enrolled/presence.ts';
import { openEnrolledStore } from './enrolled/store.ts';
import { createEventNotes } from './event-notes.ts';
import { createBuckets } from './gates/buckets.ts';
import type { HardeningReport } from './hardening.ts';
import type { HomePaths } from './home/paths.ts';
import { createJournal } from './journal.ts';
import { createArgon2Queue } from './keys/passphrase.ts';
import { putInOrder } from './leftovers.ts';
import type { Logger } from './log.ts';
import type { SecureArena } from './memory/secure-bytes.ts';
import { collectGarbage } from './memory/collect.ts';
import { createIdleCollector } from './memory/idle-collector.ts';
import { createScratch } from './memory/scratch.ts';
import type { Context } from './operations/handler.ts';
import { createPeer, type Peer, type PeerRules } from './peer.ts';
import { createProfiles } from './profiles/profiles.ts';
import { readRelease } from './release.ts';
import { createRetention } from './retention.ts';
import { serveConnection } from './served-connection.ts';
import { freeSocketPath, openSocket, removeSocket } from './socket.ts';
import { createSigning } from './signing/signing.ts';
import { createStatus } from './status.ts';
import { createUpkeepNotes } from './upkeep-notes.ts';
import { listen } from './transport/listener.ts';

/** A daemon that listens. */
export interface Serving {
  /** Opens a profile with a key from outside any connection; on record like any unlock. Rejects as `unlock` does. */
  unlockAtStart(profile: string, key: Uint8Array, source: string): Promise<void>;
  /** Locks every profile at once, and ends what is about to unlock one: a signal. */
  lockAll(): void;
  /** Puts an event of the daemon itself on record; `code`: why it failed. */
  note(event: string, detail?: AuditEntry['detail'], code?: ErrorCode): void;
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
  /** The listening socket that a service manager handed over, and keeps: its file, mode and group are the manager's. */
  readonly activated: number | undefined;
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
  const { paths, configs, arena, log, activated } = parts;
  const release = readRelease();
  const now = (): number => performance.now();
  const inForce = configs.inForce;
  const scratch = createScratch(scratchBytes);
  putInOrder(paths, log);
  const enrolled = openEnrolledStore({
    clientsPath: paths.clients,
    keyPath: paths.noiseKey,
    arena,
    onFault: (error) => {
      log.error({ event: 'enrolled', ...reportOf(error) });
    },
  });
  const presence = createPresence();
  const notes = createEventNotes({
    log,
    note: (event, detail, profile, code) => {
      journal.noteEvent(event, detail, profile, code);
    },
  });
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
    onUnsealed: notes.unsealed,
    clock: now,
    bootClock: bootTimeMs,
    onDaemonDoubt: notes.daemonDoubt,
    onLock: (profile) => {
      approvals.cancel(profile);
    },
    onGuardTrouble: notes.guardTrouble,
    onRaised: notes.raised,
    onUpkeep: (profile, event) => {
      if (event.kind === 'done') resealed += event.moved;
      upkeep(profile, event);
    },
  });
  const approvals = createApprovals({
    config: () => inForce().config,
    clock: now,
    newId: () => randomBytes(8).toString('hex'),
    onEvent: notes.approval,
  });
  const autoLock = createAutoLock({
    config: () => inForce().config,
    unlocked: profiles.unlocked,
    clock: now,
    bootClock: bootTimeMs,
    lock: (profile, reason) => {
      notes.autoLock(profile, reason, () => profiles.lock(profile, reason));
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
    config: () => inForce().config.audit,
    log,
    meter: createBuckets(bucketCount, now),
  });
  const retention = createRetention({
    chains: profiles.chains,
    limits: () => inForce().config.audit,
    onStub: notes.stub,
    onTrouble: notes.kept,
  });
  const note: Serving['note'] = (event, detail, code) => {
    journal.noteEvent(event, detail, undefined, code);
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
    gateState: { profileState: profiles.state, approval: approvals.check },
    journal,
    scratch,
    onDone: autoLock.used,
    onBug: notes.bug,
    limits,
  });
  const backups = createBackups({
    profiles,
    chunkBytes: Math.min(backupChunk.bytes, limits.frameBytes - backupChunk.overhead),
    ...backupBounds,
  });
  const grants = createRuntimeGrants(now);
  const signing = createSigning(arena);
  const contextOf = (peer: Peer, socket: Socket): Context => ({
    peer,
    profiles,
    backups,
    approvals,
    enrolled,
    presence,
    grants,
    signing,
    knowsClient: (name) =>
      enrolled.names().has(name) || inForce().config.clients.some((client) => client.name === name),
    clientEntry: (name) => inForce().config.clients.find((client) => client.name === name),
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
  const peerRules: PeerRules = {
    daemonUid: process.getuid?.() ?? 0,
    inForce,
    enrolledNames: enrolled.names,
    grants,
    hashes: createProgramHashes(),
    buckets,
    wallClock: createWallClock(),
  };

  if (activated === undefined) await freeSocketPath(paths.socket);
  note('daemon.start', { release, node: process.versions.node });
  const listener = await listen({
    path: paths.socket,
    fd: activated,
    limits,
    daemon: release,
    now,
    service: (socket) =>
      serveConnection({
        dispatcher,
        journal,
        enrolled,
        presence,
        context: contextOf(createPeer(kernelSays(socket, log), peerRules), socket),
      }),
    onLimit: (limit) => {
      log.warn({ event: 'limit', limit });
    },
  });
  try {
    if (activated === undefined) openSocket(paths.socket, inForce().config.transport);
  } catch (error) {
    await listener.close();
    throw error;
  }
  const collectWhenIdle = createIdleCollector(collectGarbage);
  const tickFailed = (error: unknown): void => {
    log.error({ event: 'audit.tick', message: textOf(error) });
  };
  const ticker = setInterval(() => {
    collectWhenIdle(dispatcher.served() + resealed);
    autoLock.tick();
    profiles.tick();
    const { config } = inForce();
    const at = peerRules.wallClock();
    for (const { profile, client, right, pattern, id } of [
      ...grants
        .list()
        .filter((grant) => administersUntil(config, grant.by, grant.profile) <= at)
        .flatMap(({ id }) => grants.remove({ id })),
      ...grants.takeEnded(),
    ]) {
      journal.noteEvent('grant.ended', { client, right, pattern, id }, profile);
    }
    journal.tick().then(retention.tick, tickFailed);
  }, tickMs);

  return {
    async unlockAtStart(profile, key, source) {
      try {
        await profiles.unlock(profile, [{ kind: 'key', secret: key }], undefined, undefined);
        journal.noteEvent('unlock', { source }, profile);
      } catch (error) {
        if (error instanceof HushError) journal.noteEvent('unlock', { source }, profile, error.code);
        throw error;
      } finally {
        journal.flush();
      }
    },
    note,
    lockAll() {
      log.warn({ event: 'lock.all', reason: 'signal' });
      journal.noteEvent('lock.all', { reason: 'signal' });
      try {
        profiles.lockAll(() => true, 'signal');
      } catch (error) {
        log.error({ event: 'lock.all', message: textOf(error) });
      }
      journal.flush();
    },
    async close() {
      profiles.stopChanges();
      await listener.close();
      await dispatcher.idle();
      clearInterval(ticker);
      // An audit that cannot be written is no reason to leave keys or the socket behind.
      await journal.tick().catch(tickFailed);
      await retention.end();
      await profiles.close();
      enrolled.close();
      note('daemon.stop');
      try {
        if (activated === undefined) removeSocket(paths.socket);
      } finally {
        await daemonChain.close();
      }
    },
  };
}

/** What the kernel says of the peer; a peer that it names nobody for stays unidentified. */
function kernelSays(socket: Socket, log: Logger): PeerIdentity | undefined {
  try {
    return identifyPeer(socketFd(socket));
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    log.warn({ event: 'peer', message: error.message });
    return undefined;
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
