import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { formatOf } from '../configure/formats.ts';
import type { Finding, Rule, Severity } from './finding.ts';
import { scanText } from './scan-text.ts';

/** So much of a file is in memory at a time, in bytes, and in a string of the same size. */
const chunkBytes = 4 * 1024 * 1024;
/** A file that has a NUL byte in its first bytes is no text. */
const sniffedBytes = 8192;
const lineFeed = 0x0a;
/** No more findings of one file are told, and no more of its references looked up. */
const mostInFile = 1000;

/** A line that holds this is passed over. */
const ignoreMark = 'hush-scan: ignore';

/** A reference and where it stands. */
export interface PlacedReference {
  readonly text: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What was found in one file. */
export interface ScannedFile {
  readonly bytes: number;
  readonly findings: readonly Finding[];
  readonly references: readonly PlacedReference[];
  /** How many findings stand on lines that are to be passed over. */
  readonly ignored: number;
  /** How many findings and references there are beyond those. */
  readonly omitted: number;
}

/** Rules about a file as a whole. */
export const modeRules = {
  looseMode: {
    id: 'loose-mode',
    severity: 'medium',
    message: 'a file with secrets in plain text that others can read or write',
  },
  looseReferences: {
    id: 'loose-mode-references',
    severity: 'medium',
    message: 'a file with references that others can write, and so say which secrets are used',
  },
} as const satisfies Record<string, Rule>;

/**
 * Looks through a file, a few megabytes at a time; undefined for what is no text or no regular file. Throws what the
 * system throws.
 */
export function scanFile(path: string, buffer: Buffer): ScannedFile | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const facts = fstatSync(fd);
    return facts.isFile() ? scanOpen(fd, path, facts, buffer) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The room that `scanFile` works in, for all files one after the other. */
export const scanBuffer = (): Buffer => Buffer.alloc(chunkBytes);

function scanOpen(fd: number, path: string, facts: Stats, buffer: Buffer): ScannedFile | undefined {
  const format = formatOf(path);
  const findings: Finding[] = [];
  const references: PlacedReference[] = [];
  let [ignored, omitted] = [0, 0];
  let bytes = 0;
  const before: Position = { line: 1, characters: 0 };
  for (let held = 0; ;) {
    const count = readSync(fd, buffer, held, buffer.length - held, null);
    if (bytes === 0 && buffer.subarray(0, Math.min(sniffedBytes, held + count)).includes(0)) return undefined;
    bytes += count;
    const filled = held + count;
    if (filled === 0) break;
    const isLast = count === 0;
    if (!isLast && filled < buffer.length) {
      held = filled;
      continue;
    }
    const end = isLast ? filled : chunkEnd(buffer);
    const text = buffer.toString('latin1', 0, end);
    const scanned = scanText(text, format);
    const mayBeIgnored = text.includes(ignoreMark);
    const placeOf = places(text, before);
    for (const mark of [...scanned.hits, ...scanned.references].sort((one, other) => one.at - other.at)) {
      const place = { file: path, ...placeOf(mark.at) };
      if (mayBeIgnored && isIgnored(text, mark.at)) ignored += 1;
      else if (('rule' in mark ? findings : references).length >= mostInFile) omitted += 1;
      else if ('rule' in mark) findings.push(findingOf(mark.rule, place));
      else references.push({ text: mark.text, ...place });
    }
    if (isLast) break;
    placeOf(end);
    buffer.copyWithin(0, end, filled);
    held = filled - end;
  }
  const rule = modeRuleOf(facts.mode, findings.length > 0, references.length > 0);
  if (rule !== undefined) findings.push(findingOf(rule, { file: path, line: 1, column: 1 }));
  return { bytes, findings, references, ignored, omitted };
}

/** A finding of a rule at a place. */
export function findingOf(
  { id, severity, message }: { readonly id: string; readonly severity: Severity; readonly message: string },
  { file, line, column }: { readonly file: string; readonly line: number; readonly column: number },
): Finding {
  return { file, line, column, rule: id, severity, message };
}

/** Where a full buffer is cut: behind its last line, or behind the last place where a value may end. */
function chunkEnd(buffer: Buffer): number {
  for (const mark of [lineFeed, 0x2c, 0x20]) {
    const at = buffer.lastIndexOf(mark);
    // What is cut off too early would be looked at again and again.
    if (at > buffer.length / 2) return at + 1;
  }
  return buffer.length;
}

/** How far a file has been read: the line, and the characters of it that stand in chunks before. */
interface Position {
  line: number;
  characters: number;
}

/** Tells the line and the column of places that are asked for in their order; `position` is kept for the next chunk. */
function places(
  text: string,
  position: Position,
): (at: number) => { readonly line: number; readonly column: number } {
  let reached = 0;
  let feed = text.indexOf('\n');
  return (at) => {
    while (feed >= 0 && feed < at) {
      position.line += 1;
      position.characters = 0;
      reached = feed + 1;
      feed = text.indexOf('\n', reached);
    }
    position.characters += charactersIn(text, reached, at);
    reached = at;
    return { line: position.line, column: position.characters + 1 };
  };
}

/** How many characters of UTF-8 begin there, in a text of one character a byte. */
function charactersIn(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += 1) if ((text.charCodeAt(at) & 0xc0) !== 0x80) count += 1;
  return count;
}

/** Whether the line has the mark, at most so far from the place. */
function isIgnored(text: string, at: number): boolean {
  const [before = ''] = text
    .slice(Math.max(0, at - 1024), at)
    .split('\n')
    .slice(-1);
  const [behind = ''] = text.slice(at, at + 4096).split('\n', 1);
  return before.includes(ignoreMark) || behind.includes(ignoreMark);
}

function modeRuleOf(mode: number, hasSecrets: boolean, hasReferences: boolean): Rule | undefined {
  if (hasSecrets && (mode & 0o077) !== 0) return modeRules.looseMode;
  return hasReferences && (mode & 0o022) !== 0 ? modeRules.looseReferences : undefined;
}
