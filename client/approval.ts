import { setTimeout as delay } from 'node:timers/promises';
import { HushError } from '../protocol/errors.ts';
import { now } from './clock.ts';

/** How a call waits while somebody else has to approve it. */
export interface ApprovalWait {
  /** For how long at most, in milliseconds; `Infinity` until it is decided. */
  readonly waitMs: number;
  /** Told of each request that is waited for: once, and again when one has ended undecided and another took its place. */
  readonly onWaiting?: (pending: HushError) => void;
  /** Whether anybody still wants the answer: an approval must not go to who has left. */
  readonly isWanted?: () => boolean;
}

/** How long to wait before asking again where the daemon does not say, in milliseconds. */
const usualPauseMs = 1000;

/**
 * Asks until it is approved, and gives the answer. Rejects with APPROVAL_DENIED when it is refused, with
 * APPROVAL_PENDING when the time is over or the answer is not wanted any more, and at once with whatever else `ask`
 * rejects with.
 */
export async function whenApproved<Answer>(
  ask: () => Promise<Answer>,
  { waitMs, onWaiting, isWanted = () => true }: ApprovalWait,
): Promise<Answer> {
  const until = now() + waitMs;
  let request: string | undefined;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof HushError) || error.code !== 'APPROVAL_PENDING') throw error;
      const pause = error.retryAfterMs ?? usualPauseMs;
      if (now() + pause > until) throw error;
      if (error.approval !== request) onWaiting?.(error);
      request = error.approval;
      await delay(pause);
      if (!isWanted()) throw error;
    }
  }
}
