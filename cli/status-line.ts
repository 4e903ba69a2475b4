import { printable } from '../protocol/printable.ts';
import { isGiven } from './switches.ts';

/** A line on a terminal that tells how far something is. */
export interface StatusLine {
  /** Draws the line anew, at most ten times a second. */
  show(text: () => string): void;
  /** Takes the line away; what is told on the terminal afterwards begins at its left. */
  clear(): void;
}

const redrawMs = 100;
const clearLine = '\r\x1b[K';

/** A status line on standard error, where that is a terminal and `isWanted`; with `--quiet` and else it shows nothing. */
export function createStatusLine(isWanted: boolean): StatusLine {
  const isShown = isWanted && process.stderr.isTTY && !isGiven('--quiet');
  let drawnAt = -Infinity;
  return {
    show(text) {
      if (!isShown || performance.now() - drawnAt < redrawMs) return;
      drawnAt = performance.now();
      const columns = process.stderr.columns || 80;
      process.stderr.write(clearLine + printable(text()).slice(0, columns - 1));
    },
    clear() {
      if (drawnAt > -Infinity) process.stderr.write(clearLine);
      drawnAt = -Infinity;
    },
  };
}
