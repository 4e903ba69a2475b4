import { HushError } from '../../protocol/errors.ts';
import type { KeyRecord, Keyset } from '../keys/keyset.ts';
import { newestDeks } from './dek-lines.ts';

/** The keys of a tenant by keyring, each in the order of its versions. */
export function keysOfTenant(keyset: Keyset, tenant: string): ReadonlyMap<string, readonly KeyRecord[]> {
  const records = [...keyset.keys.values()].filter(
    ({ entry }) => entry.use === 'dek' && entry.tenant === tenant,
  );
  return Map.groupBy(records, ({ entry }) => entry.keyring);
}

/** Whether a line's newest key is destroyed: it seals nothing until an operator opens it anew. */
export const isShut = (records: readonly KeyRecord[] | undefined): boolean =>
  records?.at(-1)?.state === 'destroyed';

/** What of a key set's lines decides whether a new one may be made. */
export interface LineFacts {
  /** How many lines seal, the first one not counted. */
  readonly open: number;
  /** The tenants that have had keys and have no line left that seals. */
  readonly shut: ReadonlySet<string>;
}

/** The facts of a key set, worked out once for each: whoever asks for tenants without end shall not cost that each time. */
export function createLineFacts(keyset: () => Keyset): () => LineFacts {
  let known: { readonly of: Keyset; readonly facts: LineFacts } | undefined;
  return () => {
    const now = keyset();
    if (known?.of !== now) known = { of: now, facts: factsOf(now) };
    return known.facts;
  };
}

function factsOf(keyset: Keyset): LineFacts {
  const newest = newestDeks(keyset);
  const open = newest.filter(({ state }) => state !== 'destroyed');
  const tenants = new Set(open.map(({ entry }) => entry.tenant));
  const shut = newest.map(({ entry }) => entry.tenant).filter((tenant) => !tenants.has(tenant));
  return { open: open.length - 1, shut: new Set(shut) };
}

/** Throws LIMIT_EXCEEDED where `added` more lines of keys would be more than `maxTenants`. */
export function requireRoom({ open }: LineFacts, added: number, maxTenants: number): void {
  if (open + added <= maxTenants) return;
  throw new HushError('LIMIT_EXCEEDED', `the profile has keys for ${open} tenants already`, {
    limit: 'max_tenants',
    hint: 'raise max_tenants of the profile in config.toml',
  });
}
