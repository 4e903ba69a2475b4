import { isText, textOfValue } from './value-text.ts';

/** Shorter values, and shorter lines of values, are found everywhere: they are not masked. */
export const leastMaskedBytes = 4;

/** In larger values only the bytes themselves and their lines are looked for. */
const mostEncodedBytes = 4096;

/**
 * The byte strings by which a value shows in output: itself, its lines without the blanks around them, and what JSON,
 * URLs, base64 and hex make of it. Each has at least 4 bytes; a value that is shorter has none.
 */
export function maskedForms(value: Uint8Array): Uint8Array[] {
  if (value.length < leastMaskedBytes) return [];
  const forms: Uint8Array[] = [value, ...linesOf(value)];
  if (value.length <= mostEncodedBytes) forms.push(...encodedForms(value).map((text) => Buffer.from(text)));
  return forms.filter(({ length }) => length >= leastMaskedBytes);
}

function linesOf(value: Uint8Array): Uint8Array[] {
  if (!value.includes(0x0a) && !value.includes(0x0d)) return [];
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    .toString('latin1')
    .split(/[\r\n]+/)
    .map((line) => Buffer.from(line.replace(/^[ \t]+|[ \t]+$/g, ''), 'latin1'));
}

function encodedForms(value: Uint8Array): string[] {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const hex = bytes.toString('hex');
  const forms = [
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    hex,
    hex.toUpperCase(),
  ];
  if (!isText(value)) return forms;
  const text = textOfValue(value);
  return [...forms, JSON.stringify(text).slice(1, -1), encodeURIComponent(text)];
}
