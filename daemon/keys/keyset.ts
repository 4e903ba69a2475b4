import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { concatBytes, equalBytes, newBytes } from '../memory/plain-bytes.ts';
import { keysetMacPrefix } from './contexts.ts';
import { refuseNewerFormat } from './header.ts';
import { hmacSha256 } from './hmac.ts';
import { bytesOfBase64, bytesOfHex, hexOf, utf8 } from './text.ts';

/** What a key of the key set is for; a `legacy` one sealed values before there were data keys, and only opens. */
export type KeyUse = 'dek' | 'digest' | 'name-index' | 'audit' | 'legacy';

/** `active` seals and opens, `retired` only opens, `destroyed` is gone for good; there is no way back. */
export type KeyState = 'active' | 'retired' | 'destroyed';

const hex16 = z.string().regex(/^[0-9a-f]{16}$/);
const time = z.iso.datetime({ precision: 3 });
const text = z.string().max(512);
const wrappedLength = 12 + 32 + 16;

const keyEntry = z.strictObject({
  seq: z.int().min(1),
  type: z.literal('key'),
  id: hex16,
  use: z.enum(['dek', 'digest', 'name-index', 'audit', 'legacy']),
  keyring: text,
  tenant: text,
  version: z.int().min(1).max(0xffffffff),
  /** Empty once the key is destroyed and the key set was written anew without it. */
  wrapped: z.string().refine((value) => value === '' || bytesOfBase64(value)?.length === wrappedLength),
  createdAt: time,
  by: text,
});
const stateEntry = z.strictObject({
  seq: z.int().min(1),
  type: z.literal('state'),
  key: hex16,
  state: z.enum(['active', 'retired', 'destroyed']),
  at: time,
  by: text,
});
const entrySchema = z.discriminatedUnion('type', [keyEntry, stateEntry]);

/** A key of the key set as its entry says. */
export type KeyEntry = z.infer<typeof keyEntry>;
/** A change of a key's state as its entry says. */
export type StateEntry = z.infer<typeof stateEntry>;
/** One line of the key set after the first, without its MAC. */
export type KeysetEntry = KeyEntry | StateEntry;
/** An entry before it has its place in the chain. */
export type NewEntry = Omit<KeyEntry, 'seq'> | Omit<StateEntry, 'seq'>;

/** A key and the state it is in now, with when and by whom that came about. */
export interface KeyRecord {
  readonly entry: KeyEntry;
  readonly state: KeyState;
  readonly stateAt: string;
  readonly stateBy: string;
  /** When and by whom it was made to seal no more, if it ever was before it was destroyed. */
  readonly retired?: { readonly at: string; readonly by: string };
}

/** A key set whose chain has verified. It never changes; `addEntries` gives the next one. */
export interface Keyset {
  readonly vaultId: string;
  /** Raised when the whole key set is written anew (under a new vault key, or without a destroyed key). */
  readonly generation: number;
  /** All lines without their LF, the first one included: the same text in the file and in the vault. */
  readonly lines: readonly string[];
  /** The last entry: what the vault's root holds to notice a key set that was put back. */
  readonly head: { readonly seq: number; readonly mac: Uint8Array };
  /** All keys by id, in the order of their birth. */
  readonly keys: ReadonlyMap<string, KeyRecord>;
}

/** A line is at most this long, and a file of them as many bytes as 64 MiB. */
export const keysetLimits = { lineBytes: 8192, bytes: 64 * 1024 * 1024 } as const;

const magic = 'hushd-keyset';
const format = 1;
const firstLinePattern = /^hushd-keyset 1 ([0-9a-f]{32}) ([1-9][0-9]{0,14})$/;
const linePattern = /^(\{.*),"mac":"([0-9a-f]{64})"\}$/s;

const forged = (line: number, why: string): HushError =>
  new HushError('INTEGRITY', `the key set was tampered with: line ${line} ${why}`);

function macOf(macKey: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = newBytes(32);
  hmacSha256(macKey, concatBytes(utf8(keysetMacPrefix), ...parts), mac);
  return mac;
}

/** Throws NEWER_FORMAT when the first line of a key set says a higher number than ours. */
export function refuseNewerKeyset(firstLine: string): void {
  refuseNewerFormat(firstLine, magic, format, 'the key set');
}

