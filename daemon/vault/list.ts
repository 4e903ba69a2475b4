import { HushError } from '../../protocol/errors.ts';
import { bytesOfHex, hexOf } from '../keys/text.ts';
import type { RowSummary } from '../stores/store.ts';
import type { Meta } from './meta.ts';

/** Which secrets to list. */
export interface ListOptions {
  /** Only paths that start so. */
  readonly prefix?: string | undefined;
  readonly tag?: string | undefined;
  /** Only those whose value has expired, or only the others. */
  readonly expired?: boolean | undefined;
  /** Those that are deleted, instead of those that are not. */
  readonly deleted?: boolean | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
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
  readonly expiresAt?: string;
  readonly note?: string;
  readonly tags?: string[];
  readonly deletedAt?: string;
}

/** One page of a list; without `next` it is the last one. It may be empty and not the last one. */
export interface ListPage {
  readonly entries: ListEntry[];
  readonly next?: string;
}

interface Source {
  readonly page: (after: Uint8Array | undefined, limit: number) => RowSummary[];
  readonly metaOf: (row: RowSummary) => Meta;
  /** The time of day. */
  readonly now: Date;
}

/** How many names one page opens at most: about 3 ms, for which nobody else is served. */
const mostOpened = 256;

/** One page of a list, in the order of the rows' ids: a page opens a bounded number of names, wanted or not. */
export function listPage(options: ListOptions, source: Source): ListPage {
  const { prefix = '', after, limit, visible } = options;
  const entries: ListEntry[] = [];
  const rows = source.page(after === undefined ? undefined : idOf(after), mostOpened);
  for (const [at, row] of rows.entries()) {
    const meta = source.metaOf(row);
    const path = `${meta.scope}/${meta.name}`;
    // Nothing else of it is looked at before it is known that the caller may know of it.
    if (path.startsWith(prefix) && visible(path) && isWanted(meta, options, source.now)) {
      entries.push(entryOf(path, row.version, meta, options.deleted === true));
    }
    const isLast = at === rows.length - 1 && rows.length < mostOpened;
    if (entries.length >= limit && !isLast) return { entries, next: hexOf(row.id) };
  }
  const last = rows.at(-1);
  return rows.length < mostOpened || last === undefined ? { entries } : { entries, next: hexOf(last.id) };
}

function isWanted({ tags = [], expiresAt }: Meta, { tag, expired }: ListOptions, now: Date): boolean {
  if (tag !== undefined && !tags.includes(tag)) return false;
  return (
    expired === undefined || expired === (expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime())
  );
}

function entryOf(path: string, version: number, meta: Meta, isDeleted: boolean): ListEntry {
  const { createdAt, updatedAt, size, expiresAt, note, tags, deletedAt } = meta;
  return {
    path,
    version,
    createdAt,
    updatedAt,
    size,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(note === undefined ? {} : { note }),
    ...(tags === undefined ? {} : { tags: [...tags] }),
    ...(isDeleted && deletedAt !== undefined ? { deletedAt } : {}),
  };
}

function idOf(after: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(after)) return bytesOfHex(after);
  throw new HushError('BAD_REQUEST', 'after: not the next of an earlier page');
}
