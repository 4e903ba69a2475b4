import { HushError } from '../../protocol/errors.ts';
import { bytesOfHex, hexOf } from '../keys/text.ts';
import type { RowSummary } from '../stores/store.ts';
import type { Meta } from './meta.ts';

/** Which secrets to list. */
export interface ListOptions {
  /** Only paths that start so. */
  readonly prefix?: string;
  /** The `next` of the page before. */
  readonly after?: string;
  readonly limit: number;
  /** Whether the caller may know of this path. */
  readonly visible: (path: string) => boolean;
}

/** What a list tells of one secret; the size is that of its value in bytes. */
export interface ListEntry {
  readonly path: string;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly size: number;
}

/** One page of a list; without `next` it is the last one. It may be empty and not the last one. */
export interface ListPage {
  readonly entries: ListEntry[];
  readonly next?: string;
}

interface Source {
  readonly page: (after: Uint8Array | undefined, limit: number) => RowSummary[];
  readonly metaOf: (row: RowSummary) => Meta;
}

/** How many names one page opens at most: about 3 ms, for which nobody else is served. */
const mostOpened = 256;

/** One page of a list, in the order of the rows' ids: a page opens a bounded number of names, wanted or not. */
export function listPage({ prefix = '', after, limit, visible }: ListOptions, source: Source): ListPage {
  const entries: ListEntry[] = [];
  const rows = source.page(after === undefined ? undefined : idOf(after), mostOpened);
  for (const [at, row] of rows.entries()) {
    const { scope, name, createdAt, updatedAt, size } = source.metaOf(row);
    const path = `${scope}/${name}`;
    if (path.startsWith(prefix) && visible(path)) {
      entries.push({ path, version: row.version, createdAt, updatedAt, size });
    }
    const isLast = at === rows.length - 1 && rows.length < mostOpened;
    if (entries.length >= limit && !isLast) return { entries, next: hexOf(row.id) };
  }
  const last = rows.at(-1);
  return rows.length < mostOpened || last === undefined ? { entries } : { entries, next: hexOf(last.id) };
}

function idOf(after: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(after)) return bytesOfHex(after);
  throw new HushError('BAD_REQUEST', 'after: not the next of an earlier page');
}
