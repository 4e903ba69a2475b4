import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import { readSafeFile, syncFolder } from '../home/files.ts';
import { replaceFile } from '../keys/guarded-file.ts';
import type { Credential } from '../keys/slot.ts';
import {
  isSettled,
  lostBackoff,
  noBackoff,
  waitOf,
  withSuccess,
  withWrong,
  type Backoff,
} from './backoff.ts';
import { backoffFileBytes, decodeBackoff, encodeBackoff } from './backoff-format.ts';

/**
 * What stands between somebody who tries passphrases and the Argon2id of one profile. Keys and recovery keys pass:
 * nobody guesses those, and a guesser must not keep their owners out.
 */
export interface Guard {
  /**
   * Throws BACKOFF while the identity has to wait, if there is a passphrase among the credentials; NEWER_FORMAT,
   * UNSAFE_MODE or UNAVAILABLE when the file cannot be read.
   */
  requireTurn(identity: string, credentials: readonly Credential[]): void;
  /**
   * Runs `open`, which tries the credentials, and which resolves if they open the profile. With passphrases among them:
   * one attempt at a time; throws as `requireTurn`; each passphrase is on the disk as a wrong one before it is tried
   * (UNAVAILABLE if that fails), and forgotten with all others of this identity once the profile has opened.
   */
  attempt<Result>(
    identity: string,
    credentials: readonly Credential[],
    open: () => Promise<Result>,
  ): Promise<Result>;
}

/** What a guard has met that an operator should hear of. */
export interface GuardTrouble {
  /** The file was damaged, and everybody waits; or a success could not be put on the disk. */
  readonly kind: 'damaged' | 'unwritten';
  readonly error: HushError;
}

interface GuardParts {
  /** The file that keeps the delays over a restart. */
  readonly path: string;
  /** A clock in ms that never goes backwards; time in which the machine is suspended does not count. */
  readonly clock: () => number;
  /** When the daemon started, by that clock: what the file holds is served from then on. */
  readonly since: number;
  readonly onTrouble: (trouble: GuardTrouble) => void;
}

/** The guard of the profile whose file is at `path`; nothing is read before it is asked. */
export function createGuard({ path, clock, since, onTrouble }: GuardParts): Guard {
  let known: Backoff | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const present = (): Backoff => (known ??= load());

  const load = (): Backoff => {
    try {
      const bytes = readSafeFile(path, backoffFileBytes);
      return bytes === undefined ? noBackoff : decodeBackoff(bytes, since);
    } catch (error) {
      if (!(error instanceof HushError) || (error.code !== 'DAMAGED' && error.code !== 'TOO_LARGE'))
        throw error;
      onTrouble({ kind: 'damaged', error });
      return lostBackoff(clock());
    }
  };

  const put = (next: Backoff): void => {
    if (isSettled(next)) remove(path);
    else replaceFile(path, encodeBackoff(next, clock()));
    known = next;
  };

  const requireTurn: Guard['requireTurn'] = (identity, credentials) => {
    if (passphrasesIn(credentials) === 0) return;
    const wait = waitOf(present(), identity, clock());
    if (wait === 0) return;
    throw new HushError('BACKOFF', 'too many wrong passphrases were given for this profile', {
      retryAfterMs: wait,
      hint: 'wait, then try again; a 32-byte key or a recovery key opens it without waiting',
    });
  };

  const forgive = (identity: string): void => {
    try {
      if (!isSettled(present())) put(withSuccess(present(), identity));
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      if (known !== undefined) known = withSuccess(known, identity);
      onTrouble({ kind: 'unwritten', error });
    }
  };

  const tryPassphrases = async <Result>(
    identity: string,
    credentials: readonly Credential[],
    open: () => Promise<Result>,
  ): Promise<Result> => {
    requireTurn(identity, credentials);
    put(withWrong(present(), identity, passphrasesIn(credentials), clock()));
    try {
      const opened = await open();
      forgive(identity);
      return opened;
    } catch (error) {
      // The delay is that between two attempts, however long this one took.
      known = withWrong(present(), identity, 0, clock());
      throw error;
    }
  };

  return {
    requireTurn,
    async attempt(identity, credentials, open) {
      if (passphrasesIn(credentials) === 0) {
        const opened = await open();
        forgive(identity);
        return opened;
      }
      const mine = last.then(() => tryPassphrases(identity, credentials, open));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

const passphrasesIn = (credentials: readonly Credential[]): number =>
  credentials.filter(({ kind }) => kind === 'passphrase').length;

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
    syncFolder(dirname(path));
  } catch (error) {
    throw diskError('cannot remove the file of the back-off', error);
  }
}
