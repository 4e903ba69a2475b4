import { HushError } from '../../protocol/errors.ts';
import type { HeaderBody, Slot } from '../keys/header.ts';
import type { OpenedHeader } from '../keys/open.ts';
import { argon2Default, raisedCost, type Argon2Cost, type Argon2Queue } from '../keys/passphrase.ts';
import {
  checkCredential,
  fitsSlot,
  makeSlot,
  remakeSlot,
  type Credential,
  type CredentialKind,
} from '../keys/slot.ts';
import {
  freeLabel,
  groupsOf,
  requireFreeLabel,
  requireRoom,
  slotNamed,
  slotText,
  withGroup,
  withoutGroup,
  withoutSlot,
  withSlot,
  withSlotRenamed,
  withSlotReplaced,
} from '../keys/slots.ts';
import { wipeVaultKey } from '../keys/vault-key.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { withCopies } from './credential-copies.ts';

/**
 * The slots of an unlocked profile. Each change is one header put in place: a crash leaves the old one or the new one.
 * The vault key is not kept while a profile is unlocked, so that what seals it anew takes credentials that open the
 * profile; they are copied at once, and the copies wiped. Each rejects as opening a header and putting one in place
 * do, and then nothing has changed. One change at a time, see `Profiles.change`.
 */
export interface Slots {
  /** Adds a slot that opens alone. EXISTS for its label or when its secret opens a slot already; LIMIT_EXCEEDED. */
  add(proof: Proof, added: Credential, label: string | undefined): Promise<Slot>;
  /**
   * Puts another secret of the same kind into a slot, which keeps its id, its label and its groups. Without an id it is
   * the slot of that kind that the credentials fit, or the only one. NOT_FOUND, BAD_REQUEST, EXISTS as in `add`.
   */
  change(proof: Proof, replacement: Credential, id: string | undefined): Promise<Slot>;
  /** See `withoutSlot`. */
  remove(id: string): void;
  /** See `withSlotRenamed`. */
  rename(id: string, label: string): void;
  /** The id of a new group of the slots. See `withGroup`. */
  group(proof: Proof, ids: readonly string[]): Promise<string>;
  /** Ends a group; the ids of those that open alone from then on. See `withoutGroup`. */
  ungroup(proof: Proof, group: string): Promise<readonly string[]>;
  /** Wipes the vault keys of changes that are under way, which end with LOCKED. */
  close(): void;
  /** Raises the Argon2id of the slots that were opened to what the config asks for; `told` hears of each. */
  raise(opened: OpenedHeader, told: (outcome: Raised) => void): Promise<void>;
}

/** What shows that somebody can open the profile. */
export interface Proof {
  readonly credentials: readonly Credential[];
  /** The identity that gives them. */
  readonly by: string;
}

/** What became of a slot whose Argon2id the config wants to cost more. */
export type Raised =
  { readonly slot: string; readonly cost: Argon2Cost } | { readonly slot: string; readonly error: unknown };

interface SlotsParts {
  readonly header: () => HeaderBody;
  readonly putHeader: (next: HeaderBody) => void;
  /** Opens the present header. Rejects as `openHeader` does, and with BACKOFF. */
  readonly open: (proof: Proof) => Promise<OpenedHeader>;
  readonly arena: SecureArena;
  readonly argon2Queue: Argon2Queue;
  /** What the config asks of Argon2id; where it is silent, new slots cost what the others do. */
  readonly wantedCost: () => Partial<Argon2Cost>;
}

