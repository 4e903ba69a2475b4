import { HushError } from '../../protocol/errors.ts';
import type { Output } from '../output.ts';
import type { Child } from './child.ts';
import { inOrder } from './problems.ts';
import type { Variables, VariableSources } from './variables.ts';
import { createWatch, untilChanged } from './watch.ts';

/** A child that runs, and what it takes to read its variables anew. */
export interface Renewal {
  readonly current: Variables;
  readonly sources: VariableSources;
  /** Between two looks. */
  readonly seconds: number;
  readonly read: () => Promise<Variables>;
  readonly child: Child;
  readonly output: Output;
}

/**
 * Waits until a value that the child was given has changed, and gives the variables anew after it has asked the child to
 * end; undefined when the child has ended by itself. While the new ones cannot be had the child goes on with the old.
 */
export async function renewed(renewal: Renewal): Promise<Variables | undefined> {
  const { current, sources, seconds, read, child, output } = renewal;
  const end = new AbortController();
  void child.ended.then(() => end.abort());
  const watch = createWatch(current.used, sources.selection);
  const tell = (error: unknown): void => {
    const reason = error instanceof HushError ? error.message : String(error);
    void output.note(`the command goes on with the values that it has: ${reason}`);
  };
  while (await untilChanged(watch, seconds, end.signal, tell)) {
    try {
      const next = await read();
      const [problem] = inOrder(next.problems);
      if (problem !== undefined) {
        tell(problem);
        continue;
      }
      if (end.signal.aborted) {
        next.wipe();
        return undefined;
      }
      await output.note('a value has changed: the command is asked to end, and started again');
      child.terminate();
      return next;
    } catch (error) {
      tell(error);
    }
  }
  return undefined;
}
