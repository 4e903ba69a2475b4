import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import type { Dek } from '../keys/dek-index.ts';
import { parseSealedValue, type Sealer } from '../keys/sealed.ts';
import { hexOf, utf8 } from '../keys/text.ts';
import type { RowSummary } from '../stores/store.ts';

/** The one that is written; 1 has none of the optional fields. */
const format = 2;
const numbered = z.object({ format: z.number() });

// Later releases add fields: what is not known here is kept as it is.
const meta = z.looseObject({
  scope: z.string(),
  name: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  size: z.number(),
  by: z.string().exactOptional(),
  expiresAt: z.string().exactOptional(),
  note: z.string().exactOptional(),
  tags: z.array(z.string()).exactOptional(),
  deletedAt: z.string().exactOptional(),
});

/** What is told of one version of a secret without its value; times are ISO 8601 in UTC. */
export interface Meta {
  readonly scope: string;
  readonly name: string;
  /** When the secret was made. */
  readonly createdAt: string;
  /** When this version of it was. */
  readonly updatedAt: string;
  /** Of the value, in bytes. */
  readonly size: number;
  /** The name of the identity that stored this version. */
  readonly by?: string;
  /** When the value of this version ends. */
  readonly expiresAt?: string;
  readonly note?: string;
  readonly tags?: readonly string[];
  /** When it was deleted; true only while the row's state says so too. */
  readonly deletedAt?: string;
}

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
  return sealMetaBytes(sealer, dek, row, utf8(JSON.stringify({ ...content, format })));
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
  const isKnown = typeof found === 'number' && found <= format;
  return isKnown && typeof scope === 'string' && typeof name === 'string' ? { scope, name } : metaFrom(plain);
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
