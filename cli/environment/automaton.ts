import { newBytes } from '../../protocol/bytes.ts';

/** A byte string to look for, and what stands for it. */
export interface Pattern {
  readonly bytes: Uint8Array;
  readonly label: string;
}

/**
 * All patterns as one automaton (Aho and Corasick, 1975): each byte of a text costs the same, however many patterns there
 * are. State 0 is the start.
 */
export interface Automaton {
  /** The state after a byte. */
  step(state: number, byte: number): number;
  /** How many bytes up to here may be the start of a pattern that goes on. */
  pending(state: number): number;
  /** The length of the longest pattern that ends here; 0 if none does. */
  matched(state: number): number;
  /** What stands for that pattern. */
  label(state: number): string;
  /** Whether a pattern starts with the byte: for each byte 1 or 0. */
  readonly starts: Uint8Array;
  /** Wipes the patterns; nothing may be asked any more. */
  wipe(): void;
}

const none = 0;

/** The automaton of some patterns; of several that are the same, the first counts. */
export function createAutomaton(patterns: readonly Pattern[]): Automaton {
  const most = patterns.reduce((sum, { bytes }) => sum + bytes.length, 1);
  const numbers = (length: number): Int32Array<ArrayBuffer> => new Int32Array(new ArrayBuffer(4 * length));
  const parent = numbers(most);
  const byteOf = newBytes(most);
  const depthOf = numbers(most);
  const failure = numbers(most);
  /** The pattern that ends in a state, from 1. */
  const pattern = numbers(most);
  const pendingOf = numbers(most);
  const starts = newBytes(256);
  const edges = createEdges(most);
  let size = 1;

  patterns.forEach(({ bytes }, index) => {
    let state = 0;
    for (const byte of bytes) {
      let next = edges.get(state, byte);
      if (next === none) {
        next = size++;
        edges.set(state, byte, next);
        parent[next] = state;
        // It goes on: a pattern that ends in a state without a next one is not waited for.
        pendingOf[state] = depthOf[state] ?? 0;
        byteOf[next] = byte;
        depthOf[next] = (depthOf[state] ?? 0) + 1;
      }
      state = next;
    }
    if (state !== 0 && pattern[state] === 0) pattern[state] = index + 1;
    if (bytes[0] !== undefined) starts[bytes[0]] = 1;
  });

  const step = (from: number, byte: number): number => {
    for (let state = from; ; state = failure[state] ?? 0) {
      const next = edges.get(state, byte);
      if (next !== none || state === 0) return next;
    }
  };

  // A state's failure is less deep than the state, so they are found level by level.
  for (const state of byDepth(depthOf, size)) {
    const up = parent[state] ?? 0;
    if (up !== 0) failure[state] = step(failure[up] ?? 0, byteOf[state] ?? 0);
    const shorter = failure[state] ?? 0;
    if (pattern[state] === 0) pattern[state] = pattern[shorter] ?? 0;
    if (pendingOf[state] === 0) pendingOf[state] = pendingOf[shorter] ?? 0;
  }

  const patternAt = (state: number): Pattern | undefined => patterns[(pattern[state] ?? 0) - 1];
  const lengths = numbers(size);
  const lengthOf = Int32Array.from([0, ...patterns.map(({ bytes }) => bytes.length)]);
  for (let state = 0; state < size; state += 1) lengths[state] = lengthOf[pattern[state] ?? 0] ?? 0;

  return {
    step,
    pending: (state) => pendingOf[state] ?? 0,
    matched: (state) => lengths[state] ?? 0,
    label: (state) => patternAt(state)?.label ?? '',
    starts,
    wipe() {
      byteOf.fill(0);
      edges.wipe();
      for (const { bytes } of patterns) bytes.fill(0);
    },
  };
}

/** The states but the first, those of less depth before those of more. */
function byDepth(depthOf: Int32Array, size: number): Int32Array {
  let deepest = 0;
  for (let state = 1; state < size; state += 1) deepest = Math.max(deepest, depthOf[state] ?? 0);
  const next = new Int32Array(deepest + 2);
  for (let state = 1; state < size; state += 1) {
    const above = (depthOf[state] ?? 0) + 1;
    next[above] = (next[above] ?? 0) + 1;
  }
  for (let depth = 1; depth < next.length; depth += 1)
    next[depth] = (next[depth] ?? 0) + (next[depth - 1] ?? 0);
  const ordered = new Int32Array(size - 1);
  for (let state = 1; state < size; state += 1) {
    const depth = depthOf[state] ?? 0;
    const place = next[depth] ?? 0;
    ordered[place] = state;
    next[depth] = place + 1;
  }
  return ordered;
}

interface Edges {
  /** The state behind a byte, or `none`. */
  get(state: number, byte: number): number;
  set(state: number, byte: number, next: number): void;
  wipe(): void;
}

/**
 * The steps of an automaton of at most `most` states. Most states have one next state at most, which is kept with them;
 * the first has a table, and the further ones of the others are in a hash table with open addressing.
 */
function createEdges(most: number): Edges {
  const root = new Int32Array(new ArrayBuffer(4 * 256));
  const firstNext = new Int32Array(new ArrayBuffer(4 * most));
  const firstByte = newBytes(most);
  const hasMore = newBytes(most);
  let count = 0;
  let slots = 1024;
  /** Places of a state (0: free), a byte, and the state behind it. */
  let states = new Int32Array(new ArrayBuffer(4 * slots));
  let bytes = newBytes(slots);
  let targets = new Int32Array(new ArrayBuffer(4 * slots));

  const slotOf = (state: number, byte: number): number => {
    const hash = Math.imul(Math.imul(state, 0x9e3779b1) ^ (byte + 1), 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & (slots - 1);
    while (states[slot] !== 0 && (states[slot] !== state || bytes[slot] !== byte))
      slot = (slot + 1) & (slots - 1);
    return slot;
  };
  const put = (state: number, byte: number, next: number): void => {
    const slot = slotOf(state, byte);
    states[slot] = state;
    bytes[slot] = byte;
    targets[slot] = next;
  };
  const grow = (): void => {
    const [oldStates, oldBytes, oldTargets] = [states, bytes, targets];
    slots *= 2;
    states = new Int32Array(new ArrayBuffer(4 * slots));
    bytes = newBytes(slots);
    targets = new Int32Array(new ArrayBuffer(4 * slots));
    oldStates.forEach((state, slot) => {
      if (state !== 0) put(state, oldBytes[slot] ?? 0, oldTargets[slot] ?? none);
    });
    oldBytes.fill(0);
  };

  return {
    get(state, byte) {
      if (state === 0) return root[byte] ?? none;
      if (firstByte[state] === byte) return firstNext[state] ?? none;
      return hasMore[state] === 0 ? none : (targets[slotOf(state, byte)] ?? none);
    },
    set(state, byte, next) {
      if (state === 0) root[byte] = next;
      else if (firstNext[state] === none) {
        firstNext[state] = next;
        firstByte[state] = byte;
      } else {
        hasMore[state] = 1;
        count += 1;
        if (2 * count > slots) grow();
        put(state, byte, next);
      }
    },
    wipe() {
      root.fill(0);
      for (const array of [firstByte, bytes]) array.fill(0);
    },
  };
}
