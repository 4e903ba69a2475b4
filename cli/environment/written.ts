import { joinBytes } from '../../protocol/bytes.ts';
import type { HushError } from '../../protocol/errors.ts';
import { printableJson } from '../../protocol/printable.ts';
import { faultOf, isText, textOfValue } from './value-text.ts';

/** A way to write variables down so that they read back with the same bytes. */
export interface Format {
  /** What keeps a value from being written, if anything does. */
  readonly fault: (variable: string, value: Uint8Array) => HushError | undefined;
  /** All variables, in the order given. The caller wipes the result. */
  readonly write: (values: ReadonlyMap<string, Uint8Array>) => Uint8Array;
}

const encoder = new TextEncoder();
const ascii = (text: string): Uint8Array => encoder.encode(text);
const quote = 0x27;
const closedQuote = ascii(`'\\''`);

/** For sh and bash: `export NAME='…'`, any bytes but NUL. */
export const shell: Format = {
  fault: (_variable, value) =>
    value.includes(0) ? faultOf('it holds a NUL byte, which no variable can') : undefined,
  write: (values) =>
    lines(values, (variable, value) => [ascii(`export ${variable}='`), ...quoted(value), ascii("'\n")]),
};

/** For env files, as the package dotenv, Node and `--env-file` read them. They have one way to quote for each value, or none. */
export const dotenv: Format = {
  fault(_variable, value) {
    if (value.includes(0)) return faultOf('it holds a NUL byte, which no variable can');
    if (!isText(value)) return faultOf('it is not valid UTF-8, which an env file is', otherFormat);
    if (dotenvQuote(value) !== undefined) return undefined;
    return faultOf('there is no way to quote it that every reader of env files understands', otherFormat);
  },
  write: (values) =>
    lines(values, (variable, value) => {
      const mark = ascii(dotenvQuote(value) ?? '');
      return [ascii(`${variable}=`), mark, value, mark, ascii('\n')];
    }),
};

const otherFormat = 'take --format shell, or hush inject';

/** For programs: one object, `{"NAME":"value"}`, on one line. */
export const json: Format = {
  fault: (_variable, value) =>
    isText(value)
      ? undefined
      : faultOf(
          'it is not valid UTF-8, which JSON is',
          value.includes(0) ? undefined : 'take --format shell',
        ),
  write: (values) =>
    ascii(
      `${printableJson(Object.fromEntries([...values].map(([name, value]) => [name, textOfValue(value)])))}\n`,
    ),
};

function lines(
  values: ReadonlyMap<string, Uint8Array>,
  line: (variable: string, value: Uint8Array) => readonly Uint8Array[],
): Uint8Array {
  return joinBytes([...values].flatMap(([variable, value]) => line(variable, value)));
}

/** The bytes between single quotes: a quote among them closes, stands by itself, and opens again. */
function quoted(value: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let done = 0;
  for (let at = value.indexOf(quote); at >= 0; at = value.indexOf(quote, done)) {
    parts.push(value.subarray(done, at), closedQuote);
    done = at + 1;
  }
  return [...parts, value.subarray(done)];
}

/**
 * The quote that a value can stand in, '' where it needs none, undefined where there is none: the readers take no escape
 * for a quote, disagree about backslashes in double quotes and at the end, and make a line feed of each CR.
 */
function dotenvQuote(value: Uint8Array): string | undefined {
  const has = (character: string): boolean => value.includes(character.charCodeAt(0));
  if (has('\r')) return undefined;
  if (value.length > 0 && value.every(isPlain)) return '';
  if (value.at(-1) === '\\'.charCodeAt(0)) return undefined;
  if (!has("'")) return "'";
  if (!has('`')) return '`';
  return has('"') || has('\\') ? undefined : '"';
}

/** Letters, digits, and what no reader of env files makes anything of, a backslash among them. */
const plain = ascii('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,-\\');
const isPlain = (byte: number): boolean => plain.includes(byte);
