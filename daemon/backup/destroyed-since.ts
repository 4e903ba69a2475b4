import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { linesBackwards } from '../audit/backwards.ts';
import type { Manifest } from './container.ts';

/** A destruction of keys that an audit tells of. */
export interface DestructionOnRecord {
  readonly event: 'keys.shred' | 'keys.retire';
  readonly time: string;
  /** Whose keys, as the record says. */
  readonly key: string | undefined;
}

const recordSchema = z.object({
  seq: z.number(),
  time: z.string(),
  event: z.string(),
  outcome: z.string(),
  key: z.string().optional(),
});
const destruction = z.enum(['keys.shred', 'keys.retire']);

/**
 * The destructions of keys that an audit tells of behind the place where a backup ends, the oldest first: what was
 * destroyed then lives again in the backup. No key has proved the audit. Throws UNAVAILABLE.
 */
export function destroyedSince(audit: string, { audit: end }: Manifest): readonly DestructionOnRecord[] {
  const found: DestructionOnRecord[] = [];
  try {
    for (const line of linesBackwards(audit)) {
      const text = line.toString('latin1');
      const record = recordSchema.parse(JSON.parse(text));
      if (record.seq <= end.seq) break;
      const event = destruction.safeParse(record.event).data;
      if (event === undefined || record.outcome !== 'ok') continue;
      found.push({ event, time: record.time, key: record.key });
    }
  } catch (error) {
    // The next unlock says what is wrong with it; the lines behind that are read.
    const isBad =
      error instanceof SyntaxError ||
      error instanceof z.ZodError ||
      (error instanceof HushError && error.code === 'INTEGRITY');
    if (!isBad) throw error;
  }
  return found.reverse();
}
