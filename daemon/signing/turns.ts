import { HushError } from '../../protocol/errors.ts';

/** Work that takes milliseconds, one piece a turn of the event loop, so that everybody else waits for one piece at most. */
export interface Turns {
  /** Runs `work` when it is its turn. Rejects with RATE_LIMITED where too much waits, and with what `work` throws. */
  take<Result>(work: () => Result): Promise<Result>;
}

/** How long to wait before trying again, in ms. */
const pauseMs = 100;

/** Turns for at most so many pieces at a time. */
export function createTurns(most: number): Turns {
  const waiting: (() => void)[] = [];

  const next = (): void => {
    const [first] = waiting;
    if (first === undefined) return;
    first();
    waiting.shift();
    if (waiting.length > 0) setImmediate(next);
  };

  return {
    take(work) {
      if (waiting.length >= most) {
        const message = `${most} signatures wait already`;
        return Promise.reject(new HushError('RATE_LIMITED', message, { retryAfterMs: pauseMs }));
      }
      return new Promise((resolve, reject) => {
        waiting.push(() => {
          try {
            resolve(work());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
        if (waiting.length === 1) setImmediate(next);
      });
    },
  };
}
