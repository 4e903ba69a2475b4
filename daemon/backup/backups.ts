import { randomBytes } from 'node:crypto';

import { HushError } from '../../protocol/errors.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { hasDestroyedBytes } from '../keys/keyset.ts';
import type { Profiles } from '../profiles/profiles.ts';
import { backupsFact, backupsOf, withBackup, withoutBackup, type BackupFact } from '../vault/backup-facts.ts';
import { capture, type Captured } from './capture.ts';
import { streamOf, type BackupStream, type Source } from './stream.ts';

/** What is told of a backup that has begun. */
export interface BegunBackup {
  readonly id: string;
  /** Of the whole backup, in bytes. */
  readonly size: number;
  readonly createdAt: string;
  readonly vaultId: string;
  /** The number of the vault's last commit that it holds. */
  readonly commit: number;
}

/** What came of a backup at its end. */
export interface EndedBackup {
  /** Whether all of it had been read, so that there may be a copy. */
  readonly complete: boolean;
  /** The commit by which the vault remembers how it ended; undefined where it does so already. */
  readonly commit: number | undefined;
}

/** The backups that are under way, one a profile. */
export interface Backups {
  /**
   * Begins a backup of an unlocked profile; it ends with its connection, of whose close `whenClosed` tells. Throws
   * CONFLICT while there is another, LOCKED, UNAVAILABLE.
   */
  begin(profile: string, whenClosed: (listener: () => void) => () => void): Promise<BegunBackup>;
  /**
   * The bytes at an offset, at most as many as a chunk has, fewer at the end. Throws NOT_FOUND for another id, EXPIRED
   * and CONFLICT when it has ended before its time, BAD_REQUEST for an offset that was not read up to. After the last
   * byte was read no other can be.
   */
  read(profile: string, id: string, offset: number): Promise<Uint8Array>;
  /**
   * Ends a backup. The vault, which remembers each one from its beginning, forgets one that was not read to its end, and
   * takes note of one that is `kept`. Throws as `read` does.
   */
  end(profile: string, id: string, kept: boolean): EndedBackup;
}

/** What backups are taken with. */
export interface BackupsParts {
  readonly profiles: Profiles;
  /** The most bytes that one read gives. */
  readonly chunkBytes: number;
  /** How long a backup may stay without a read, and how long it may take in all, in milliseconds. */
  readonly idleMs: number;
  readonly totalMs: number;
}

interface Running {
  readonly fact: BackupFact;
  readonly captured: Captured;
  stream: BackupStream | undefined;
  /** Why it has ended before its time; undefined while it goes on. */
  ended: HushError | undefined;
  readonly end: (why: HushError) => void;
  /** Takes back what was asked to tell of the connection's close. */
  forget: () => void;
  /** Begins the wait for the next read anew. */
  readonly touch: () => void;
}

