import { HushError } from '../../protocol/errors.ts';
import { createChainCheck, type ExpectedRecord, type KeyedLine } from './check.ts';
import { type ChainPart, eachLine, filePart } from './parts.ts';
import { proveLine } from './prove-line.ts';
import { type ChainHead, maxLineBytes, readRecord } from './records.ts';
import { blockBytes, type ChainKeys } from './retention.ts';
import { chainFiles } from './segments.ts';
import { readStub } from './stubs.ts';

/** Records of the daemon's own chain, from the first to the last. */
export interface RecordRange {
  /** The hash of the chain's first record. */
  readonly start: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** The chain of a profile whose seals remember where the daemon's own stood. */
export interface VouchingChain {
  readonly folder: string;
  /** How messages call its seals. */
  readonly by: string;
  /** Undefined once nobody can prove them any more. */
  readonly keys: () => ChainKeys | undefined;
}

/**
 * The places in a range that the seals of a profile remember, and the first one behind it: in the order in which they were
 * sealed, so that a seal of later, which may vouch for what somebody else has put there, is not asked. The profile's chain
 * is checked up to there. Undefined where the keys went meanwhile. Throws INTEGRITY where that chain was changed,
 * UNAVAILABLE.
 */
export async function placesVouchedFor(
  { folder, by, keys }: VouchingChain,
  range: RecordRange,
): Promise<readonly ExpectedRecord[] | undefined> {
  const places = new Map<string, ExpectedRecord>();
  const reached = { isBehind: false, isLocked: false };
  const check = createChainCheck({
    onKeyed(line) {
      const known = keys();
      reached.isLocked ||= known === undefined;
      if (known === undefined || isOfAnother(line, known.vaultId)) return;
      proveLine(line.text, known.vaultId, known.secretOf);
      if (line.daemon?.start !== range.start || line.daemon.seq < range.firstSeq) return;
      const { seq, hash } = line.daemon;
      places.set(placeName(line.daemon), { seq, hash, by });
      reached.isBehind ||= seq >= range.lastSeq;
    },
  });
  const isDone = (): boolean => reached.isBehind || reached.isLocked;
  const { stubs, segments } = chainFiles(folder);
  for (const path of [...(stubs === undefined ? [] : [stubs]), ...segments.map((segment) => segment.path)]) {
    if (isDone()) break;
    await readPart(filePart(path, blockBytes), check, isDone).catch((error: unknown) => {
      if (!(error instanceof HushError)) throw error;
      throw new HushError(error.code, `${path}: ${error.message}`, { hint: error.hint, cause: error });
    });
  }
  return reached.isLocked ? undefined : [...places.values()];
}

async function readPart(
  part: ChainPart,
  check: ReturnType<typeof createChainCheck>,
  isDone: () => boolean,
): Promise<void> {
  if (part.kind === 'segment' && !check.beginSegment(part.number)) return;
  const take = part.kind === 'stubs' ? check.stub : check.record;
  await eachLine(part, maxLineBytes, (line) => {
    take(line);
    return !isDone();
  });
}

/** What the vault that was here before has left proves nothing; what comes behind it vouches for its hashes. */
function isOfAnother({ kind, text }: KeyedLine, vaultId: string): boolean {
  const line = Buffer.from(text, 'latin1');
  return (kind === 'seal' ? readRecord(line).detail['vault'] : readStub(line).vaultId) !== vaultId;
}

const placeName = ({ seq, hash }: ChainHead): string => `${seq} ${hash}`;
