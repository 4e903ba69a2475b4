import { readFileSync } from 'node:fs';
import { type Checkpoint, isCheckpoint, parseCheckpoint } from '../../daemon/audit/checkpoint.ts';
import type { ExpectedRecord, Found } from '../../daemon/audit/check.ts';
import type { ChainPart } from '../../daemon/audit/parts.ts';
import type { BadRecord } from '../../daemon/audit/verify.ts';
import { diskError } from '../../daemon/home/disk-errors.ts';
import { HushError } from '../../protocol/errors.ts';

/** A checkpoint as it was given. */
export interface GivenCheckpoint extends Checkpoint {
  /** How messages call it. */
  readonly name: string;
  readonly text: string;
}

/** The checkpoints that a word stands for: one itself, or a file with one a line. Throws BAD_REQUEST, UNAVAILABLE. */
export function checkpointsIn(word: string): readonly GivenCheckpoint[] {
  if (isCheckpoint(word)) return [given(word.trim(), 'the checkpoint')];
  const checkpoints = linesOf(word).flatMap((line, index): GivenCheckpoint[] => {
    const text = line.trim();
    return text === '' ? [] : [given(text, `${word}, line ${index + 1}`)];
  });
  if (checkpoints.length > 0) return checkpoints;
  throw new HushError('BAD_REQUEST', `there is no checkpoint in ${word}`);
}

function given(text: string, name: string): GivenCheckpoint {
  try {
    return { ...parseCheckpoint(text), name, text };
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    const code = error.code === 'NEWER_FORMAT' ? error.code : 'BAD_REQUEST';
    throw new HushError(code, `${name}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    throw diskError(`cannot read ${path}`, error);
  }
}

/** How checkpoints compare with a chain that was found to be whole. */
export interface Comparison {
  readonly passed: number;
  /** Those of records that are not there to be looked at: only a stub tells of them, or they come before the files given. */
  readonly unseen: number;
  /** Those that are of another audit. */
  readonly others: number;
}

/** Compares with those checkpoints that the verifier was given as expected, of `given` ones; undefined for none. */
export function comparisonOf(
  checkpoints: readonly Checkpoint[],
  { firstSeq, stubbed }: Found,
  given: number,
): Comparison | undefined {
  if (given === 0) return undefined;
  const isUnseen = ({ seq }: Checkpoint): boolean =>
    seq < firstSeq || (stubbed !== undefined && seq < stubbed.lastSeq);
  const unseen = checkpoints.filter(isUnseen).length;
  return { passed: checkpoints.length - unseen, unseen, others: given - checkpoints.length };
}

/** Checkpoints beside a chain. */
export interface Against {
  readonly used: readonly GivenCheckpoint[];
  readonly expected: readonly ExpectedRecord[];
  /** What is wrong where a checkpoint is of a chain that should be this one, and is not. */
  bad(files: readonly ChainPart[]): BadRecord | undefined;
}

/** The checkpoints of the chain that begins so; `chain` is its name, where that is known. */
export function checkpointsFor(
  checkpoints: readonly GivenCheckpoint[],
  start: string | undefined,
  chain: string | undefined,
): Against {
  const used = checkpoints.filter((checkpoint) => checkpoint.start === start);
  const others = checkpoints.filter((checkpoint) => checkpoint.start !== start && checkpoint.chain === chain);
  const [stray] = chain === undefined && used.length === 0 ? checkpoints : others;
  return {
    used,
    expected: used.map(({ seq, hash, name }) => ({ seq, hash, by: name })),
    bad: (files) =>
      stray === undefined
        ? undefined
        : {
            file: files[0]?.name ?? '',
            line: 1,
            seq: 1,
            why: `it is not the chain of ${stray.name}: that began otherwise`,
          },
  };
}
