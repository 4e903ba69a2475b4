import type { KeyedLine } from '../../daemon/audit/check.ts';
import type { BadRecord } from '../../daemon/audit/verify.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Daemon } from '../daemon.ts';

/** Has seals and stubs proved by the daemon, which alone has the keys. */
export interface Proving {
  /** What the daemon said when it was last asked. */
  facts(): ResultOf<'audit.verify'>;
  /** Puts a line aside for the next question; the place is where it stands. */
  add(line: KeyedLine, place: Pick<BadRecord, 'file' | 'line'>): void;
  /** Asks about what was put aside, if that is much. */
  askSome(): Promise<void>;
  /** Asks about all that is left, and for what the vault remembers now. */
  askAll(): Promise<void>;
  /** Why no key has made a line; undefined if one has. */
  refusalOf(text: string): Promise<string | undefined>;
  /** The first line that no key has made. */
  bad(): BadRecord | undefined;
  /** How many were proved. */
  proved(): number;
}

/** A question must fit into a frame, and keep nobody waiting. */
const most = { lines: 250, bytes: 48 * 1024 };

/** Proving that has asked about nothing yet; `facts` are an answer without lines. */
export function createProving(daemon: Daemon, profile: string, first: ResultOf<'audit.verify'>): Proving {
  let facts = first;
  const waiting: (KeyedLine & Pick<BadRecord, 'file' | 'line'>)[] = [];
  let bad: BadRecord | undefined;
  let proved = 0;

  const ask = async (asked: typeof waiting): Promise<void> => {
    facts = await daemon.call('audit.verify', { profile, lines: asked.map(({ text }) => text) });
    const [found] = facts.bad;
    proved += asked.length - facts.bad.length;
    const place = found === undefined ? undefined : asked[found.index];
    if (found === undefined || place === undefined) return;
    bad ??= { file: place.file, line: place.line, seq: place.seq, why: found.why };
  };

  const askBatches = async (isLast: boolean): Promise<void> => {
    for (;;) {
      let bytes = 0;
      const count = waiting.findIndex(({ text }, index) => {
        bytes += text.length;
        return index >= most.lines || bytes > most.bytes;
      });
      if (count < 0 && !isLast) return;
      const asked = waiting.splice(0, count < 0 ? waiting.length : Math.max(1, count));
      await ask(asked);
      if (waiting.length === 0) return;
    }
  };

  return {
    facts: () => facts,
    add(line, place) {
      waiting.push({ ...line, file: place.file, line: place.line });
    },
    askSome: () => askBatches(false),
    askAll: () => askBatches(true),
    async refusalOf(text) {
      const [found] = (await daemon.call('audit.verify', { profile, lines: [text] })).bad;
      return found?.why;
    },
    bad: () => bad,
    proved: () => proved,
  };
}
