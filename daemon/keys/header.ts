import { createHash } from 'node:crypto';
import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { concatBytes, equalBytes, newBytes } from '../memory/plain-bytes.ts';
import { hmacSha256 } from './hmac.ts';
import { argon2Bounds } from './passphrase.ts';
import { bytesOfBase64, bytesOfHex, hexOf, utf8 } from './text.ts';

/** The most slots and openers of a profile, and the most passphrase slots, since each costs an Argon2id to try. */
export const headerLimits = { bytes: 256 * 1024, slots: 64, passphraseSlots: 8, openers: 64 } as const;

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const base64 = (length: number) =>
  z.string().refine((text) => bytesOfBase64(text)?.length === length, `not the base64 of ${length} bytes`);
const time = z.iso.datetime({ precision: 3 });
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const label = z.string().max(128);
const sealedKeyLength = 32 + 32 + 16;

const argon2id = z.strictObject({
  name: z.literal('argon2id'),
  salt: base64(16),
  memoryKiB: z.int().min(argon2Bounds.memoryKiB.least).max(argon2Bounds.memoryKiB.most),
  passes: z.int().min(argon2Bounds.passes.least).max(argon2Bounds.passes.most),
  lanes: z.literal(1),
});
const hkdf = z.strictObject({ name: z.literal('hkdf-sha256'), salt: base64(32) });

const slotSchema = z
  .strictObject({
    id: hex(16),
    kind: z.enum(['passphrase', 'key', 'recovery']),
    label,
    createdAt: time,
    public: base64(32),
    kdf: z.discriminatedUnion('name', [argon2id, hkdf]),
  })
  .refine(({ kind, kdf }) => (kind === 'passphrase') === (kdf.name === 'argon2id'), 'kdf of another kind');

const openerSchema = z.strictObject({
  id: hex(16),
  slots: z.array(hex(16)).min(1).max(headerLimits.slots),
  public: base64(32),
  shares: z.array(z.strictObject({ slot: hex(16), sealed: base64(sealedKeyLength) })).exactOptional(),
  sealed: base64(sealedKeyLength),
});

const isDistinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** A single opener is its slot; a group has one share a slot, in the same order. */
function isOpenerOf(
  opener: z.infer<typeof openerSchema>,
  slots: readonly z.infer<typeof slotSchema>[],
): boolean {
  const members = opener.slots.map((id) => slots.find((slot) => slot.id === id));
  if (!isDistinct(opener.slots) || members.includes(undefined)) return false;
  if (members.length === 1) return opener.shares === undefined && members[0]?.public === opener.public;
  const shares = opener.shares ?? [];
  return (
    shares.length === members.length && shares.every((share, index) => share.slot === opener.slots[index])
  );
}

const bodySchema = z
  .strictObject({
    format: z.literal(1),
    vaultId: hex(32),
    generation: z.int().min(1),
    createdAt: time,
    files: z.strictObject({ vault: fileName, keyset: fileName }),
    slots: z.array(slotSchema).min(1).max(headerLimits.slots),
    openers: z.array(openerSchema).min(1).max(headerLimits.openers),
  })
  .refine(({ slots }) => isDistinct(slots.map((slot) => slot.id)), 'two slots of one id')
  .refine(({ openers }) => isDistinct(openers.map((opener) => opener.id)), 'two openers of one id')
  .refine(
    ({ slots }) => slots.filter((slot) => slot.kind === 'passphrase').length <= headerLimits.passphraseSlots,
    'too many passphrase slots',
  )
  .refine(
    ({ slots, openers }) => openers.every((opener) => isOpenerOf(opener, slots)),
    'an opener that does not fit its slots',
  );

/** What a header says: who can open the profile, and which files belong to it. Base64 is canonical, hex lower case. */
export type HeaderBody = z.infer<typeof bodySchema>;
/** Something that a credential fits, with the public half of the master key that it gives. */
export type Slot = z.infer<typeof slotSchema>;
/** How a slot's master key comes from a credential. */
export type SlotKdf = Slot['kdf'];
/** One slot, or two or more of which all are needed, with the vault key sealed to it. */
export type Opener = z.infer<typeof openerSchema>;

/** A header as it was read: nothing in it is proved before its MAC is checked. */
export interface Header {
  readonly body: HeaderBody;
  /** All bytes that the MAC is over. */
  readonly signed: Uint8Array;
  /** HMAC-SHA-256 under the header MAC key. */
  readonly mac: Uint8Array;
}

const magic = 'hushd-header';
const format = 1;
const filePattern = /^hushd-header 1\n(\{[^\n]*\})\nmac ([0-9a-f]{64})\nchecksum ([0-9a-f]{64})\n$/;

const damaged = (): HushError =>
  new HushError('DAMAGED', "the profile's header is damaged", {
    hint: 'hush doctor, then restore the header from a backup',
  });
const forged = (why: string): HushError =>
  new HushError('INTEGRITY', `the profile's header was tampered with: ${why}`, {
    hint: 'restore the header from a backup that you trust',
  });

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** Throws NEWER_FORMAT when the first line of a file says a higher number than ours. */
export function refuseNewerFormat(text: string, name: string, known: number, what: string): void {
  const number = new RegExp(`^${name} ([1-9][0-9]{0,8})(?![0-9])`).exec(text)?.[1];
  if (number !== undefined && Number(number) > known) {
    throw new HushError('NEWER_FORMAT', `${what} has format ${number}, and this hushd reads ${known}`, {
      hint: 'install the release that wrote it; if none did, the file is damaged: hush doctor',
    });
  }
}

/**
 * The header that the bytes of its file are. Throws DAMAGED when they are cut, changed or not a header; NEWER_FORMAT;
 * INTEGRITY when the checksum is right and yet the content is none that hushd writes: then someone made it so.
 */
export function parseHeader(file: Uint8Array): Header {
  if (file.length > headerLimits.bytes) throw damaged();
  const text = Buffer.from(file.buffer, file.byteOffset, file.length).toString('utf8');
  refuseNewerFormat(text, magic, format, 'the header');
  const [, json, mac, checksum] = filePattern.exec(text) ?? [];
  if (json === undefined || mac === undefined || checksum === undefined) throw damaged();

  const summed = file.subarray(0, file.length - 'checksum '.length - 65);
  if (!equalBytes(sha256(summed), bytesOfHex(checksum))) throw damaged();

  const signed = summed.slice(0, summed.length - 'mac '.length - 65);
  return { body: parseBody(json), signed, mac: bytesOfHex(mac) };
}

function parseBody(json: string): HeaderBody {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw forged('its body is not JSON');
  }
  const parsed = bodySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw forged(`${issue?.path.join('.') || 'its body'} is not valid`);
}

/** Throws INTEGRITY unless the header was made with the header MAC key. */
export function verifyHeader(header: Header, macKey: Uint8Array): void {
  const mac = newBytes(32);
  hmacSha256(macKey, header.signed, mac);
  if (!equalBytes(mac, header.mac)) throw forged('its MAC does not fit');
}

/** The bytes of the file of a header. Throws INTEGRITY when the body is none that `parseHeader` would accept. */
export function serialiseHeader(body: HeaderBody, macKey: Uint8Array): Uint8Array {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) throw forged('it would not be valid');
  const signed = utf8(`${magic} ${format}\n${JSON.stringify(parsed.data)}\n`);
  const mac = newBytes(32);
  hmacSha256(macKey, signed, mac);
  const summed = concatBytes(signed, utf8(`mac ${hexOf(mac)}\n`));
  return concatBytes(summed, utf8(`checksum ${hexOf(sha256(summed))}\n`));
}
