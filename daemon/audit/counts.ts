/** What is told as a number, since one record each would let a peer decide how fast the audit grows. */
export interface Counts {
  /** Counts one event of a client. */
  add(event: string, client: string): void;
  /** All that was counted since the last call. */
  take(): readonly Counted[];
}

/** So many events of one kind, of one client or of all for whom there was no room. */
export interface Counted {
  readonly event: string;
  readonly client: string;
  readonly count: number;
}

/** Clients that are counted apart, for each event; past that they are counted together. */
const mostClients = 256;
const others = 'others';

/** Counts that are all zero. */
export function createCounts(): Counts {
  const events = new Map<string, Map<string, number>>();
  return {
    add(event, client) {
      const clients = events.get(event) ?? new Map<string, number>();
      events.set(event, clients);
      const name = clients.has(client) || clients.size < mostClients ? client : others;
      clients.set(name, (clients.get(name) ?? 0) + 1);
    },
    take() {
      const counted = [...events].flatMap(([event, clients]) =>
        [...clients].map(([client, count]) => ({ event, client, count })),
      );
      events.clear();
      return counted;
    },
  };
}