/** The slots of the profile whose header `parts` reads and puts in place. */
export function createSlots(parts: SlotsParts): Slots {
  const { header, putHeader, arena, argon2Queue } = parts;

  const live = new Set<SecureBytes>();
  let closed = false;

  const requireOpen = (): void => {
    if (closed) throw new HushError('LOCKED', 'the profile was locked meanwhile');
  };

  /** Runs `use` with the vault key that the credentials give, and wipes it; a lock wipes it at once. */
  const withVaultKey = async <Result>(
    proof: Proof,
    use: (vaultKey: () => Uint8Array, opened: OpenedHeader) => Promise<Result> | Result,
  ): Promise<Result> => {
    const opened = await parts.open(proof);
    const { vaultKey } = opened;
    live.add(vaultKey);
    try {
      // It may have been locked while this was opened: then nobody else wipes it.
      requireOpen();
      return await use(() => {
        requireOpen();
        return vaultKey.bytes;
      }, opened);
    } finally {
      if (live.delete(vaultKey)) wipeVaultKey(vaultKey);
    }
  };

  /** Throws EXISTS when the secret opens a slot already: two slots of one secret only seem to be two. */
  const requireNew = async (credential: Credential, { fitting }: OpenedHeader): Promise<void> => {
    for (const slot of header().slots) {
      if (slot.kind !== credential.kind) continue;
      const known = fitting.get(slot.id);
      const same =
        known === undefined
          ? await fitsSlot(credential, slot, arena, argon2Queue)
          : equalBytes(known.secret, credential.secret);
      if (!same) continue;
      throw new HushError('EXISTS', `it is the same as that of the slot ${slotText(slot)}`, {
        hint: 'give another one',
      });
    }
  };

  return {
    async add({ credentials, by }, added, label) {
      checkCredential(added);
      const named = label ?? freeLabel(header(), added.kind);
      requireFreeLabel(header(), named);
      requireRoom(header(), added.kind);
      return withCopies(arena, [added, ...credentials], async ([copy, ...copies]) => {
        if (copy === undefined) throw new RangeError('a copy each');
        return withVaultKey({ credentials: copies, by }, async (vaultKey, opened) => {
          await requireNew(copy, opened);
          const cost = costOfNew(header(), parts.wantedCost());
          const about = { label: named, createdAt: new Date().toISOString(), cost };
          const slot = await makeSlot(copy, about, arena, argon2Queue);
          putHeader(withSlot(header(), slot, vaultKey()));
          return slot;
        });
      });
    },

    async change({ credentials, by }, replacement, id) {
      checkCredential(replacement);
      if (id !== undefined) requireKind(slotNamed(header(), id), replacement.kind);
      return withCopies(arena, [replacement, ...credentials], async ([copy, ...copies]) => {
        if (copy === undefined) throw new RangeError('a copy each');
        return withVaultKey({ credentials: copies, by }, async (vaultKey, opened) => {
          const slot = slotNamed(header(), id ?? ownSlot(header(), copy.kind, opened));
          await requireNew(copy, opened);
          const cost = costOfChanged(slot, parts.wantedCost());
          const changed = await remakeSlot(slot, copy, cost, arena, argon2Queue);
          putHeader(withSlotReplaced(header(), changed, vaultKey()));
          return changed;
        });
      });
    },

    remove(id) {
      putHeader(withoutSlot(header(), id));
    },

    rename(id, label) {
      putHeader(withSlotRenamed(header(), id, label));
    },

    async group({ credentials, by }, ids) {
      return withCopies(arena, credentials, (copies) =>
        withVaultKey({ credentials: copies, by }, (vaultKey) => {
          const { body, group } = withGroup(header(), ids, vaultKey());
          putHeader(body);
          return group;
        }),
      );
    },

    async ungroup({ credentials, by }, group) {
      return withCopies(arena, credentials, (copies) =>
        withVaultKey({ credentials: copies, by }, (vaultKey) => {
          const { body, alone } = withoutGroup(header(), group, vaultKey());
          putHeader(body);
          return alone;
        }),
      );
    },

    close() {
      closed = true;
      for (const vaultKey of live) wipeVaultKey(vaultKey);
      live.clear();
    },

    async raise({ slotIds, fitting, vaultKey }, told) {
      for (const id of slotIds) {
        const slot = slotNamed(header(), id);
        const credential = fitting.get(id);
        const cost = slot.kdf.name === 'argon2id' ? raisedCost(slot.kdf, parts.wantedCost()) : undefined;
        if (cost === undefined || credential === undefined) continue;
        try {
          const raised = await remakeSlot(slot, credential, cost, arena, argon2Queue);
          putHeader(withSlotReplaced(header(), raised, vaultKey.bytes));
          told({ slot: id, cost });
        } catch (error) {
          told({ slot: id, error });
        }
      }
    },
  };
}

function requireKind(slot: Slot, kind: CredentialKind): void {
  if (slot.kind === kind) return;
  throw new HushError('BAD_REQUEST', `the slot ${slotText(slot)} does not take a ${kind}`, {
    hint: 'hush slot add makes a slot of another kind',
  });
}

/** The slot meant where none is named. */
function ownSlot({ slots }: HeaderBody, kind: CredentialKind, { slotIds }: OpenedHeader): string {
  const ofKind = slots.filter((slot) => slot.kind === kind);
  const opened = ofKind.filter(({ id }) => slotIds.includes(id));
  const [only, ...more] = opened.length === 0 ? ofKind : opened;
  if (only !== undefined && more.length === 0) return only.id;
  throw new HushError('BAD_REQUEST', `${only === undefined ? 'no' : 'more than one'} slot could be meant`, {
    hint: 'name it: hush slot list',
  });
}

/** What Argon2id of a new passphrase costs: what the config says, else what the dearest of the others does. */
function costOfNew({ slots }: HeaderBody, { memoryKiB, passes }: Partial<Argon2Cost>): Argon2Cost {
  let dearest: Argon2Cost | undefined;
  for (const { kdf } of slots) {
    if (kdf.name !== 'argon2id') continue;
    if (dearest === undefined || workOf(kdf) > workOf(dearest)) dearest = kdf;
  }
  const usual = dearest ?? argon2Default;
  return { memoryKiB: memoryKiB ?? usual.memoryKiB, passes: passes ?? usual.passes };
}

const workOf = ({ memoryKiB, passes }: Argon2Cost): number => memoryKiB * passes;

/** What Argon2id of a changed passphrase costs: never less than before. */
function costOfChanged({ kdf }: Slot, wanted: Partial<Argon2Cost>): Argon2Cost {
  if (kdf.name !== 'argon2id') return argon2Default;
  return raisedCost(kdf, wanted) ?? { memoryKiB: kdf.memoryKiB, passes: kdf.passes };
}

/** What may be told of a header's slots to who may administer the profile. */
export function slotFacts(body: HeaderBody): {
  readonly slots: {
    id: string;
    kind: CredentialKind;
    label: string;
    createdAt: string;
    argon2?: { memoryKiB: number; passes: number };
    opensAlone: boolean;
    groups: string[];
  }[];
  readonly openers: { id: string; slots: string[] }[];
} {
  return {
    slots: body.slots.map((slot) => ({
      id: slot.id,
      kind: slot.kind,
      label: slot.label,
      createdAt: slot.createdAt,
      ...(slot.kdf.name === 'argon2id'
        ? { argon2: { memoryKiB: slot.kdf.memoryKiB, passes: slot.kdf.passes } }
        : {}),
      opensAlone: body.openers.some(({ slots: [only, ...more] }) => more.length === 0 && only === slot.id),
      groups: groupsOf(body, slot.id).map(({ id }) => id),
    })),
    openers: body.openers.map(({ id, slots }) => ({ id, slots: [...slots] })),
  };
}
