import { newBytes } from '../../protocol/bytes.ts';

/** A byte string to look for, and what stands for it. */
export interface Pattern {
  readonly bytes: Uint8Array;
  readonly label: string;
}

/** What is known of a text up to some byte of it. */
export interface State {
  /** How many bytes up to here may be the start of a pattern that goes on. */
  readonly pending: number;
  /** The longest pattern that ends here. */
  readonly ended: Pattern | undefined;
}

/**
 * All patterns as one automaton (Aho and Corasick, 1975): each byte of a text costs the same, however many patterns there
 * are. States are made when a text first comes to them, because most of what is looked for never comes.
 */
export interface Automaton {
  readonly start: State;
  /** The state after a byte; the state before it is one that this automaton gave. */
  step(state: State, byte: number): State;
  /** Whether a pattern starts with the byte: for each byte 1 or 0. */
  readonly starts: Uint8Array;
  /** Wipes the patterns; nothing may be asked any more. */
  wipe(): void;
}

/** The state of a text that ends with the first `depth` bytes of some patterns, and of no pattern more. */
interface Node {
  readonly depth: number;
  /** The last of those bytes. */
  readonly byte: number;
  /** Those patterns, in their order; there is one, except in the start of no patterns. */
  readonly through: readonly Pattern[];
  /** The state of the longest end of that text that patterns start with too; undefined until a text comes here. */
  failure: Node | undefined;
  pending: number;
  ended: Pattern | undefined;
  /** The states one byte further in the patterns; undefined until one is asked for. */
  behind: readonly Node[] | undefined;
  /** Where there are several of those, the state after each byte, as far as it is known. */
  after: (Node | undefined)[] | undefined;
}

/** The automaton of some patterns, none of them empty; of several that are the same, the first counts. */
export function createAutomaton(patterns: readonly Pattern[]): Automaton {
  const start = createNode(patterns, 0);
  const starts = newBytes(256);
  for (const { bytes } of patterns) starts[bytes[0] ?? 0] = 1;
  /** Those of all states: they tell bytes of the patterns. */
  const tables: (Node | undefined)[][] = [];

  const unfold = (node: Node): readonly Node[] => {
    const behind = groups(node).map((through) => createNode(through, node.depth + 1));
    if (node === start) for (const first of behind) first.failure = start;
    if (behind.length > 1) tables.push((node.after = Array<Node | undefined>(256).fill(undefined)));
    return (node.behind = behind);
  };

  const find = (from: Node, byte: number): Node => {
    /** States that nobody came to before; the failure of each is the state that is found after it. */
    let made: Node[] | undefined;
    let found = start;
    for (let node: Node | undefined = from; node !== undefined; node = node.failure) {
      const known = node.after?.[byte];
      const next = known ?? (node.behind ?? unfold(node)).find((one) => one.byte === byte);
      if (next === undefined) continue;
      if (next.failure !== undefined || next === start) {
        found = next;
        break;
      }
      (made ??= []).push(next);
    }
    for (let node = made?.pop(); node !== undefined; node = made?.pop()) {
      node.failure = found;
      node.ended ??= found.ended;
      if (node.pending === 0) node.pending = found.pending;
      found = node;
    }
    if (from.after !== undefined) from.after[byte] = found;
    return found;
  };

  return {
    start,
    step(state, byte) {
      // Every state that it has given is a node.
      const node = state as Node;
      return node.after?.[byte] ?? find(node, byte);
    },
    starts,
    wipe() {
      starts.fill(0);
      for (const table of tables) table.fill(undefined);
      for (const { bytes } of patterns) bytes.fill(0);
    },
  };
}

/** A state as far as it tells by itself: without what patterns tell that start later. */
function createNode(through: readonly Pattern[], depth: number): Node {
  let ended: Pattern | undefined;
  let pending = 0;
  for (const pattern of through) {
    if (pattern.bytes.length > depth) pending = depth;
    else ended ??= pattern;
  }
  const byte = through[0]?.bytes[depth - 1] ?? 0;
  return { depth, byte, through, failure: undefined, pending, ended, behind: undefined, after: undefined };
}

/** The patterns of a state that go on, those with the same next byte together. */
function groups({ through, depth }: Node): (readonly Pattern[])[] {
  const [only] = through;
  // The usual way, and much the longest.
  if (through.length === 1) return only !== undefined && only.bytes.length > depth ? [through] : [];
  const longer = through.filter(({ bytes }) => bytes.length > depth);
  const places = new Map<number, Pattern[]>();
  for (const pattern of longer) {
    const byte = pattern.bytes[depth] ?? 0;
    const group = places.get(byte);
    if (group === undefined) places.set(byte, [pattern]);
    else group.push(pattern);
  }
  return [...places.values()];
}
