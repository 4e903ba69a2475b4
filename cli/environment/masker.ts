import { newBytes } from '../../protocol/bytes.ts';
import type { Automaton, Pattern } from './automaton.ts';

/** Replaces patterns in a stream of bytes, wherever its chunks are cut. */
export interface Masker {
  /** Takes a chunk, and gives all that no further byte can change. */
  push(chunk: Uint8Array): Uint8Array;
  /** Gives the rest, at the end. */
  end(): Uint8Array;
}

const nothing = newBytes(0);

/** A stretch of the stream that patterns cover, by its places in it. */
interface Run {
  start: number;
  end: number;
  label: string;
  /** Of the longest pattern in it, whose label it has. */
  length: number;
}

/**
 * A masker for one stream. Every byte that is part of any pattern is replaced: stretches of patterns that overlap become
 * one label, that of the longest pattern in them, the first of equally long ones. What may be the start of a pattern is
 * held back, and nothing more.
 */
export function createMasker(automaton: Automaton): Masker {
  let held = newBytes(64 * 1024);
  /** The place in the stream of the first byte of `held`, of the first that was not given out, and of the next to come. */
  let base = 0;
  let given = 0;
  let next = 0;
  let state = automaton.start;
  /** Stretches that were not given out, from first to last; they do not overlap. */
  let runs: Run[] = [];

  const hold = (chunk: Uint8Array): void => {
    const kept = next - given;
    if (next - base + chunk.length > held.length) {
      const target = kept + chunk.length > held.length / 2 ? newBytes(2 * (kept + chunk.length)) : held;
      const rest = held.subarray(given - base, next - base);
      if (target === held) held.copyWithin(0, given - base, next - base);
      else {
        target.set(rest);
        held.fill(0);
      }
      held = target;
      base = given;
    }
    held.set(chunk, next - base);
  };

  const cover = (end: number, { bytes: { length }, label }: Pattern): void => {
    const start = end - length;
    let run = runs.at(-1);
    if (run === undefined || run.end <= start) {
      runs.push({ start, end, label, length });
      return;
    }
    for (let before = runs.at(-2); before !== undefined && before.end > start; before = runs.at(-2)) {
      if (run.length > before.length) ({ label: before.label, length: before.length } = run);
      run = before;
      runs.pop();
    }
    if (length > run.length) {
      run.label = label;
      run.length = length;
    }
    run.start = Math.min(run.start, start);
    run.end = end;
  };

  /** Everything before the place `safe`, as far as it is settled. */
  const giveUpTo = (safe: number): Uint8Array => {
    const parts: Uint8Array[] = [];
    const giveText = (end: number): void => {
      if (end > given) parts.push(held.slice(given - base, end - base));
      given = Math.max(given, end);
    };
    let settled = 0;
    for (let run = runs[0]; run !== undefined && run.end <= safe; run = runs[++settled]) {
      giveText(run.start);
      parts.push(Buffer.from(`[hush:${run.label}]`));
      given = Math.max(given, run.end);
    }
    if (settled > 0) runs = runs.slice(settled);
    giveText(Math.min(safe, runs[0]?.start ?? safe));
    // What a stretch covers that still grows need not be kept: it may grow for ever.
    given = Math.max(given, safe);
    const [only = nothing] = parts;
    return parts.length < 2 ? only : Buffer.concat(parts);
  };

  return {
    push(chunk) {
      hold(chunk);
      const { start, starts } = automaton;
      const first = next;
      for (let index = 0; index < chunk.length; index += 1) {
        if (state === start) {
          while (index < chunk.length && starts[chunk[index] ?? 0] === 0) index += 1;
          if (index >= chunk.length) break;
        }
        state = automaton.step(state, chunk[index] ?? 0);
        const ended = automaton.ended(state);
        if (ended !== undefined) cover(first + index + 1, ended);
      }
      next = first + chunk.length;
      return giveUpTo(next - automaton.pending(state));
    },
    end() {
      const rest = giveUpTo(next);
      held.fill(0);
      return rest;
    },
  };
}
