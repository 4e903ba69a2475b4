import type { HushError } from '../../protocol/errors.ts';
import type { Agreement, Handshake } from './channel.ts';
import type { Request } from './message.ts';

/** What a request ends with: the result, or why not. */
export type Outcome = { readonly ok: object } | { readonly error: HushError };

/** Where requests go to be served. */
export interface Service {
  /** What it must wait for before it knows whose requests these are; undefined once it knows. Never rejects. */
  whenKnown(): Promise<void> | undefined;
  /** Starts a request of this connection; `settle` is called once, in this turn or a later one. */
  begin(request: Request, settle: (outcome: Outcome) => void): void;
  /** Says that all the requests which arrived together have begun. */
  endTurn(): void;
  /** Told that hello was answered. */
  greeted(): void;
  /** Told of what was refused before it was a request, or for a limit of the connection. */
  refused(error: HushError): void;
  /** Whether this peer must send and get values with field encryption. */
  wantsFields(): boolean;
  /** Answers a handshake. Throws UNIDENTIFIED for whatever is wrong with it, and RATE_LIMITED. */
  handshake(handshake: Handshake): Agreement;
}
