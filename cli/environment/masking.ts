import { createAutomaton, type Pattern } from './automaton.ts';
import { leastMaskedBytes, maskedForms } from './masked-forms.ts';
import { createMasker, type Masker } from './masker.ts';
import type { Used } from './variables.ts';

/** Makes maskers for the values that a child was given. */
export interface Masking {
  /** A masker for one stream of output. */
  open(): Masker;
  /** Wipes what it knows of the values. */
  wipe(): void;
}

/** The masking of values; nothing is worked out before the first masker is asked for. */
export function createMasking(used: readonly Used[]): Masking {
  let automaton: ReturnType<typeof createAutomaton> | undefined;
  return {
    open() {
      automaton ??= createAutomaton(used.flatMap(patternsOf));
      return createMasker(automaton);
    },
    wipe: () => automaton?.wipe(),
  };
}

/** The secrets whose values are too short to be masked, as labels call them. */
export const tooShort = (used: readonly Used[]): string[] =>
  used.filter(({ value: { length } }) => length > 0 && length < leastMaskedBytes).map(labelOf);

const patternsOf = (one: Used): Pattern[] =>
  maskedForms(one.value).map((bytes) => ({ bytes, label: labelOf(one) }));

/** What stands for a value: its name, and the scope where that is not `global`. */
const labelOf = ({ target: { path } }: Used): string => (path.scope === 'global' ? path.name : path.text);
