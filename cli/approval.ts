import { whenApproved } from '../client/approval.ts';
import type { Output } from './output.ts';

/** The text of `--wait`, for the commands that read a value. */
export const waitOption = [
  '--wait',
  'where somebody else must approve it, wait until they have decided',
] as const;

/** The answer to a question that may need somebody's approval: at once, or once they have decided with `--wait`. */
export function answerTo<Answer>(
  ask: () => Promise<Answer>,
  wait: true | undefined,
  output: Output,
): Promise<Answer> {
  if (!wait) return ask();
  return whenApproved(ask, {
    waitMs: Infinity,
    onWaiting: ({ hint }) => void output.note(`waiting: ${hint}`),
  });
}