/** The vault id and generation that a first line says. Throws NEWER_FORMAT, or INTEGRITY when it is none. */
export function parseFirstLine(line: string): { readonly vaultId: string; readonly generation: number } {
  refuseNewerKeyset(line);
  const [, vaultId, generation] = firstLinePattern.exec(line) ?? [];
  if (vaultId === undefined || generation === undefined) throw forged(1, 'is not the first of a key set');
  return { vaultId, generation: Number(generation) };
}

/** A key set without keys: generation 1 for `init`, a higher one to write all keys anew. */
export function emptyKeyset(vaultId: string, generation: number, macKey: Uint8Array): Keyset {
  const line = `${magic} ${format} ${vaultId} ${generation}`;
  return {
    ...parseFirstLine(line),
    lines: [line],
    head: { seq: 0, mac: macOf(macKey, utf8(line)) },
    keys: new Map(),
  };
}

/**
 * The key set with more entries at its end, and their lines. Throws BAD_REQUEST for a name that is too long, INTEGRITY
 * for an entry that does not fit what is there: a version that does not follow, a key that comes twice, a state that
 * has no way back.
 */
export function addEntries(
  keyset: Keyset,
  entries: readonly NewEntry[],
  macKey: Uint8Array,
): { readonly keyset: Keyset; readonly lines: readonly string[] } {
  const growing = growKeyset(keyset, macKey);
  const lines = entries.map((entry) => growing.add(entry));
  return { keyset: growing.finish(), lines };
}

/** A key set that gets one entry after the other. */
export interface GrowingKeyset {
  /** Puts an entry at the end and gives its line. Throws as `addEntries`. */
  add(entry: NewEntry): string;
  /** The key set with all that was added; nothing may be added after that. */
  finish(): Keyset;
}

/** The key set with nothing added yet. */
export function growKeyset(base: Keyset, macKey: Uint8Array): GrowingKeyset {
  const fold = startFold(base);
  const lines = [...base.lines];
  return {
    add(entry) {
      const { seq, mac: previous } = fold.head;
      const numbered = validEntry({ seq: seq + 1, ...entry });
      const unsigned = JSON.stringify(numbered);
      const mac = macOf(macKey, previous, utf8(unsigned));
      fold.add(numbered, mac);
      const line = `${unsigned.slice(0, -1)},"mac":"${hexOf(mac)}"}`;
      lines.push(line);
      return line;
    },
    finish: () => fold.finish(lines),
  };
}

function validEntry(entry: unknown): KeysetEntry {
  const parsed = entrySchema.safeParse(entry);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? 'entry';
  throw new HushError('BAD_REQUEST', `the key set cannot hold this ${field}`, { hint: 'use a shorter name' });
}

/**
 * The key set that the lines are, every MAC of the chain checked. Throws INTEGRITY for another vault's lines, a wrong
 * MAC, an entry that does not fit the ones before it; NEWER_FORMAT for an entry of a type that came later.
 */
export function readKeyset(lines: readonly string[], vaultId: string, macKey: Uint8Array): Keyset {
  const [first, ...rest] = lines;
  if (first === undefined) throw forged(1, 'is missing');
  const { vaultId: written, generation } = parseFirstLine(first);
  if (written !== vaultId) throw forged(1, 'belongs to another vault');
  const fold = startFold(emptyKeyset(vaultId, generation, macKey));
  for (const line of rest) {
    const [, body, mac] = linePattern.exec(line) ?? [];
    if (body === undefined || mac === undefined) throw forged(fold.lineNumber(), 'is not an entry');
    const unsigned = `${body}}`;
    const expected = macOf(macKey, fold.head.mac, utf8(unsigned));
    if (!equalBytes(expected, bytesOfHex(mac))) throw forged(fold.lineNumber(), 'has a wrong MAC');
    fold.add(parseEntry(unsigned, fold.lineNumber()), expected);
  }
  return fold.finish(lines);
}

/** All entries of a key set, the oldest first. */
export function entriesOf({ lines }: Keyset): readonly KeysetEntry[] {
  return lines.slice(1).map((line, at) => entryOf(line, at + 2));
}

/** The entry of a line, counted from 1, of a key set that has verified. */
export function entryOf(line: string, number: number): KeysetEntry {
  const [, body] = linePattern.exec(line) ?? [];
  return parseEntry(`${body}}`, number);
}

