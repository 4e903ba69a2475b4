import { parseEnvFile } from '../environment/env-file.ts';
import { contentOf, type Document, type Leaf } from './document.ts';

/** The values of an env file and their places. Lines that cannot be read stay what they are. */
export function readEnv(text: string): Document {
  const { entries, faults } = parseEnvFile(text);
  const starts = lineStarts(text);
  const leaves = entries.map(({ name, value, line }): Leaf => {
    // A name holds no `=`, and the entry begins on that line.
    const start = pastBlanks(text, text.indexOf('=', starts[line - 1] ?? 0) + 1);
    const quote = quoteAt(text, start);
    const end = quote === '"' ? pastQuoted(text, start) : start + value.length + 2 * quote.length;
    return {
      path: [name],
      start,
      end,
      kind: 'text',
      text: value,
      write: (reference) => quote + reference + quote,
    };
  });
  const unread = faults.map(({ message }): [string, string] => ['fault', message]);
  return { leaves, content: [...contentOf(leaves), ...unread] };
}

const quoteAt = (text: string, at: number): string => /["'`]/.exec(text[at] ?? '')?.[0] ?? '';

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function pastBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}

function pastQuoted(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
