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

/** What asks a program to end, whoever runs it. */
const ending = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const;

/**
 * Waits until a value that the child was given has changed, and gives the variables anew once the child has ended because
 * of that; undefined when it has ended by itself, or is to end for somebody else too. While the new ones cannot be had the
 * child goes on with the old, and they are asked for again at each look.
 */
export async function renewed(renewal: Renewal): Promise<Variables | undefined> {
  const { current, sources, seconds, read, child, output } = renewal;
  const end = new AbortController();
  void child.ended.then(() => end.abort());
  const watch = createWatch(current.used, sources.selection);
  // Who reads our errors no more is not told; the child goes on.
  const say = (text: string): Promise<void> => output.note(text).catch(() => undefined);
  const tell = (error: unknown): Promise<void> =>
    say(`the command goes on with the values that it has: ${reasonOf(error)}`);
  let told = '';
  while (await untilChanged(watch, seconds, end.signal, tell)) {
    const next = await newOnes(read);
    if (next instanceof Error) {
      if (told !== next.message) await tell(next);
      told = next.message;
      continue;
    }
    const isToEnd = child.signals().has('SIGTERM');
    if (!end.signal.aborted) {
      await say('a value has changed: the command is asked to end, and started again');
      child.terminate();
      await child.ended;
      const meanwhile = child.signals();
      if (!isToEnd && !ending.some((signal) => meanwhile.has(signal))) return next;
    }
    next.wipe();
    return undefined;
  }
  return undefined;
}

/** The variables anew, or what keeps us from having them. */
async function newOnes(read: () => Promise<Variables>): Promise<Variables | Error> {
  try {
    const next = await read();
    return inOrder(next.problems)[0] ?? next;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
