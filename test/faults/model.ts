/** What a name holds: a value, or nothing. */
export type State = Uint8Array | undefined;

/** A write on its way: to be told when the daemon has acknowledged it, or that it was refused and did nothing. */
export interface Write {
  acknowledge(): void;
  refuse(): void;
}

/** What a store may hold, given what was asked of it and what it has acknowledged. */
export interface Model {
  /** Notes that a client asks for a state; each client is served in order. */
  write(client: object, name: string, state: State): Write;
  /**
   * The states of a name that do not contradict any acknowledgement: the last acknowledged one, and those of writes
   * that may have come after it.
   */
  possible(name: string): readonly State[];
  /** All names that were ever written. */
  names(): readonly string[];
  /** Takes what was found as the truth from here on. */
  settle(name: string, found: State): void;
}

interface Noted {
  readonly client: object;
  readonly state: State;
  readonly sent: number;
  acknowledged: number | undefined;
}

/** A model of registers, one a name, that hold nothing at first. */
export function createModel(): Model {
  const registers = new Map<string, Noted[]>();
  const nobody = {};
  let clock = 0;

  const registerOf = (name: string): Noted[] => {
    const register = registers.get(name) ?? [settled(undefined)];
    registers.set(name, register);
    return register;
  };
  const settled = (state: State): Noted => ({ client: nobody, state, sent: clock, acknowledged: clock });

  return {
    write(client, name, state) {
      const register = registerOf(name);
      clock += 1;
      const noted: Noted = { client, state, sent: clock, acknowledged: undefined };
      register.push(noted);
      return {
        acknowledge() {
          clock += 1;
          noted.acknowledged = clock;
          registers.set(
            name,
            registerOf(name).filter((earlier) => !isOver(earlier, noted)),
          );
        },
        refuse() {
          registers.set(
            name,
            registerOf(name).filter((other) => other !== noted),
          );
        },
      };
    },
    possible: (name) => registerOf(name).map(({ state }) => state),
    names: () => [...registers.keys()],
    settle(name, found) {
      clock += 1;
      registers.set(name, [settled(found)]);
    },
  };
}

/** Whether a write is overwritten for certain by a later, acknowledged one. */
function isOver(earlier: Noted, later: Noted): boolean {
  if (earlier === later) return false;
  const ordered = earlier.client === later.client && earlier.sent < later.sent;
  return ordered || (earlier.acknowledged !== undefined && earlier.acknowledged < later.sent);
}

/** Whether two states are the same. */
export function sameState(a: State, b: State): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}
