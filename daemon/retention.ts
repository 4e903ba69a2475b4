import { HushError } from '../protocol/errors.ts';
import type { ExpectedRecord } from './audit/check.ts';
import { type ChainKeys, giveUpOldest, type KeepLimits } from './audit/retention.ts';
import type { StubFacts } from './audit/stubs.ts';
import { placesVouchedFor, type RecordRange } from './audit/vouched-places.ts';
import type { JournalChain } from './journal.ts';

/** What gives up the oldest files of the audit. */
export interface Retention {
  /** Once a second: looks at the chains whose turn it is, one after the other, behind the back of all requests. */
  tick(): void;
  /** Resolves when it looks at nothing any more; then it looks no more. */
  end(): Promise<void>;
}

interface RetentionParts {
  readonly chains: () => Iterable<JournalChain>;
  readonly limits: () => KeepLimits;
  /** Told of each file that a stub has taken the place of. */
  readonly onStub: (chain: JournalChain, stub: StubFacts) => void;
  /** Told, once each, why files stay that the limits do not keep. */
  readonly onTrouble: (chain: JournalChain, error: HushError) => void;
}

/** How often a chain is looked at that goes on in the same file. */
const lookMs = 60_000;

/** Retention that has looked at nothing yet. */
export function createRetention(parts: RetentionParts): Retention {
  const looked = new WeakMap<JournalChain, { readonly at: number; readonly segment: number }>();
  const told = new WeakMap<JournalChain, string>();
  const now = createCautiousClock();
  let running: Promise<void> | undefined;
  let isEnding = false;

  const isDue = (to: JournalChain): boolean => {
    const last = looked.get(to);
    return last?.segment !== to.chain.segment() || performance.now() - last.at >= lookMs;
  };

  const keysOf = (to: JournalChain): ChainKeys | undefined => (isEnding ? undefined : to.keys());

  /** What the seals of all open profiles remember of the daemon's own chain. */
  const placesIn = async (range: RecordRange): Promise<readonly ExpectedRecord[] | undefined> => {
    const places: ExpectedRecord[] = [];
    for (const to of [...parts.chains()]) {
      if (to.profile === undefined || keysOf(to) === undefined) continue;
      const by = `a seal of profiles/${to.profile}`;
      const found = await placesVouchedFor({ folder: to.chain.folder, by, keys: () => keysOf(to) }, range);
      if (found === undefined) return undefined;
      places.push(...found);
    }
    return places;
  };

  const look = async (to: JournalChain): Promise<void> => {
    const { chain } = to;
    looked.set(to, { at: performance.now(), segment: chain.segment() });
    try {
      await giveUpOldest(
        {
          folder: chain.folder,
          newest: chain.segment(),
          ...(to.profile === undefined ? { places: placesIn } : {}),
          keys: () => keysOf(to),
        },
        parts.limits(),
        now(),
        (stub) => {
          parts.onStub(to, stub);
        },
      );
      told.delete(to);
    } catch (error) {
      const known =
        error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error });
      if (told.get(to) !== known.message) parts.onTrouble(to, known);
      told.set(to, known.message);
    }
  };

  return {
    tick() {
      if (running !== undefined || isEnding) return;
      const due = [...parts.chains()].filter((to) => to.keys() !== undefined && isDue(to));
      if (due.length === 0) return;
      const lookAtAll = async (): Promise<void> => {
        for (const to of due) await look(to);
        running = undefined;
      };
      running = lookAtAll();
    },
    async end() {
      isEnding = true;
      await running;
    },
  };
}

/** The time in ms since 1970, but never later than the start plus what has passed since: a jump makes nothing old. */
function createCautiousClock(): () => number {
  const started = Date.now() - performance.now();
  return () => Math.min(Date.now(), started + performance.now());
}
