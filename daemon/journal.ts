import { HushError, type ErrorCode } from '../protocol/errors.ts';
import type { Chain } from './audit/chain.ts';
import { createCounts } from './audit/counts.ts';
import { processPrefix } from './audit/opening.ts';
import type { AuditEntry } from './audit/records.ts';
import type { ChainKeys } from './audit/retention.ts';
import type { AuditConfig } from './config/config.ts';
import type { Buckets } from './gates/buckets.ts';
import type { Call } from './operations/call.ts';
import type { Peer } from './peer.ts';
import type { Logger } from './log.ts';

/** The chains of the daemon and of its profiles, as one place to write to. */
export interface Journal {
  /** Notes how a call ended; it is written with the turn. `alsoIn`: further profiles whose chains are to tell of it. */
  note(
    peer: Peer,
    call: Call,
    error: HushError | undefined,
    commit: number | undefined,
    alsoIn?: readonly string[],
  ): void;
  /** Notes a request that could not be read, or that may not even ask. */
  noteUnread(peer: Peer, error: HushError): void;
  /** Notes that a connection was greeted. */
  noteGreeting(peer: Peer): void;
  /** Notes how a handshake ended; without error, as whom it has proved. */
  noteHandshake(peer: Peer, error: HushError | undefined): void;
  /** Notes something that no request asked for: start, stop, reload, the unlock at start; `code`: why it failed. */
  noteEvent(event: string, detail?: AuditEntry['detail'], profile?: string, code?: ErrorCode): void;
  /** Throws UNAVAILABLE while the audit cannot be written and the config says to refuse then. */
  requireWritable(): void;
  /** Writes what was noted, and a seal after each change. A failure is kept for `failure`. */
  flush(): void;
  /** Why the last flush did not write everything, while the config says to refuse then. */
  failure(): HushError | undefined;
  /** Puts what was written on the disk. */
  sync(): Promise<void>;
  /**
   * Once a second: counts what was left out, seals what is unsealed, keeps the heads in the vaults, and begins the next
   * file of each chain whose file is long enough.
   */
  tick(): Promise<void>;
}

/** A chain and, while its profile is unlocked, how to seal it and where its head is kept. */
export interface JournalChain {
  readonly chain: Chain;
  /** Whose it is; undefined for the daemon's own. */
  readonly profile: string | undefined;
  /** Whether the profile is unlocked, so that its chain can be sealed. */
  canSeal(): boolean;
  /** Appends a seal with the vault's commit counter and the end of the daemon's own chain. */
  seal(): void;
  /** Whether that end has moved since the last seal. */
  isBehindDaemon(): boolean;
  /** The keys that can vouch for the chain; undefined while all are locked up. */
  keys(): ChainKeys | undefined;
  /** Tells the vault which record is on the disk now, for its next commit, or at once. */
  keepHead(atOnce: boolean): void;
}

interface JournalParts {
  /** The chain of a profile that exists, else the daemon's. */
  readonly chainOf: (profile: string | undefined) => JournalChain;
  readonly chains: () => Iterable<JournalChain>;
  readonly config: () => Pick<AuditConfig, 'onFailure' | 'segmentBytes'>;
  readonly log: Logger;
  /** Meters the records of denials and the log of all refusals, so that a flood of them costs a bounded amount. */
  readonly meter: Buckets;
}

/** Records of denials that one identity may cause: a second, and at once. The rest is counted. */
const refusalRate = { rate: 10, burst: 200 };

/** So many records at most come between two seals. */
const mostUnsealed = 1_000;

