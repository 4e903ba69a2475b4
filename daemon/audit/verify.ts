import { HushError } from '../../protocol/errors.ts';
import { type CheckOptions, createChainCheck, type Found, type KeyedLine } from './check.ts';
import { type ChainPart, eachLine, filePart } from './parts.ts';
import { maxLineBytes } from './records.ts';

/** The first thing that is wrong with a chain. */
export interface BadRecord {
  /** The name of the part that it is in, or that it should be in. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The number that the record should have. */
  readonly seq: number;
  readonly why: string;
  /** Set where only a newer version can tell whether anything is wrong at all. */
  readonly code?: 'NEWER_FORMAT';
}

/** What a verifier may know besides the chain, and what it is told on the way. */
export interface VerifyOptions extends Omit<CheckOptions, 'onKeyed'> {
  /** Told of each seal and stub, for who has them proved elsewhere. */
  readonly onKeyed?: (line: KeyedLine, place: Pick<BadRecord, 'file' | 'line'>) => void;
  /** Awaited whenever some thousand lines were looked at. */
  readonly afterBlock?: () => Promise<void>;
}

/** What a chain holds, up to its first bad record. */
export interface Verification extends Found {
  /** Bytes after the last whole line: a crash, or a write that is just going on; the next `openChain` cuts them off. */
  readonly tornBytes: number;
  readonly bad: BadRecord | undefined;
}

/** Verifies the chain in one file, or in several in their order: see `verifyParts`. */
export function verifyChain(
  path: string | readonly string[],
  options: VerifyOptions = {},
): Promise<Verification> {
  return verifyParts(
    (typeof path === 'string' ? [path] : path).map((one) => filePart(one)),
    options,
  );
}

/** Reads a chain from its beginning and checks every record and stub. Throws UNAVAILABLE if it cannot be read. */
export async function verifyParts(
  parts: readonly ChainPart[],
  options: VerifyOptions = {},
): Promise<Verification> {
  const { onKeyed, afterBlock, ...known } = options;
  const check = createChainCheck({
    ...known,
    ...(onKeyed === undefined ? {} : { onKeyed: (keyed) => onKeyed(keyed, { file, line }) }),
  });
  let file = parts[0]?.name ?? '';
  let line = 0;
  let tornBytes = 0;
  const resultWith = (why?: string, code?: BadRecord['code']): Verification => ({
    ...check.found(),
    tornBytes,
    bad:
      why === undefined
        ? undefined
        : { file, line: Math.max(1, line), seq: check.nextSeq(), why, ...(code && { code }) },
  });
  try {
    for (const part of parts) {
      if (tornBytes > 0)
        throw new HushError('INTEGRITY', 'the line has no end, and more of the chain follows');
      if (part.kind === 'segment' && !check.beginSegment(part.number)) continue;
      file = part.name;
      line = part.linesBefore ?? 0;
      const take = part.kind === 'stubs' ? check.stub : check.record;
      const takeNext = (bytes: Buffer): boolean => {
        line += 1;
        take(bytes);
        return true;
      };
      tornBytes = await eachLine(part, maxLineBytes, takeNext, afterBlock);
      line += 1;
      // A stub that a crash has torn is written anew: its segment is still there.
      if (part.kind === 'stubs') tornBytes = 0;
    }
    check.end();
    return resultWith();
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    if (error.code === 'NEWER_FORMAT') return resultWith(error.message, error.code);
    if (error.code !== 'INTEGRITY') throw error;
    return resultWith(error.message);
  }
}