/** Whether a key set still holds the wrapped bytes of a key that was destroyed. */
export function hasDestroyedBytes({ keys }: Keyset): boolean {
  return [...keys.values()].some(({ entry, state }) => state === 'destroyed' && entry.wrapped !== '');
}

/** The same keys with the same history as a key set of the next generation, less the wrapped bytes of destroyed keys. */
export function withoutDestroyedBytes(keyset: Keyset, macKey: Uint8Array): Keyset {
  const entries = entriesOf(keyset).map((entry) =>
    entry.type === 'key' && keyset.keys.get(entry.id)?.state === 'destroyed'
      ? { ...entry, wrapped: '' }
      : entry,
  );
  return addEntries(emptyKeyset(keyset.vaultId, keyset.generation + 1, macKey), entries, macKey).keyset;
}

const typeOfEntry = z.object({ type: z.string() });

/** The entry of a line whose MAC has verified: what we do not know, a newer hushd wrote. */
function parseEntry(unsigned: string, line: number): KeysetEntry {
  const value: unknown = JSON.parse(unsigned);
  const parsed = entrySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const type = typeOfEntry.safeParse(value);
  if (type.success && type.data.type !== 'key' && type.data.type !== 'state') {
    throw new HushError('NEWER_FORMAT', `line ${line} of the key set was written by a newer hushd`);
  }
  throw forged(line, 'is not valid');
}

/**
 * The line of keys that an entry belongs to: its versions count up from 1, and those of data keys go past numbers that a
 * state which was given up may have had.
 */
const lineOf = (entry: KeyEntry): string => JSON.stringify([entry.use, entry.keyring, entry.tenant]);

const after: Readonly<Record<KeyState, readonly KeyState[]>> = {
  active: ['retired', 'destroyed'],
  retired: ['destroyed'],
  destroyed: [],
};

interface Fold {
  readonly head: { readonly seq: number; readonly mac: Uint8Array };
  lineNumber(): number;
  add(entry: KeysetEntry, mac: Uint8Array): void;
  finish(lines: readonly string[]): Keyset;
}

function startFold(base: Keyset): Fold {
  let head = base.head;
  const keys = new Map(base.keys);
  const newest = new Map<string, number>();
  for (const { entry } of keys.values()) newest.set(lineOf(entry), entry.version);
  const lineNumber = (): number => head.seq + 2;

  function addKey(entry: KeyEntry): void {
    const line = lineOf(entry);
    if (keys.has(entry.id)) throw forged(lineNumber(), 'repeats a key');
    const next = (newest.get(line) ?? 0) + 1;
    if (entry.version < next) throw forged(lineNumber(), 'gives a version again');
    if (entry.version > next && entry.use !== 'dek') throw forged(lineNumber(), 'skips a version');
    if (entry.use !== 'dek' && (entry.keyring !== '' || entry.tenant !== '')) {
      throw forged(lineNumber(), 'names a keyring where there is none');
    }
    newest.set(line, entry.version);
    keys.set(entry.id, { entry, state: 'active', stateAt: entry.createdAt, stateBy: entry.by });
  }

  function addState({ key, state, at, by }: StateEntry): void {
    const record = keys.get(key);
    if (record === undefined) throw forged(lineNumber(), 'speaks of a key that is not there');
    if (!after[record.state].includes(state))
      throw forged(lineNumber(), `makes a ${record.state} key ${state}`);
    const retired = state === 'retired' ? { at, by } : record.retired;
    const now = { entry: record.entry, state, stateAt: at, stateBy: by };
    keys.set(key, retired === undefined ? now : { ...now, retired });
  }

  return {
    get head() {
      return head;
    },
    lineNumber,
    add(entry, mac) {
      if (entry.seq !== head.seq + 1) throw forged(lineNumber(), 'is out of order');
      if (entry.type === 'key') addKey(entry);
      else addState(entry);
      head = { seq: entry.seq, mac };
    },
    finish(lines) {
      for (const { entry, state } of keys.values()) {
        if (entry.wrapped === '' && state !== 'destroyed') throw forged(lines.length, 'leaves a key out');
      }
      return { vaultId: base.vaultId, generation: base.generation, lines, head, keys };
    },
  };
}
