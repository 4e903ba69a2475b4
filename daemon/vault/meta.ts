import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import type { Dek } from '../keys/dek-index.ts';
import { parseSealedValue, type Sealer } from '../keys/sealed.ts';
import { hexOf, utf8 } from '../keys/text.ts';
import { wipe } from '../memory/plain-bytes.ts';
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
  return sealer.sealValue(dek, placeOf(row), utf8(JSON.stringify({ format, ...content })));
}

/** The meta of a row, opened under the DEK that `dekOf` gives for its version. Throws INTEGRITY, NEWER_FORMAT. */
export function openMeta(sealer: Sealer, dekOf: (version: number) => Dek, row: RowSummary): Meta {
  const sealed = parseSealedValue(row.meta);
  const plain = sealer.openValue(dekOf(sealed.dekVersion), placeOf(row), sealed);
  const content: unknown = JSON.parse(Buffer.from(plain.buffer, plain.byteOffset, plain.length).toString());
  wipe(plain);
  const { format: found } = numbered.parse(content);
  if (found > format) throw new HushError('NEWER_FORMAT', `a stored name has format ${found}`);
  return meta.parse(content);
}
