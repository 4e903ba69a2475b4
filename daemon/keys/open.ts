import { HushError } from '../../protocol/errors.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { type Header, type HeaderBody, type Slot, verifyHeader } from './header.ts';
import { publicKeyOf } from './hpke.ts';
import { openOpener } from './opener.ts';
import type { Argon2Queue } from './passphrase.ts';
import { checkCredential, type Credential, type CredentialKind, deriveSlotKey } from './slot.ts';
import { mostMembers, slotText } from './slots.ts';
import { deriveMacKey } from './subkeys.ts';
import { checkedBase64 } from './text.ts';
import { wipeVaultKey } from './vault-key.ts';

/** What an unlock found. */
export interface OpenedHeader {
  /** The 32-byte vault key; the caller wipes it. */
  readonly vaultKey: SecureBytes;
  /** The opener that gave it. */
  readonly openerId: string;
  /** The slots of that opener. */
  readonly slotIds: readonly string[];
  /** The credentials that were found to fit a slot, by the slot's id; at least those of `slotIds`. */
  readonly fitting: ReadonlyMap<string, Credential>;
}

const kindNames: Readonly<Record<CredentialKind, string>> = {
  passphrase: 'passphrase',
  key: 'key',
  recovery: 'recovery key',
};

const unlockWith: Readonly<Record<CredentialKind, string>> = {
  passphrase: 'hush unlock',
  key: 'hush unlock --key-file FILE, or HUSH_MASTER_KEY',
  recovery: 'hush unlock --recovery',
};

function wrong(kind: CredentialKind, slots: readonly Slot[]): HushError {
  const code = kind === 'passphrase' ? 'WRONG_PASSPHRASE' : 'WRONG_KEY';
  if (slots.some((slot) => slot.kind === kind)) {
    return new HushError(code, `the ${kindNames[kind]} does not open this profile`);
  }
  const present = [...new Set(slots.map((slot) => slot.kind))];
  const kinds = present.map((other) => kindNames[other]).join(' or ');
  return new HushError(code, `this profile opens with a ${kinds}, and a ${kindNames[kind]} was given`, {
    hint: present.map((other) => unlockWith[other]).join('; '),
  });
}

const memberOptions: Readonly<Record<CredentialKind, string>> = {
  passphrase: '--passphrase-stdin',
  key: '--key-file FILE',
  recovery: '--recovery-stdin',
};

/** The options of one command that gives these slots' credentials, in the order of the lines of its input. */
const together = (ids: readonly string[], slots: readonly Slot[]): string =>
  (['key', 'passphrase', 'recovery'] as const)
    .flatMap((kind) => slots.filter((slot) => slot.kind === kind && ids.includes(slot.id)))
    .map(({ kind }) => memberOptions[kind])
    .join(' ');

/** The error for credentials that are right and not enough: it names what belongs to them. */
function incomplete({ openers, slots }: HeaderBody, fitting: ReadonlyMap<string, Credential>): HushError {
  const given = [...fitting.values()].map(({ kind }) => kind);
  const code = given.includes('passphrase') ? 'WRONG_PASSPHRASE' : 'WRONG_KEY';
  const groups = openers.filter((opener) => opener.slots.some((id) => fitting.has(id)));
  const missing = groups.map((opener) =>
    slots
      .filter(({ id }) => opener.slots.includes(id) && !fitting.has(id))
      .map(slotText)
      .join(' and '),
  );
  const told = missing.length === 0 ? '' : `: ${missing.join(', or ')}`;
  return new HushError(
    code,
    `the ${given.map((kind) => kindNames[kind]).join(' and ')} given ${given.length === 1 ? 'is' : 'are'} right, and this profile needs more to open${told}`,
    { hint: `give all members together: ${together(groups[0]?.slots ?? [], slots)}` },
  );
}

/** Keys before passphrases, which cost an Argon2id each and may not be needed. */
const byCost = (a: Credential, b: Credential): number =>
  Number(a.kind === 'passphrase') - Number(b.kind === 'passphrase');

/**
 * The vault key of a header, from a list of one to four credentials. A credential is tried on the slots of its kind
 * only (at most eight take a passphrase), and the first opener whose slots are all there is opened; the header's MAC
 * has then verified. Throws WRONG_PASSPHRASE or WRONG_KEY when a credential fits no slot, or what fits is not enough;
 * INTEGRITY when it fits and the header does not open or its MAC is wrong; BAD_REQUEST for no credential, too many, or
 * one of the wrong length; LIMIT_EXCEEDED and UNAVAILABLE as the queue does.
 */
export async function openHeader(
  header: Header,
  credentials: readonly Credential[],
  arena: SecureArena,
  argon2Queue: Argon2Queue,
): Promise<OpenedHeader> {
  if (credentials.length < 1 || credentials.length > mostMembers) {
    throw new HushError('BAD_REQUEST', `an unlock takes one to ${mostMembers} credentials`, {
      hint: 'hush unlock',
    });
  }
  for (const credential of credentials) checkCredential(credential);

  const { slots } = header.body;
  const privateKeys = new Map<string, SecureBytes>();
  const fitting = new Map<string, Credential>();
  const misfits: CredentialKind[] = [];
  try {
    for (const credential of [...credentials].sort(byCost)) {
      let fits = false;
      for (const slot of slots) {
        if (slot.kind !== credential.kind || privateKeys.has(slot.id)) continue;
        const privateKey = await fittingKey(credential, slot, arena, argon2Queue);
        if (privateKey === undefined) continue;
        privateKeys.set(slot.id, privateKey);
        fitting.set(slot.id, credential);
        fits = true;
        const opened = openReady(header, privateKeys, arena);
        if (opened !== undefined) return { ...opened, fitting };
      }
      if (!fits) misfits.push(credential.kind);
    }
  } finally {
    for (const key of privateKeys.values()) key.wipe();
  }
  const misfit = misfits.includes('passphrase') ? 'passphrase' : misfits[0];
  throw misfit === undefined ? incomplete(header.body, fitting) : wrong(misfit, slots);
}

/** The private half of the slot, if the credential gives the one that the slot's public half belongs to. */
async function fittingKey(
  credential: Credential,
  slot: Slot,
  arena: SecureArena,
  argon2Queue: Argon2Queue,
): Promise<SecureBytes | undefined> {
  const privateKey = await deriveSlotKey(credential, slot.kdf, arena, argon2Queue);
  let fits = false;
  try {
    fits = equalBytes(publicKeyOf(privateKey.bytes), checkedBase64(slot.public));
    return fits ? privateKey : undefined;
  } finally {
    if (!fits) privateKey.wipe();
  }
}

/** Opens the first opener whose slots are all there, and checks the header's MAC with what it gives. */
function openReady(
  header: Header,
  privateKeys: ReadonlyMap<string, SecureBytes>,
  arena: SecureArena,
): Omit<OpenedHeader, 'fitting'> | undefined {
  const opener = header.body.openers.find(({ slots }) => slots.every((id) => privateKeys.has(id)));
  if (opener === undefined) return undefined;
  const vaultKey = openOpener(header.body.vaultId, opener, privateKeys, arena);
  try {
    verifyUnder(vaultKey.bytes, header, arena);
    return { vaultKey, openerId: opener.id, slotIds: opener.slots };
  } catch (error) {
    wipeVaultKey(vaultKey);
    throw error;
  }
}

function verifyUnder(vaultKey: Uint8Array, header: Header, arena: SecureArena): void {
  const macKey = deriveMacKey(vaultKey, arena);
  try {
    verifyHeader(header, macKey.bytes);
  } finally {
    macKey.wipe();
  }
}
