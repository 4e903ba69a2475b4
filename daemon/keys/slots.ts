import { HushError } from '../../protocol/errors.ts';
import { type HeaderBody, headerLimits, type Opener, type Slot } from './header.ts';
import { makeGroupOpener, makeSingleOpener } from './opener.ts';

/*
 * Each function takes the body of a header and gives the next one, of the generation after. None writes anything: the
 * next body is true once it is in place. Those that seal the vault key anew take it; the others need nobody present.
 */

/** The most members of a group: as many as the credentials of one unlock. */
export const mostMembers = 4;

const next = (body: HeaderBody, change: Partial<Pick<HeaderBody, 'slots' | 'openers'>>): HeaderBody => ({
  ...body,
  ...change,
  generation: body.generation + 1,
});

/** A slot in words: its kind and its label. */
export const slotText = ({ kind, label, id }: Pick<Slot, 'kind' | 'label' | 'id'>): string =>
  `${kind === 'recovery' ? 'recovery key' : kind} ${label === '' ? id : `'${label}'`}`;

/** The slot with that id. Throws NOT_FOUND. */
export function slotNamed({ slots }: HeaderBody, id: string): Slot {
  const slot = slots.find((one) => one.id === id);
  if (slot !== undefined) return slot;
  throw new HushError('NOT_FOUND', 'there is no such slot', { hint: 'hush slot list' });
}

/** The groups that a slot is a member of. */
export const groupsOf = ({ openers }: HeaderBody, id: string): Opener[] =>
  openers.filter(({ slots }) => slots.length > 1 && slots.includes(id));

/** Throws EXISTS when another slot has the label. */
export function requireFreeLabel({ slots }: HeaderBody, label: string, self?: string): void {
  if (!slots.some((slot) => slot.label === label && slot.id !== self)) return;
  throw new HushError('EXISTS', `a slot is called '${label}' already`, { hint: 'choose another label' });
}

/** A label that no slot has: the kind, with a number if need be. */
export function freeLabel({ slots }: HeaderBody, kind: Slot['kind']): string {
  const taken = new Set(slots.map(({ label }) => label));
  for (let number = 1; ; number += 1) {
    const label = number === 1 ? kind : `${kind}-${number}`;
    if (!taken.has(label)) return label;
  }
}

/** Throws LIMIT_EXCEEDED when there is no room for one more slot of the kind. */
export function requireRoom({ slots, openers }: HeaderBody, kind: Slot['kind']): void {
  const passphrases = slots.filter((slot) => slot.kind === 'passphrase').length;
  if (slots.length >= headerLimits.slots) throw full('slots', headerLimits.slots);
  if (openers.length >= headerLimits.openers) throw full('openers', headerLimits.openers);
  if (kind === 'passphrase' && passphrases >= headerLimits.passphraseSlots)
    throw full('passphraseSlots', headerLimits.passphraseSlots);
}

function full(limit: 'slots' | 'passphraseSlots' | 'openers', most: number): HushError {
  const what = { slots: 'slots', passphraseSlots: 'passphrase slots', openers: 'ways to open it' }[limit];
  return new HushError('LIMIT_EXCEEDED', `a profile has at most ${most} ${what}`, {
    limit,
    hint: 'hush slot list, then hush slot remove what is not needed',
  });
}

/** The header with one more slot, which opens alone. Throws EXISTS for its label, LIMIT_EXCEEDED. */
export function withSlot(body: HeaderBody, slot: Slot, vaultKey: Uint8Array): HeaderBody {
  requireFreeLabel(body, slot.label);
  requireRoom(body, slot.kind);
  const opener = makeSingleOpener(body.vaultId, slot, vaultKey);
  return next(body, { slots: [...body.slots, slot], openers: [...body.openers, opener] });
}

/**
 * The header with another public half and KDF in the place of the slot of the same id. Every opener of that slot is
 * sealed anew, a group with new shares, and keeps its id. Throws NOT_FOUND.
 */
