import { HushError } from '../protocol/errors.ts';
import type { ErrorCode } from '../protocol/errors.ts';

/** What a recovery needs. */
export interface RecoveryOptions {
  /** Tries whether service is back; rejects if it is not. */
  probe(): Promise<unknown>;
  onOutage(): void;
  onRecovery(): void;
}

/** Watches for the end of an outage: the platform re-arms its consumers only when it is told. */
export interface Recovery {
  /** A call has been answered. */
  succeeded(): void;
  /** A call has failed; begins to probe if the error means that service is out. */
  failed(error: unknown): void;
  stop(): void;
}

const outageCodes: readonly ErrorCode[] = [
  'UNREACHABLE',
  'DEADLINE',
  'LOCKED',
  'PROFILE_INACTIVE',
  'UNAVAILABLE',
];

const firstPauseMs = 100;
/** Asking a socket that is not there costs nothing; asking a locked daemon leaves a record each time. */
const longestPauseMs = { absent: 1000, refusing: 10_000 };

/** A recovery in which service is up. Its timers do not keep the process alive. */
export function createRecovery({ probe, onOutage, onRecovery }: RecoveryOptions): Recovery {
  let out = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let pauseMs = firstPauseMs;

  const schedule = (longest: number): void => {
    timer = setTimeout(tryAgain, pauseMs).unref();
    pauseMs = Math.min(pauseMs * 2, longest);
  };

  const tryAgain = (): void => {
    probe().then(recovery.succeeded, (error: unknown) => {
      const absent = error instanceof HushError && error.code === 'UNREACHABLE';
      if (out && !stopped) schedule(absent ? longestPauseMs.absent : longestPauseMs.refusing);
    });
  };

  const recovery: Recovery = {
    succeeded() {
      if (!out || stopped) return;
      out = false;
      clearTimeout(timer);
      onRecovery();
    },
    failed(error) {
      if (out || stopped || !(error instanceof HushError) || !outageCodes.includes(error.code)) return;
      out = true;
      pauseMs = firstPauseMs;
      onOutage();
      schedule(longestPauseMs.absent);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
  return recovery;
}
