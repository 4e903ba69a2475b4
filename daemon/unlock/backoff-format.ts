import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HushError } from '../../protocol/errors.ts';
import { mostIdentities, mostWrong, ownRule, type Backoff, type Debt } from './backoff.ts';

/** The most bytes of the file: a bound on what is read, well above what `encodeBackoff` writes. */
export const backoffFileBytes = 256 * 1024;

const format = 1;
const linesPattern = /^(hushd-backoff 1\n(\{[^\n]*\})\n)checksum ([0-9a-f]{64})\n$/;

const debt = {
  wrong: z.int().min(0).max(mostWrong),
  remainingMs: z.int().min(0).max(ownRule.longestMs),
};
const bodySchema = z.strictObject({
  total: z.strictObject(debt),
  identities: z
    .array(z.strictObject({ name: z.string().min(1).max(256), ...debt }))
    .max(mostIdentities + 1)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length),
});

/** The bytes of the file: what remains of each delay at `now`. */
export function encodeBackoff({ total, identities }: Backoff, now: number): Uint8Array {
  const debtOf = ({ wrong, until }: Debt): { wrong: number; remainingMs: number } => ({
    wrong,
    remainingMs: Math.max(0, Math.ceil(until - now)),
  });
  const body: z.infer<typeof bodySchema> = {
    total: debtOf(total),
    identities: [...identities].map(([name, owed]) => ({ name, ...debtOf(owed) })),
  };
  const summed = `hushd-backoff ${format}\n${JSON.stringify(body)}\n`;
  return new TextEncoder().encode(`${summed}checksum ${sha256(summed)}\n`);
}

/**
 * The state in the bytes of the file, each delay to be served in full from `since` on. Throws DAMAGED when they are
 * cut or changed, NEWER_FORMAT.
 */
export function decodeBackoff(bytes: Uint8Array, since: number): Backoff {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const number = /^hushd-backoff ([1-9][0-9]{0,8})\n/.exec(text)?.[1];
  if (number !== undefined && Number(number) > format) {
    throw new HushError(
      'NEWER_FORMAT',
      `the file of the back-off has format ${number}, this hushd reads ${format}`,
      {
        hint: 'install the release that wrote it, or unlock with a 32-byte key or a recovery key',
      },
    );
  }
  const [, summed, json, checksum] = linesPattern.exec(text) ?? [];
  if (summed === undefined || json === undefined || checksum !== sha256(summed)) throw damaged();
  const { total, identities } = parseBody(json);
  const debtOf = ({ wrong, remainingMs }: { wrong: number; remainingMs: number }): Debt => ({
    wrong,
    until: since + remainingMs,
  });
  return {
    total: debtOf(total),
    identities: new Map(identities.map(({ name, ...owed }) => [name, debtOf(owed)])),
  };
}

function parseBody(json: string): z.infer<typeof bodySchema> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw damaged();
  }
  const parsed = bodySchema.safeParse(value);
  if (!parsed.success) throw damaged();
  return parsed.data;
}

const damaged = (): HushError => new HushError('DAMAGED', 'the file of the back-off is damaged');

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