export function withSlotReplaced(body: HeaderBody, slot: Slot, vaultKey: Uint8Array): HeaderBody {
  slotNamed(body, slot.id);
  const slots = body.slots.map((one) => (one.id === slot.id ? slot : one));
  const after = next(body, { slots });
  const openers = body.openers.map((opener) => {
    if (!opener.slots.includes(slot.id)) return opener;
    return opener.slots.length === 1
      ? makeSingleOpener(body.vaultId, slot, vaultKey, opener.id)
      : makeGroupOpener(body.vaultId, membersOf(after, opener.slots), vaultKey, opener.id);
  });
  return { ...after, openers };
}

const membersOf = (body: HeaderBody, ids: readonly string[]): Slot[] => ids.map((id) => slotNamed(body, id));

/**
 * The header without a slot and its opener. Throws NOT_FOUND; CONFLICT when the slot is a member of a group, whose
 * other members could then never open it, and when nothing else opens the profile.
 */
export function withoutSlot(body: HeaderBody, id: string): HeaderBody {
  const slot = slotNamed(body, id);
  const [group] = groupsOf(body, id);
  if (group !== undefined) {
    throw new HushError('CONFLICT', `the ${slotText(slot)} is a member of a group, which needs it to open`, {
      hint: `first hush slot ungroup ${group.id}, which lets each member open alone again`,
    });
  }
  const openers = body.openers.filter(({ slots }) => !slots.includes(id));
  if (openers.length === 0) {
    throw new HushError('CONFLICT', `the ${slotText(slot)} is the last that opens this profile`, {
      hint: 'first hush slot add another, or hush slot change this one',
    });
  }
  return next(body, { slots: body.slots.filter((one) => one.id !== id), openers });
}

/** The header with another label for a slot. Throws NOT_FOUND, EXISTS. */
export function withSlotRenamed(body: HeaderBody, id: string, label: string): HeaderBody {
  const slot = slotNamed(body, id);
  requireFreeLabel(body, label, id);
  return next(body, { slots: body.slots.map((one) => (one === slot ? { ...slot, label } : one)) });
}

/**
 * The header with a group of two to four slots that open together; no opener of one of them alone stays. Throws
 * NOT_FOUND, BAD_REQUEST for too few, too many or the same one twice, EXISTS for a group that there is, LIMIT_EXCEEDED.
 */
export function withGroup(
  body: HeaderBody,
  ids: readonly string[],
  vaultKey: Uint8Array,
): { readonly body: HeaderBody; readonly group: string } {
  if (ids.length < 2 || ids.length > mostMembers || new Set(ids).size !== ids.length) {
    throw new HushError('BAD_REQUEST', 'a group has two to four different slots', {
      hint: 'hush slot list, then hush slot group SLOT SLOT',
    });
  }
  const members = membersOf(body, ids);
  const same = body.openers.find(
    ({ slots }) => slots.length === ids.length && ids.every((id) => slots.includes(id)),
  );
  if (same !== undefined) {
    throw new HushError('EXISTS', `these slots are a group already: ${same.id}`, { hint: 'hush slot list' });
  }
  const others = body.openers.filter(
    ({ slots: [only, ...more] }) => more.length > 0 || !ids.includes(only ?? ''),
  );
  if (others.length >= headerLimits.openers) throw full('openers', headerLimits.openers);
  const opener = makeGroupOpener(body.vaultId, members, vaultKey);
  return { body: next(body, { openers: [...others, opener] }), group: opener.id };
}

/**
 * The header without a group. Each member that is in no other group opens alone again; one that is in another stays
 * bound by that. Throws NOT_FOUND, LIMIT_EXCEEDED.
 */
export function withoutGroup(
  body: HeaderBody,
  group: string,
  vaultKey: Uint8Array,
): { readonly body: HeaderBody; readonly alone: readonly string[] } {
  const opener = body.openers.find(({ id, slots }) => id === group && slots.length > 1);
  if (opener === undefined)
    throw new HushError('NOT_FOUND', 'there is no such group', { hint: 'hush slot list' });
  const others = body.openers.filter((one) => one !== opener);
  const alone = opener.slots.filter((id) => !others.some(({ slots }) => slots.includes(id)));
  const singles = membersOf(body, alone).map((slot) => makeSingleOpener(body.vaultId, slot, vaultKey));
  if (others.length + singles.length > headerLimits.openers) throw full('openers', headerLimits.openers);
  return { body: next(body, { openers: [...others, ...singles] }), alone };
}
