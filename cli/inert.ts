import { isUtf8 } from 'node:buffer';
import { printable } from '../protocol/printable.ts';

/** Whether a terminal shows the bytes as the text that they are: UTF-8 that holds no control but line feeds and tabs. */
export function isInert(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false;
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).replaceAll(/[\n\t]/g, '');
  return printable(text) === text;
}
