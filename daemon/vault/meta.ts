import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import type { Dek } from '../keys/dek-index.ts';
import { parseSealedValue, type Sealer } from '../keys/sealed.ts';
import { hexOf, utf8 } from '../keys/text.ts';
import type { RowSummary } from '../stores/store.ts';

const format = 1;
const numbered = z.object({ format: z.number() });

// Later releases add fields: what is not known here is left alone.
const meta = z.object({
  scope: z.string(),
  name: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  size: z.number(),
});

/** What is told of a secret without its value: its path, its times (ISO 8601 in UTC), its size in bytes. */
export type Meta = z.output<typeof meta>;

/** The meta of a row is found before its name is known: it is bound to the row's id, which is the name's keyed hash. */
const placeOf = ({ id, version }: Pick<RowSummary, 'id' | 'version'>) =>
  ({ part: 'meta', scope: '', name: hexOf(id), version }) as const;

/** The sealed form of a row's meta: JSON with its format number. */
export function sealMeta(
  sealer: Sealer,
  dek: Dek,
  row: Pick<RowSummary, 'id' | 'version'>,
  content: Meta,
): Uint8Array {
  return sealMetaBytes(sealer, dek, row, utf8(JSON.stringify({ format, ...content })));
}

/** The sealed form of a row's meta that was opened before. */
export function sealMetaBytes(
  sealer: Sealer,
  dek: Dek,
  row: Pick<RowSummary, 'id' | 'version'>,
  plain: Uint8Array,
  form?: (length: number) => Uint8Array,
): Uint8Array {
  return sealer.sealValue(dek, placeOf(row), plain, form);
}

/**
 * The bytes of a row's meta, opened under the DEK that `dekOf` gives for its version into memory that `allocate` gives;
 * the caller wipes them. Throws INTEGRITY, NEWER_FORMAT.
 */
export function openMeta(
  sealer: Sealer,
  dekOf: (version: number) => Dek,
  row: RowSummary,
  allocate: (length: number) => Uint8Array,
): Uint8Array {
  const sealed = parseSealedValue(row.meta);
  return sealer.openValue(dekOf(sealed.dekVersion), placeOf(row), sealed, allocate(sealed.plainLength));
}

/** The name in a meta's bytes, for whoever needs no more of it: a fifth of the time. Throws NEWER_FORMAT. */
export function nameFrom(plain: Uint8Array): Pick<Meta, 'scope' | 'name'> {
  // Checked field by field below: what is not of this form goes the long way, which says why.
  const content = JSON.parse(textOf(plain)) as { format?: unknown; scope?: unknown; name?: unknown } | null;
  const { format: found, scope, name } = content ?? {};
  const isPlain = found === format && typeof scope === 'string' && typeof name === 'string';
  return isPlain ? { scope, name } : metaFrom(plain);
}

/** The meta in its bytes. Throws NEWER_FORMAT. */
export function metaFrom(plain: Uint8Array): Meta {
  const content: unknown = JSON.parse(textOf(plain));
  const { format: found } = numbered.parse(content);
  if (found > format) throw new HushError('NEWER_FORMAT', `a stored name has format ${found}`);
  return meta.parse(content);
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
