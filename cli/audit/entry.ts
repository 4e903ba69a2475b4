import { readLink, parseObject } from '../../daemon/audit/records.ts';
import { readStub, type Stub } from '../../daemon/audit/stubs.ts';
import type { ChainPart } from '../../daemon/audit/parts.ts';
import { HushError } from '../../protocol/errors.ts';

/** A record as it is shown; texts as they were before they were escaped. */
export interface ShownRecord {
  readonly seq: number;
  readonly time: string;
  readonly mono: number | undefined;
  readonly event: string;
  readonly profile: string | undefined;
  readonly client: string | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly pid: number | undefined;
  readonly exe: string | undefined;
  readonly key: string | undefined;
  readonly outcome: string | undefined;
  readonly code: string | undefined;
  readonly commit: number | undefined;
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  readonly prev: string;
  readonly hash: string;
}

/** One line of a chain. */
export type Entry =
  | { readonly kind: 'record'; readonly record: ShownRecord; readonly bytes: Buffer }
  | { readonly kind: 'stub'; readonly stub: Stub }
  /** A line that is not as it was written, or the end of one that is not whole. */
  | { readonly kind: 'damaged'; readonly why: string; readonly bytes: Buffer };

const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const numberIn = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

/** What a line holds. Whether it fits its neighbours is for `hush audit verify`. */
export function entryOf(kind: ChainPart['kind'], bytes: Buffer): Entry {
  try {
    if (kind === 'stubs') return { kind: 'stub', stub: readStub(bytes) };
    const { seq, time, event, prev, hash } = readLink(bytes);
    const fields = parseObject(bytes.toString('latin1'));
    const { detail } = fields;
    const record: ShownRecord = {
      seq,
      time,
      mono: numberIn(fields['mono']),
      event,
      profile: textIn(fields['profile']),
      client: textIn(fields['client']),
      uid: numberIn(fields['uid']),
      gid: numberIn(fields['gid']),
      pid: numberIn(fields['pid']),
      exe: textIn(fields['exe']),
      key: textIn(fields['key']),
      outcome: textIn(fields['outcome']),
      code: textIn(fields['code']),
      commit: numberIn(fields['commit']),
      // An object has string keys only; what stands behind them is looked at where it is shown.
      detail: typeof detail === 'object' && detail !== null ? (detail as Record<string, unknown>) : undefined,
      prev,
      hash,
    };
    return { kind: 'record', record, bytes };
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return { kind: 'damaged', why: error.message, bytes };
  }
}
