import { HushError } from '../protocol/errors.ts';
import { isSlotLabel } from '../protocol/names.ts';
import type { ResultOf } from '../protocol/operations.ts';
import { columns } from './format.ts';
import type { OpensWith } from './proof.ts';

/** What the daemon tells of the slots of a profile. */
export type SlotList = ResultOf<'slot.list'>;

/** One slot of a profile. */
export type SlotEntry = SlotList['slots'][number];

/** A slot in words: `passphrase 'operator'`. */
export const slotText = ({ kind, label, id }: Pick<SlotEntry, 'kind' | 'label' | 'id'>): string =>
  `${kind === 'recovery' ? 'recovery key' : kind} ${label === '' ? id : `'${label}'`}`;

/** The slots and openers of a profile, as the daemon or a header tells of them. */
interface Openers {
  readonly slots: readonly Pick<SlotEntry, 'id' | 'kind' | 'label'>[];
  readonly openers: readonly { readonly slots: readonly string[] }[];
}

/** What opens the profile, as an unlock needs to know it. */
export function opensWithOf({ slots, openers }: Openers): OpensWith {
  return openers.map(({ slots: ids }) =>
    slots.filter(({ id }) => ids.includes(id)).map(({ kind, label }) => ({ kind, label })),
  );
}

/** The slot that a word names: by its label, its id, or how its id begins. Throws NOT_FOUND, BAD_REQUEST. */
export function slotMeant({ slots }: SlotList, word: string): SlotEntry {
  const exact = slots.filter(({ id, label }) => id === word || label === word);
  const meant = exact.length > 0 ? exact : slots.filter(({ id }) => word !== '' && id.startsWith(word));
  const [only, ...more] = meant;
  if (only === undefined) {
    throw new HushError('NOT_FOUND', `there is no slot '${word}'`, { hint: 'hush slot list' });
  }
  if (more.length === 0) return only;
  const ids = meant.map(({ id }) => id).join(', ');
  throw new HushError('BAD_REQUEST', `'${word}' may mean more than one slot: ${ids}`, {
    hint: 'name it by its whole id: hush slot list',
  });
}

/** The group that words name: by its id, or by members that are together in no other. Throws NOT_FOUND, BAD_REQUEST. */
export function groupMeant(list: SlotList, words: readonly string[]): SlotList['openers'][number] {
  const groups = list.openers.filter(({ slots }) => slots.length > 1);
  const named = groups.find(({ id }) => words.length === 1 && id === words[0]);
  if (named !== undefined) return named;
  const members = words.map((word) => slotMeant(list, word).id);
  const [only, ...more] = groups.filter(({ slots }) => members.every((id) => slots.includes(id)));
  if (only === undefined) {
    throw new HushError('NOT_FOUND', 'there is no such group', { hint: 'hush slot list' });
  }
  if (more.length === 0) return only;
  throw new HushError('BAD_REQUEST', 'more than one group may be meant', {
    hint: 'name all its members, or its id: hush slot list --json',
  });
}

/** Throws INVALID_NAME unless the text can be a label. */
export function checkLabel(text: string): string {
  if (isSlotLabel(text)) return text;
  throw new HushError('INVALID_NAME', 'that is not a label', {
    hint: '1 to 64 characters, no control character, no blank at its ends, and not 16 hex digits',
  });
}

/** The slots one a line, then in words what opens the profile. */
export function listLines(profile: string, list: SlotList): string[] {
  const rows = list.slots.map((slot) => [
    slot.id,
    slot.kind === 'recovery' ? 'recovery key' : slot.kind,
    slot.label,
    howText(slot),
    costText(slot),
    slot.createdAt.slice(0, 10),
  ]);
  return [
    ...columns(rows),
    `profile ${profile} opens with ${list.openers.length === 1 ? 'this' : 'any one of these'}:`,
    ...list.openers.map(({ slots }) => `  ${combinationText(list, slots)}`),
    revocationText,
  ];
}

/** What changing or removing a slot does not do. */
export const revocationText =
  'a slot that is removed or changed still opens old copies of the header: hush keys rotate --vault ends that';

/** Slots that open together, in words. */
export function combinationText({ slots }: SlotList, ids: readonly string[]): string {
  const named = slots.filter(({ id }) => ids.includes(id)).map(slotText);
  return named.length === 1
    ? (named[0] ?? '')
    : `${named.slice(0, -1).join(', ')} and ${named.at(-1) ?? ''}, together`;
}

function howText({ opensAlone, groups }: SlotEntry): string {
  if (opensAlone) return 'opens alone';
  return groups.length === 0 ? 'opens nothing' : 'opens with others';
}

const costText = ({ argon2 }: SlotEntry): string =>
  argon2 === undefined ? '' : `Argon2id ${Math.round(argon2.memoryKiB / 1024)} MiB, ${argon2.passes} passes`;