/** A journal over the chains. */
export function createJournal(parts: JournalParts): Journal {
  const dirty = new Set<JournalChain>();
  const unsynced = new Set<JournalChain>();
  const changed = new Set<JournalChain>();
  const leftOut = createCounts();
  /** Chains that could not go on in another file when that was tried last. */
  const stuck = new WeakSet<Chain>();
  const self = processPrefix();
  let failed: HushError | undefined;
  let misplaced: HushError | undefined;

  const append = (to: JournalChain, entry: AuditEntry): void => {
    to.chain.append(entry);
    dirty.add(to);
    if (to.chain.unsealed() >= mostUnsealed && to.canSeal()) to.seal();
  };

  const appendFor = (profile: string | undefined, entry: AuditEntry): void => {
    const chains = new Set([parts.chainOf(profile)]);
    // The profile is locked then, and nothing vouches for its record; the daemon's chain is vouched for by others.
    if (entry.event === 'unlock' && entry.outcome !== 'ok') chains.add(parts.chainOf(undefined));
    for (const to of chains) append(to, entry);
  };

  const refusal = (
    peer: Peer,
    error: HushError,
    event: string,
    profile: string | undefined,
    key?: string,
  ): void => {
    const outcome = denials.has(error.code) ? 'denied' : 'failed';
    const isMetered = parts.meter.take(peer.identity.name, refusalRate) !== 0;
    if (isMetered && outcome === 'denied') {
      leftOut.add('denials.counted', peer.identity.name);
      return;
    }
    if (!isMetered) {
      parts.log.warn({
        event,
        outcome,
        code: error.code,
        client: peer.identity.name,
        peer: peer.identity.pid,
        profile,
      });
    }
    appendFor(profile, { event, who: peer.auditPrefix, outcome, code: error.code, profile, key });
  };

  const flush = (): void => {
    if (dirty.size === 0) return;
    let problem: HushError | undefined;
    for (const to of dirty) {
      try {
        if (changed.has(to) && to.canSeal()) to.seal();
        to.chain.flush();
        dirty.delete(to);
        changed.delete(to);
        unsynced.add(to);
      } catch (error) {
        if (!(error instanceof HushError)) throw error;
        problem = error;
      }
    }
    if (problem !== undefined && failed === undefined) {
      parts.log.error({ event: 'audit.failed', code: problem.code, message: problem.message });
    }
    failed = problem;
  };

  const sync = async (): Promise<void> => {
    const chains = [...unsynced];
    unsynced.clear();
    await Promise.all(
      chains.map(async (to) => {
        try {
          await to.chain.sync();
        } catch (error) {
          unsynced.add(to);
          throw error;
        }
        to.keepHead(false);
      }),
    );
  };

  const failure = (): HushError | undefined =>
    parts.config().onFailure === 'refuse' ? (misplaced ?? failed) : undefined;

  /** Records written to a file that was moved or removed would be kept by nobody. */
  const findMisplaced = (): void => {
    const before = misplaced;
    misplaced = [...parts.chains()].every(({ chain }) => chain.isInPlace())
      ? undefined
      : new HushError('UNAVAILABLE', 'the audit cannot be written: a file of it was moved or removed', {
          hint: 'hush stop, then hush start',
        });
    if (misplaced !== undefined && before === undefined) {
      parts.log.error({ event: 'audit.misplaced', message: misplaced.message });
    }
  };

  /** A chain that cannot go on in another file goes on in the one that it has. */
  const rotateLong = (): void => {
    for (const { chain } of parts.chains()) {
      if (chain.bytes() < parts.config().segmentBytes) continue;
      try {
        chain.rotate();
        stuck.delete(chain);
      } catch (error) {
        if (!(error instanceof HushError)) throw error;
        if (stuck.has(chain)) continue;
        stuck.add(chain);
        parts.log.error({
          event: 'audit.rotate',
          file: chain.file,
          code: error.code,
          message: error.message,
        });
      }
    }
  };

  return {
    note(peer, call, error, commit, alsoIn) {
      if (error !== undefined) {
        refusal(peer, error, call.name, call.profile, call.subject);
        return;
      }
      const to = parts.chainOf(call.profile);
      append(to, {
        event: call.name,
        who: peer.auditPrefix,
        outcome: 'ok',
        profile: call.profile,
        key: call.subject,
        commit,
      });
      if (commit !== undefined) changed.add(to);
      for (const profile of alsoIn ?? []) {
        append(parts.chainOf(profile), { event: call.name, who: peer.auditPrefix, outcome: 'ok', profile });
      }
    },
    noteUnread(peer, error) {
      refusal(peer, error, 'request', undefined);
    },
    noteGreeting(peer) {
      const { name } = peer.identity;
      if (parts.meter.take(`hello ${name}`, refusalRate) !== 0) leftOut.add('hello.counted', name);
      else append(parts.chainOf(undefined), { event: 'hello', who: peer.auditPrefix, outcome: 'ok' });
    },
    noteHandshake(peer, error) {
      if (error !== undefined) refusal(peer, error, 'handshake', undefined);
      else append(parts.chainOf(undefined), { event: 'handshake', who: peer.auditPrefix, outcome: 'ok' });
    },
    noteEvent(event, detail, profile, code) {
      appendFor(profile, {
        event,
        who: self,
        outcome: code === undefined && !event.endsWith('.failed') ? 'ok' : 'failed',
        profile,
        code,
        detail,
      });
    },
    requireWritable() {
      if (failed !== undefined) flush();
      const reason = failure();
      if (reason !== undefined) throw reason;
    },
    flush,
    failure,
    sync,
    async tick() {
      findMisplaced();
      for (const { event, client, count } of leftOut.take()) {
        const outcome = event === 'denials.counted' ? 'denied' : 'ok';
        append(parts.chainOf(undefined), { event, who: self, outcome, detail: { client, count } });
      }
      for (const to of parts.chains()) {
        if ((to.chain.unsealed() === 0 && !to.isBehindDaemon()) || !to.canSeal()) continue;
        dirty.add(to);
        changed.add(to);
      }
      flush();
      const sealed = [...unsynced];
      await sync();
      for (const to of sealed) to.keepHead(true);
      rotateLong();
    },
  };
}

const denials: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'BAD_REQUEST',
  'TOO_LARGE',
  'LIMIT_EXCEEDED',
  'LOCKED',
  'PROFILE_INACTIVE',
  'NO_SUCH_PROFILE',
  'UNIDENTIFIED',
  'RATE_LIMITED',
  'ACCESS_DENIED',
  'INVALID_NAME',
  'BACKOFF',
  'APPROVAL_PENDING',
  'APPROVAL_DENIED',
]);
