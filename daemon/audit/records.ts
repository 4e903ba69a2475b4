import { hash } from 'node:crypto';
import { HushError } from '../../protocol/errors.ts';

/** How what was asked ended: done, refused by a gate, or failed behind the gates. */
export type AuditOutcome = 'ok' | 'denied' | 'failed';

/** Who did something, as the daemon knows it; nothing in it was said by the peer. */
export interface AuditActor {
  readonly client: string;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly exe?: string;
}

/** An actor as the piece of JSON that its records share; made by `recordPrefix` alone. */
export type RecordPrefix = string & { readonly __brand: 'RecordPrefix' };

/** What happened. Never a value, a passphrase or a key. */
export interface AuditEntry {
  /** The operation, or an event of the daemon: `secret.get`, `chain.start`. */
  readonly event: string;
  readonly who: RecordPrefix;
  readonly outcome: AuditOutcome;
  readonly profile?: string | undefined;
  /** What it was about: `<scope>/<name>`, or `<keyring>/<namespace>/<key>`. */
  readonly key?: string | undefined;
  readonly code?: string | undefined;
  /** The vault's commit counter after a change. */
  readonly commit?: number | undefined;
  /** More facts of this event. */
  readonly detail?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** When a record is made. */
export interface AuditMoment {
  /** ISO 8601 in UTC with milliseconds, by the wall clock. */
  readonly time: string;
  /** Milliseconds since boot by CLOCK_MONOTONIC, whole. */
  readonly mono: number;
}

/** A place in a chain. `seq` 0 with `noHash` is the place before its first record. */
export interface ChainHead {
  readonly seq: number;
  /** 64 hex digits. */
  readonly hash: string;
}

/** One line as it is written, its closing LF included; ASCII, so that it has one byte a character. */
export interface RecordLine extends ChainHead {
  readonly text: string;
}

/** A record read back: the fields that chaining, sealing and verifying look at. */
export interface StoredRecord extends ChainHead {
  readonly prev: string;
  readonly event: string;
  readonly commit: number | undefined;
  /** Empty if the record has none. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** A record read back as far as chaining needs it. */
export interface RecordLink extends ChainHead {
  readonly prev: string;
  readonly event: string;
  readonly time: string;
}

/** What stands for the hash before the first record. */
export const noHash = '0'.repeat(64);

/** The number of this format of chains. */
export const chainFormat = 1;

/** The longest line that is written: the longest texts of every field, fully escaped, are under it. */
export const maxLineBytes = 65_536;

const maxText = 512;
const plainText = /^[ !#-[\]-~]*$/;
const notPrintable = /[^ -~]/;
const hashLength = 64;
const hashOpening = ',"hash":"';
const prevOpening = ',"prev":"';
const tailLength = hashOpening.length + hashLength + '"}'.length;
const hashPattern = /^[0-9a-f]{64}$/;
const tailPattern = /^,"hash":"([0-9a-f]{64})"\}$/;
const headPattern = /^\{"seq":([0-9]{1,16}),"time":"([^"\\]*)","mono":[0-9]+,"event":"([^"\\]*)"/;
/** What is between the previous hash and the hash of a line: a quotation mark. */
const prevEnd = 1;

/** The piece of JSON that all records of an actor share; made once a connection. */
export function recordPrefix({ client, uid, gid, pid, exe }: AuditActor): RecordPrefix {
  const program = exe === undefined ? '' : `,"exe":${jsonText(exe)}`;
  // The brand marks what this function alone makes: escaped JSON members.
  return `"client":${jsonText(client)},"uid":${uid},"gid":${gid},"pid":${pid}${program}` as RecordPrefix;
}

/**
 * The line that follows `head`. Its hash is the SHA-256 of all its bytes before `,"hash":"`; these hold the previous
 * hash. `quoted` may remember the JSON of events and profiles, which are few. `crypto.hash` on one string costs 0.9 µs here; `createHash` and libsodium take 2.2 µs for the same bytes.
 */
export function recordLine(
  entry: AuditEntry,
  head: ChainHead,
  moment: AuditMoment,
  quoted: (text: string) => string = jsonText,
): RecordLine {
  const seq = head.seq + 1;
  const body =
    `{"seq":${seq},"time":"${moment.time}","mono":${moment.mono},"event":${quoted(entry.event)}` +
    (entry.profile === undefined ? ',' : `,"profile":${quoted(entry.profile)},`) +
    entry.who +
    (entry.key === undefined ? '' : `,"key":${jsonText(entry.key)}`) +
    `,"outcome":"${entry.outcome}"` +
    (entry.code === undefined ? '' : `,"code":${jsonText(entry.code)}`) +
    (entry.commit === undefined ? '' : `,"commit":${entry.commit}`) +
    (entry.detail === undefined ? '' : `,"detail":${jsonObject(entry.detail)}`) +
    `${prevOpening}${head.hash}"`;
  const digest = hash('sha256', body, 'hex');
  return { seq, hash: digest, text: `${body}${hashOpening}${digest}"}\n` };
}

/**
 * The record that a line without its LF holds. Throws INTEGRITY with the reason if the bytes are not what their hash
 * says, or are no record. Whether it fits its neighbours is the caller's to see.
 */
export function readRecord(line: Buffer): StoredRecord {
  const body = line.subarray(0, Math.max(0, line.length - tailLength));
  const digest = tailPattern.exec(line.toString('latin1', body.length))?.[1];
  if (digest === undefined) throw new HushError('INTEGRITY', 'the line does not end with a hash');
  if (hash('sha256', body, 'hex') !== digest)
    throw new HushError('INTEGRITY', 'the hash does not fit the line');
  const text = line.toString('latin1');
  requireAscii(text);
  const { seq, prev, event, commit, detail } = parseObject(text);
  if (!isCount(seq) || !isHash(prev) || typeof event !== 'string') {
    throw new HushError('INTEGRITY', 'a field is missing or of the wrong type');
  }
  return {
    seq,
    hash: digest,
    prev,
    event,
    commit: isCount(commit) ? commit : undefined,
    detail: isObject(detail) ? detail : {},
  };
}

/**
 * As `readRecord`, for those who read very many and need less: all that is looked at in a line as it is written stands
 * at its beginning and its end, and JSON.parse would be half of the cost.
 */
export function readLink(line: Buffer): RecordLink {
  const text = line.toString('latin1');
  const head = headPattern.exec(text);
  const bodyEnd = text.length - tailLength;
  const prevStart = bodyEnd - prevEnd - hashLength;
  const isUsual =
    head !== null &&
    text.startsWith(hashOpening, bodyEnd) &&
    text.startsWith(prevOpening, prevStart - prevOpening.length);
  const seq = Number(head?.[1]);
  const prev = text.slice(prevStart, bodyEnd - prevEnd);
  if (!isUsual || !isCount(seq) || !isHash(prev)) return parsedLink(line);
  const digest = hash('sha256', text.slice(0, bodyEnd), 'hex');
  if (text.slice(bodyEnd) !== `${hashOpening}${digest}"}`)
    throw new HushError('INTEGRITY', 'the hash does not fit the line');
  requireAscii(text);
  return { seq, hash: digest, prev, event: head[3] ?? '', time: head[2] ?? '' };
}

/** Beyond ASCII a text and its bytes have different hashes. */
function requireAscii(text: string): void {
  if (notPrintable.test(text))
    throw new HushError('INTEGRITY', 'the line has bytes that are not printable ASCII');
}

function parsedLink(line: Buffer): RecordLink {
  const { seq, hash: digest, prev, event } = readRecord(line);
  const { time } = parseObject(line.toString('latin1'));
  return { seq, hash: digest, prev, event, time: typeof time === 'string' ? time : '' };
}

/** Whether a value read from JSON is a whole number from 0 that is exact. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether a value read from JSON is a hash: 64 lower-case hex digits. */
export function isHash(value: unknown): value is string {
  return typeof value === 'string' && hashPattern.test(value);
}

/**
 * A text as JSON that is inert everywhere: ASCII only, everything else and all control characters as `\uXXXX`. Longer
 * ones are cut to 512 UTF-16 units and end in `\u2026`, so that no peer decides how fast the audit grows.
 */
export function jsonText(text: string): string {
  const cut = text.length > maxText ? `${text.slice(0, maxText)}\u2026` : text;
  return plainText.test(cut) ? `"${cut}"` : asciiJson(JSON.stringify(cut));
}

/** JSON with everything in its texts that is not printable ASCII as `\uXXXX`; line ends outside of texts stay. */
export function asciiJson(json: string): string {
  return json.replace(
    /[^\n -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function jsonObject(fields: Readonly<Record<string, string | number | boolean>>): string {
  const members = Object.entries(fields).map(
    ([name, value]) => `${jsonText(name)}:${typeof value === 'string' ? jsonText(value) : String(value)}`,
  );
  return `{${members.join(',')}}`;
}

/** The object that a line of JSON is. Throws INTEGRITY for anything else. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new HushError('INTEGRITY', 'the line is no JSON object');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
