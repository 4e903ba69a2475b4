import { printable, printableJson } from '../../protocol/printable.ts';
import type { Output } from '../output.ts';
import type { Entry } from './entry.ts';
import { jsonOfEntry, textOfEntry } from './text.ts';
import type { Place } from './walk.ts';

/** Entries on their way out, of which there may be very many. */
export interface EntriesOutput {
  show(entries: readonly (Entry & Place)[]): Promise<void>;
  /** Ends the one line of JSON. */
  end(): Promise<void>;
}

/**
 * Shows entries one a line; with `--json` as the list `entries` behind `facts`, in one line of JSON that is written
 * piece by piece, or with `apart` as one line of JSON each.
 */
export function createEntriesOutput(output: Output, facts: object, apart = false): EntriesOutput {
  const write = (text: string): Promise<void> =>
    text === '' ? Promise.resolve() : output.bytes(Buffer.from(text));
  if (!output.json || apart) {
    const lineOf = output.json
      ? (entry: Entry & Place): string => `${printableJson(jsonOfEntry(entry))}\n`
      : (entry: Entry & Place): string => `${printable(textOfEntry(entry))}\n`;
    return {
      show: (entries) => write(entries.map(lineOf).join('')),
      end: () => Promise.resolve(),
    };
  }
  let opening = `${printableJson(facts).slice(0, -1)},"entries":[`;
  return {
    async show(entries) {
      if (entries.length === 0) return;
      await write(opening + entries.map((entry) => printableJson(jsonOfEntry(entry))).join(','));
      opening = ',';
    },
    end: () => write(opening === ',' ? ']}\n' : `${opening}]}\n`),
  };
}
