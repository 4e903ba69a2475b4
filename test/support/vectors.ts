import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block = '']): unknown =>
  JSON.parse(block),
);

/** The test vector of that name in docs/formats.md. */
export function vector<Shape extends z.ZodRawShape>(name: string, shape: Shape) {
  const schema = z.strictObject({ vector: z.literal(name), ...shape });
  const found = blocks.filter((block) => schema.safeParse(block).success);
  assert.equal(found.length, 1, `one vector ${name}`);
  return schema.parse(found[0]);
}

/** Bytes as a vector writes them. */
export const hex = z.string().regex(/^([0-9a-f]{2})+$/);

export const bytesOfHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
export const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');
