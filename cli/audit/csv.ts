import { printable } from '../../protocol/printable.ts';
import type { ShownRecord } from './entry.ts';

/** The columns of an export, in their order. */
const columnNames = [
  'seq',
  'time',
  'mono',
  'event',
  'profile',
  'client',
  'uid',
  'gid',
  'pid',
  'exe',
  'key',
  'outcome',
  'code',
  'commit',
  'detail',
  'prev',
  'hash',
] as const satisfies readonly (keyof ShownRecord)[];

/** What a spreadsheet takes for a formula, or drops in front of one. */
const formula = /^[\s]*[=+\-@\t\r|%]/;
const needsQuotes = /[",;\s]/;

/** The first line of an export. */
export const csvHead = `${columnNames.join(',')}\r\n`;

/** The line of a record: RFC 4180, characters that steer a terminal escaped, and no cell that begins a formula. */
export const csvLine = (record: ShownRecord): string =>
  `${columnNames.map((name) => cell(record[name])).join(',')}\r\n`;

function cell(value: ShownRecord[keyof ShownRecord]): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = printable(typeof value === 'string' ? value : JSON.stringify(value));
  const inert = formula.test(text) ? `'${text}` : text;
  return needsQuotes.test(inert) || inert !== text ? `"${inert.replaceAll('"', '""')}"` : inert;
}