/** Nothing is under way at first. */
export function createBackups({ profiles, chunkBytes, idleMs, totalMs }: BackupsParts): Backups {
  /** The newest backup of each profile, which goes on unless it has `ended`. */
  const newest = new Map<string, Running>();

  function start(name: string): Running {
    const profile = parseProfileName(name);
    const session = profiles.session(name);
    const { vault, keyring } = session;
    const id = randomBytes(16).toString('hex');
    const createdAt = new Date().toISOString();
    const settled = profiles.settle(name);
    const keyset = keyring.keyset();
    const { generation, lines, keys } = keyset;
    const fact: BackupFact = {
      id,
      at: createdAt,
      // Remembering it is a commit of its own, so that the copy knows of itself: it may be all that is left one day.
      commit: vault.commitCounter() + 1,
      keysetGeneration: generation,
      keysetLines: lines.length,
      keys: keys.size,
      ...(hasDestroyedBytes(keyset) ? { unerased: true } : {}),
      kept: false,
    };
    vault.remember(
      backupsFact,
      withBackup(withoutUnfinished(name, backupsOf(vault.facts.get(backupsFact))), fact),
    );
    const captured = capture({ id, createdAt }, profile, session, settled);
    const running: Running = {
      fact,
      captured,
      stream: undefined,
      ended: undefined,
      end(why) {
        if (running.ended !== undefined) return;
        running.ended = why;
        clearTimeout(idle);
        clearTimeout(total);
        running.forget();
        captured.end();
      },
      forget: () => undefined,
      touch() {
        if (running.ended !== undefined) return;
        clearTimeout(idle);
        idle = setTimeout(endIfIdle, idleMs).unref();
      },
    };
    const endIfIdle = (): void => {
      if (!isComplete(running)) running.end(expired(`nothing of it was read for ${idleMs / 1000} s`));
    };
    const endInAnyCase = (): void => {
      running.end(expired(`it took over ${totalMs / 60_000} minutes`));
    };
    let idle = setTimeout(endIfIdle, idleMs).unref();
    const total = setTimeout(endInAnyCase, totalMs).unref();
    newest.set(name, running);
    return running;
  }

  /** Of one that ended before its time nobody has a copy. */
  function withoutUnfinished(name: string, list: readonly BackupFact[]): readonly BackupFact[] {
    const before = newest.get(name);
    return before === undefined || isComplete(before) ? list : withoutBackup(list, before.fact.id);
  }

  const isComplete = ({ stream }: Running): boolean => stream?.isComplete() ?? false;

  /** Why a backup goes on no more; undefined while it does. */
  function endOf(running: Running): HushError | undefined {
    const broken = isComplete(running) ? undefined : running.captured.broken();
    if (broken !== undefined) running.end(broken);
    return running.ended;
  }

  function find(name: string, id: string): Running & { readonly stream: BackupStream } {
    const running = newest.get(name);
    if (running?.fact.id !== id || running.stream === undefined) {
      throw new HushError('NOT_FOUND', 'there is no such backup under way', {
        hint: 'hush backup create FILE',
      });
    }
    const ended = endOf(running);
    if (ended !== undefined) throw ended;
    // The check above makes it true.
    return running as Running & { readonly stream: BackupStream };
  }

  /** Runs a step of a backup; whatever goes wrong with the files ends it, for they are of one moment or of none. */
  async function step<Result>(running: Running, take: () => Promise<Result>): Promise<Result> {
    try {
      const result = await take();
      if (endOf(running) === undefined) return result;
    } catch (error) {
      if (error instanceof HushError && error.code === 'BAD_REQUEST') throw error;
      running.end(
        error instanceof HushError ? error : new HushError('UNAVAILABLE', 'the backup failed inside'),
      );
      if (!(error instanceof HushError)) throw error;
    }
    throw running.ended ?? new HushError('UNAVAILABLE');
  }

  return {
    async begin(name, whenClosed) {
      const before = newest.get(name);
      if (before !== undefined && endOf(before) === undefined) {
        throw new HushError('CONFLICT', `a backup of the profile ${name} is under way already`, {
          hint: 'wait until it is done, then try again',
        });
      }
      const running = start(name);
      const { facts, sources, macOf } = running.captured;
      running.forget = whenClosed(() => {
        running.end(new HushError('CONFLICT', 'the connection that took the backup is gone'));
      });
      // To hash a large vault takes its time: that is no idleness.
      const watched = sources.map((source) => whenRead(source, running.touch));
      running.stream = await step(running, () => streamOf(watched, facts, macOf));
      running.touch();
      const { id, createdAt, vaultId, commit } = facts;
      return { id, size: running.stream.size, createdAt, vaultId, commit };
    },
    async read(name, id, offset) {
      const running = find(name, id);
      running.touch();
      const bytes = await step(running, () => running.stream.read(offset, chunkBytes));
      // The client may need long to put all of it on its disk, and the vault's file need not wait for that.
      if (isComplete(running)) running.captured.end();
      return bytes;
    },
    end(name, id, kept) {
      const running = find(name, id);
      const complete = isComplete(running);
      newest.delete(name);
      running.end(new HushError('NOT_FOUND', 'the backup has ended'));
      if (complete && !kept) return { complete, commit: undefined };
      const { vault } = profiles.session(name);
      const list = backupsOf(vault.facts.get(backupsFact));
      const after = complete ? withBackup(list, { ...running.fact, kept }) : withoutBackup(list, id);
      return { complete, commit: vault.remember(backupsFact, after) };
    },
  };
}

/** The same source, which tells of each of its reads. */
const whenRead = (source: Source, told: () => void): Source => ({
  ...source,
  read(bytes, offset) {
    told();
    return source.read(bytes, offset);
  },
});

const expired = (why: string): HushError =>
  new HushError('EXPIRED', `the backup has ended: ${why}`, { hint: 'hush backup create FILE' });
