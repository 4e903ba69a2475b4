/** Those who want to be told of something, by the name of the event. */
export interface Listeners<Event extends string> {
  /** Adds a listener; answers the function that takes it away again. */
  on(event: Event, listener: () => void): () => void;
  /** Tells each listener in a microtask of its own, so that what one throws harms neither teller nor others. */
  tell(event: Event): void;
}

/** A list of listeners with nobody on it. */
export function createListeners<Event extends string>(): Listeners<Event> {
  const entries = new Set<{ readonly event: Event; readonly listener: () => void }>();
  return {
    on(event, listener) {
      const entry = { event, listener };
      entries.add(entry);
      return () => {
        entries.delete(entry);
      };
    },
    tell(event) {
      for (const entry of entries) if (entry.event === event) queueMicrotask(entry.listener);
    },
  };
}
