import { newBytes } from '../../protocol/bytes.ts';

/** A byte string to look for, and what stands for it. */
export interface Pattern {
  readonly bytes: Uint8Array;
  readonly label: string;
}

/** What is known of a text up to some byte of it; which number that is the automaton alone knows. */
export type State = number;

/**
 * All patterns as one automaton (Aho and Corasick, 1975): each byte of a text costs the same, however many patterns there
 * are. States are made when a text first comes to them, because most of what is looked for never comes.
 */
export interface Automaton {
  readonly start: State;
  /** The state after a byte; the state before it is one that this automaton gave. */
  step(state: State, byte: number): State;
  /** How many bytes up to here may be the start of a pattern that goes on. */
  pending(state: State): number;
  /** The longest pattern that ends here. */
  ended(state: State): Pattern | undefined;
  /** Whether a pattern starts with the byte: for each byte 1 or 0. */
  readonly starts: Uint8Array;
  /** Wipes the patterns; nothing may be asked any more. */
  wipe(): void;
}

/*
 * A state stands for the texts that end with the first `depth` bytes of the patterns of a group, and of no pattern more.
 * There are as many as bytes of all values that a text holds: a row of numbers each, which takes a tenth of the room of an
 * object. These are the columns.
 */
const depth = 0;
/** The last of those bytes. */
const last = 1;
const group = 2;
/** The state of the longest end of those texts that patterns start with too; none until a text comes here. */
const failure = 3;
const pending = 4;
/** The number of a pattern. */
const ended = 5;
/** The only state one byte further in the patterns; else the fork, counted down from `firstFork`; none until it is asked for. */
const further = 6;
const columns = 7;

const none = -1;
const firstFork = -2;

/** The automaton of some patterns, none of them empty; of several that are the same, the first counts. */
export function createAutomaton(patterns: readonly Pattern[]): Automaton {
  const starts = newBytes(256);
  for (const { bytes } of patterns) starts[bytes[0] ?? 0] = 1;
  /** Patterns by their numbers, in their order. */
  const groups: (readonly number[])[] = [];
  /** Where patterns part, the state after each byte as far as it is known; the first is where patterns only end. */
  const forks = [new Int32Array()];
  let table = new Int32Array(columns * 1024);
  let count = 0;

  const bytesOf = (pattern: number): Uint8Array => patterns[pattern]?.bytes ?? starts;
  const get = (state: State, column: number): number => table[state * columns + column] ?? none;
  const set = (state: State, column: number, value: number): void => {
    table[state * columns + column] = value;
  };
  /** The fork that a way leads to; to look for places that no array has would take most of the time. */
  const forkAt = (way: number): Int32Array | undefined =>
    way > firstFork ? undefined : forks[firstFork - way];

  /** A state as far as it tells by itself: without what patterns tell that start later. */
  const make = (ofGroup: number, atDepth: number): State => {
    const state = count++;
    if (count * columns > table.length) {
      const larger = new Int32Array(2 * table.length);
      larger.set(table);
      table.fill(0);
      table = larger;
    }
    const through = groups[ofGroup] ?? [];
    const [first = none] = through;
    const goesOn = through.some((pattern) => bytesOf(pattern).length > atDepth);
    const whole = through.find((pattern) => bytesOf(pattern).length === atDepth);
    set(state, depth, atDepth);
    set(state, last, bytesOf(first)[atDepth - 1] ?? none);
    set(state, group, ofGroup);
    set(state, failure, atDepth <= 1 ? start : none);
    set(state, pending, goesOn ? atDepth : 0);
    set(state, ended, whole ?? none);
    set(state, further, none);
    return state;
  };

  /** Makes the states one byte further, and tells the way to them. */
  const unfold = (state: State): number => {
    const through = groups[get(state, group)] ?? [];
    const next = get(state, depth) + 1;
    const [only = none] = through;
    // The usual way, and much the longest.
    if (through.length === 1) return bytesOf(only).length < next ? firstFork : make(get(state, group), next);
    const parted = new Map<number, number[]>();
    for (const pattern of through) {
      const byte = bytesOf(pattern)[next - 1];
      if (byte === undefined) continue;
      const same = parted.get(byte);
      if (same === undefined) parted.set(byte, [pattern]);
      else same.push(pattern);
    }
    const makeFor = (some: readonly number[]): State =>
      make(some.length === through.length ? get(state, group) : groups.push(some) - 1, next);
    const [first] = parted.values();
    if (first === undefined) return firstFork;
    if (parted.size === 1) return makeFor(first);
    const fork = new Int32Array(256).fill(none);
    for (const [byte, some] of parted) fork[byte] = makeFor(some);
    return firstFork - (forks.push(fork) - 1);
  };

  /** The state that is known to follow, if only because patterns go on so. */
  const following = (state: State, byte: number): State => {
    let way = get(state, further);
    if (way === none) set(state, further, (way = unfold(state)));
    if (way < 0) return forkAt(way)?.[byte] ?? none;
    return get(way, last) === byte ? way : none;
  };

  const isReached = (state: State): boolean => state !== none && get(state, failure) !== none;

  const find = (from: State, byte: number): State => {
    /** States that nobody came to before; the failure of each is the state that is found after it. */
    let made: State[] | undefined;
    let found = none;
    for (let state = from; found === none; state = get(state, failure)) {
      const next = following(state, byte);
      if (isReached(next)) found = next;
      else if (next !== none) (made ??= []).push(next);
      else if (state === start) found = start;
    }
    for (const state of made?.reverse() ?? []) {
      set(state, failure, found);
      if (get(state, ended) === none) set(state, ended, get(found, ended));
      if (get(state, pending) === 0) set(state, pending, get(found, pending));
      found = state;
    }
    const fork = forkAt(get(from, further));
    if (fork !== undefined) fork[byte] = found;
    return found;
  };

  const start = 0;
  groups.push([...patterns.keys()]);
  make(0, 0);
  return {
    start,
    step(state, byte) {
      const next = following(state, byte);
      return isReached(next) ? next : find(state, byte);
    },
    pending: (state) => get(state, pending),
    ended(state) {
      const pattern = get(state, ended);
      return pattern === none ? undefined : patterns[pattern];
    },
    starts,
    wipe() {
      starts.fill(0);
      table.fill(0);
      for (const fork of forks) fork.fill(0);
      for (const { bytes } of patterns) bytes.fill(0);
    },
  };
}
