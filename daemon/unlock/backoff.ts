/** Wrong passphrases in a row, and until when the next has to wait. */
export interface Debt {
  readonly wrong: number;
  /** In milliseconds of the clock that all times here are taken from. */
  readonly until: number;
}

/** What the wrong passphrases of a profile have come to: of each identity, and of all of them together. */
export interface Backoff {
  readonly total: Debt;
  readonly identities: ReadonlyMap<string, Debt>;
}

/** So many wrong passphrases cost no delay; the next one `firstMs`, and each after it twice as much. */
interface Rule {
  readonly free: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

/** One identity: after fourteen wrong passphrases it has one attempt in five minutes. */
export const ownRule: Rule = { free: 2, firstMs: 500, longestMs: 300_000 };

/**
 * All identities together: it bounds guessers who have many, and is short, so that one guesser, who has an attempt in
 * five minutes, takes little of anybody else's time.
 */
export const totalRule: Rule = { free: 29, firstMs: 500, longestMs: 10_000 };

/** Identities that are counted apart; past that, new ones are counted together under `othersName`. */
export const mostIdentities = 1024;
/** No identity has this name. */
export const othersName = '*';
/** Where counting ends: the delay has long been the longest by then. */
export const mostWrong = 1_000_000_000;

const none: Debt = { wrong: 0, until: 0 };

/** The state in which nobody has given a wrong passphrase. */
export const noBackoff: Backoff = { total: none, identities: new Map() };

/** The state to assume where the true one was lost: nobody tries a passphrase for as long as the longest delay takes. */
export function lostBackoff(since: number): Backoff {
  return { total: { wrong: mostWrong, until: since + ownRule.longestMs }, identities: new Map() };
}

/** How long an identity has to wait before its next passphrase, in whole milliseconds. */
export function waitOf({ total, identities }: Backoff, identity: string, now: number): number {
  const own = identities.get(nameIn(identities, identity)) ?? none;
  return Math.max(0, Math.ceil(Math.max(own.until, total.until) - now));
}

/** The state after `count` wrong passphrases of an identity. With 0, its delays begin anew: an attempt has ended. */
export function withWrong(backoff: Backoff, identity: string, count: number, now: number): Backoff {
  const name = nameIn(backoff.identities, identity);
  const identities = new Map(backoff.identities);
  identities.set(name, grown(identities.get(name) ?? none, ownRule, count, now));
  return { total: grown(backoff.total, totalRule, count, now), identities };
}

/** The state after a success of an identity: what it owed is forgotten, and so is the total, but nobody else's debt. */
export function withSuccess(backoff: Backoff, identity: string): Backoff {
  const identities = new Map(backoff.identities);
  identities.delete(nameIn(identities, identity));
  return { total: none, identities };
}

/** Whether nobody owes anything. */
export const isSettled = ({ total, identities }: Backoff): boolean =>
  total.wrong === 0 && identities.size === 0;

function grown({ wrong, until }: Debt, rule: Rule, count: number, now: number): Debt {
  const more = Math.min(mostWrong, wrong + count);
  return { wrong: more, until: Math.max(until, now + delayAfter(more, rule)) };
}

/** How long the attempt after so many wrong ones has to wait, in milliseconds. */
export function delayAfter(wrong: number, { free, firstMs, longestMs }: Rule): number {
  return wrong <= free ? 0 : Math.min(longestMs, firstMs * 2 ** (wrong - free - 1));
}

const nameIn = (identities: ReadonlyMap<string, Debt>, identity: string): string =>
  identities.has(identity) || identities.size < mostIdentities ? identity : othersName;
