import { concatBytes, copyBytes } from '../../protocol/bytes.ts';
import { bufferOf, isText, textOfValue } from './value-text.ts';

/** Shorter values, and shorter lines of values, are found everywhere: they are not masked. */
export const leastMaskedBytes = 4;

/** In larger values only the bytes themselves and their lines are looked for. */
const mostEncodedBytes = 4096;

/** Where base64 is cut into lines: by MIME and coreutils, by PEM and OpenSSL. */
const base64Lines = [76, 64];

/**
 * The byte strings by which a value shows in output: itself, its lines without the blanks around them, and what JSON,
 * URLs, shells, base64 and hex make of it, with the line feed at its end or without. Each has at least 4 bytes; a value
 * that is shorter has none.
 */
export function maskedForms(value: Uint8Array): Uint8Array[] {
  if (value.length < leastMaskedBytes) return [];
  const inside = value.some(isLineEnd) ? [trimmed(value)] : [];
  const lines = linesOf(value);
  const parts = lines.length > 1 ? [...inside, ...lines] : inside;
  const encoded = [value, ...inside].filter(({ length }) => length <= mostEncodedBytes).flatMap(encodedForms);
  const encoder = new TextEncoder();
  const others = [...parts.map(copyBytes), ...Array.from(new Set(encoded), (form) => encoder.encode(form))];
  return [
    value,
    ...others.filter((form) => form.length >= leastMaskedBytes && !bufferOf(form).equals(value)),
  ];
}

/** The lines of a value, without the blanks around them; none of those that are empty. */
function linesOf(value: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= value.length; at += 1) {
    if (at < value.length && !isLineEnd(value[at])) continue;
    lines.push(trimmed(value.subarray(start, at)));
    start = at + 1;
  }
  return lines.filter(({ length }) => length > 0);
}

/** The value without the blanks and line ends around it, as shells and programs often take it. */
function trimmed(value: Uint8Array): Uint8Array {
  const isAround = (byte: number | undefined): boolean => isBlank(byte) || isLineEnd(byte);
  let start = 0;
  let end = value.length;
  while (start < end && isAround(value[start])) start += 1;
  while (start < end && isAround(value[end - 1])) end -= 1;
  return value.subarray(start, end);
}

const isLineEnd = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

function encodedForms(value: Uint8Array): string[] {
  const bytes = bufferOf(value);
  const hex = bytes.toString('hex');
  const forms = [...base64Forms(bytes), hex, hex.toUpperCase()];
  if (!isText(value)) return forms;
  const text = textOfValue(value);
  return [...forms, ...jsonForms(text), ...urlForms(text), ...shellForms(text)];
}

/** By itself, in one line or several; and in the middle of something, as `user:password` is, as far as no neighbour shows. */
function base64Forms(bytes: Buffer): string[] {
  const whole = bytes.toString('base64').replace(/=+$/, '');
  const inside = [0, 1, 2].map((before) => {
    const shifted = concatBytes(new Uint8Array(before), bytes);
    const text = bufferOf(shifted).toString('base64');
    shifted.fill(0);
    return text.slice(before && before + 1, Math.floor((8 * (before + bytes.length)) / 6));
  });
  const lines = base64Lines.flatMap((length) =>
    whole.length > length ? (whole.match(new RegExp(`.{1,${length}}`, 'g')) ?? []) : [],
  );
  return [whole, ...inside]
    .flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')])
    .concat(lines);
}

/** As most write it, as Go does for HTML, PHP for scripts, Python in ASCII, and PHP if it is told nothing. */
function jsonForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const ascii = json.replaceAll(/[^\0-\x7f]/g, escaped);
  return [
    json,
    json.replaceAll(/[<>&]/g, escaped),
    json.replaceAll('/', '\\/'),
    ascii,
    ascii.replaceAll('/', '\\/'),
  ];
}

/** As a part of an address, as scripts, as RFC 3986 and as Python write it, and as a field of a form. */
function urlForms(text: string): string[] {
  const part = encodeURIComponent(text);
  const escaped = (unit: string): string => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`;
  const strict = part.replaceAll(/[!'()*]/g, escaped);
  const field = new URLSearchParams([['', text]]).toString().slice(1);
  return [part, strict, strict.replaceAll('%2F', '/'), field];
}

/** What stands between single quotes in the trace of bash, and of other shells; and in that of bash in the locale C. */
function shellForms(text: string): string[] {
  const octal = (character: string): string =>
    Array.from(new TextEncoder().encode(character), (byte) => `\\${byte.toString(8)}`).join('');
  return [
    text.replaceAll("'", String.raw`'\''`),
    text.replaceAll("'", `'"'"'`),
    text.replaceAll(/[^\0-\x7f]/gu, octal),
  ];
}
