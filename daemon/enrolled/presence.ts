import { HushError } from '../../protocol/errors.ts';

/** Which enrolled clients are connected. */
export interface Presence {
  /** Notes a connection of a client, by how it can be ended; answers how to take it back. */
  enter(name: string, end: (reason: HushError) => void): () => void;
  /** How many connections of a client are open. */
  count(name: string): number;
  /** Ends all connections of a client that is one no more; answers how many. */
  expel(name: string): number;
}

/** A presence in which nobody is. */
export function createPresence(): Presence {
  const present = new Map<string, Set<(reason: HushError) => void>>();
  return {
    enter(name, end) {
      const ends = present.get(name) ?? new Set();
      present.set(name, ends);
      ends.add(end);
      return () => {
        ends.delete(end);
        if (ends.size === 0 && present.get(name) === ends) present.delete(name);
      };
    },
    count: (name) => present.get(name)?.size ?? 0,
    expel(name) {
      const ends = [...(present.get(name) ?? [])];
      present.delete(name);
      const reason = new HushError('UNIDENTIFIED', 'this client was removed from the daemon', {
        hint: 'ask the operator: hush client add NAME',
      });
      for (const end of ends) end(reason);
      return ends.length;
    },
  };
}
