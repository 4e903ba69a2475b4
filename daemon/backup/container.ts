import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { refuseNewerFormat } from '../keys/header.ts';
import { bytesOfHex, hexOf, utf8 } from '../keys/text.ts';
import { concatBytes } from '../memory/plain-bytes.ts';

/*
 * A backup is one file: a head of three lines (format, manifest, MAC), the bytes of the files that the manifest lists,
 * one after the other, and a last line with the SHA-256 of all bytes before it.
 */

/** The longest head in bytes. A profile has few files: a larger one is none that hushd writes. */
export const mostHeadBytes = 4 * 1024 * 1024;

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const size = z.int().nonnegative();

/** A name within a folder, as a header can give it too. */
const plainName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const auditName = /^(?:[0-9]{10}|stubs)\.jsonl$/;

const fileSchema = z
  .strictObject({
    part: z.enum(['header', 'keyset', 'vault', 'audit']),
    /** Its name in the profile's folder, or in that of the profile's audit. */
    name: z.string().regex(plainName),
    size,
    sha256: hex(64),
  })
  .refine(({ part, name }) => (part === 'audit' ? auditName.test(name) : name !== 'inactive'))
  .refine(({ part, name }) => (part === 'header') === (name === 'header'));

const manifestSchema = z
  .strictObject({
    format: z.literal(1),
    /** Random: the vault remembers the backup by it. */
    id: hex(32),
    vaultId: hex(32),
    // The predicate is what makes a text a profile's name.
    profile: z.custom<ProfileName>((value) => typeof value === 'string' && isProfileName(value)),
    createdAt: z.iso.datetime({ precision: 3 }),
    /** The number of the vault's last commit that it holds. */
    commit: size,
    header: z.strictObject({ generation: z.int().min(1) }),
    keyset: z.strictObject({ generation: z.int().min(1), lines: z.int().min(1) }),
    /** The last record of the audit chain that it holds; number 0 where the chain is empty. */
    audit: z.strictObject({ seq: size, hash: hex(64) }),
    files: z.array(fileSchema).min(3).max(16_384),
  })
  .refine(
    ({ files }) =>
      new Set(files.map(({ name }) => name)).size === files.length &&
      (['header', 'keyset', 'vault'] as const).every(
        (wanted) => files.filter(({ part }) => part === wanted).length === 1,
      ),
    'the files are not those of a profile',
  );

/** What a backup says of itself: nothing in it is proved before its MAC is checked. */
export type Manifest = z.infer<typeof manifestSchema>;

/** One file in a backup. */
export type BackedUpFile = Manifest['files'][number];

/** The head of a backup as it was read. */
export interface Head {
  readonly manifest: Manifest;
  /** All bytes that the MAC is over. */
  readonly signed: Uint8Array;
  /** HMAC-SHA-256 under the MAC key of header and key set. */
  readonly mac: Uint8Array;
  /** The bytes of the head: the first file begins behind them. */
  readonly length: number;
}

const magic = 'hushd-backup';
const format = 1;
const headPattern = /^hushd-backup 1\n(\{[^\n]*\})\nmac ([0-9a-f]{64})\n/;
const lastLinePattern = /^checksum ([0-9a-f]{64})\n$/;

/** The length of the last line of a backup in bytes. */
export const lastLineBytes = 'checksum '.length + 64 + 1;

/** The file of a manifest that is this part of the profile. */
export function fileOf({ files }: Manifest, part: 'header' | 'keyset' | 'vault'): BackedUpFile {
  const file = files.find((candidate) => candidate.part === part);
  if (file === undefined) throw new RangeError(`a manifest has a ${part}`);
  return file;
}

/** The bytes of the head that says what the manifest says; `macOf` is the MAC under the profile's MAC key. */
export function serialiseHead(manifest: Manifest, macOf: (signed: Uint8Array) => Uint8Array): Uint8Array {
  const signed = utf8(`${magic} ${format}\n${JSON.stringify(manifestSchema.parse(manifest))}\n`);
  const head = concatBytes(signed, utf8(`mac ${hexOf(macOf(signed))}\n`));
  if (head.length <= mostHeadBytes) return head;
  throw new HushError('TOO_LARGE', 'the profile has too many files for a backup');
}

/**
 * The head that the first bytes of a file are, which may go on behind it. Throws DAMAGED when they are none, also with
 * content that hushd never writes; NEWER_FORMAT.
 */
export function parseHead(start: Uint8Array): Head {
  const bytes = Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, mostHeadBytes));
  // One character a byte, so that lengths in the text are lengths in the file; names in a manifest are ASCII.
  const text = bytes.toString('latin1');
  refuseNewerFormat(text, magic, format, 'the backup');
  const [head, json, mac] = headPattern.exec(text) ?? [];
  if (head === undefined || json === undefined || mac === undefined) {
    throw text.startsWith(`${magic} ${format}\n`) ? damagedHead() : notABackup();
  }
  const signedLength = head.length - 'mac '.length - 64 - 1;
  return {
    manifest: parseManifest(json),
    signed: bytes.subarray(0, signedLength),
    mac: bytesOfHex(mac),
    length: head.length,
  };
}

function parseManifest(json: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw damagedHead();
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damagedHead();
}

/** How long the file of a backup is, by its head: a number beyond 2^53 - 1 is none that a file can have. */
export function sizeOf({ manifest, length }: Pick<Head, 'manifest' | 'length'>): number {
  return manifest.files.reduce((sum, file) => sum + file.size, length + lastLineBytes);
}

/** The last line of a backup, for the SHA-256 of all bytes before it. */
export const serialiseLastLine = (sha256: Uint8Array): Uint8Array => utf8(`checksum ${hexOf(sha256)}\n`);

/** The checksum that a last line says, or undefined if it is none. */
export function parseLastLine(line: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  const checksum = lastLinePattern.exec(text)?.[1];
  return checksum === undefined ? undefined : bytesOfHex(checksum);
}

const notABackup = (): HushError =>
  new HushError('DAMAGED', 'the file is no backup of hushd', {
    hint: 'name a file that hush backup create wrote',
  });

const damagedHead = (): HushError =>
  new HushError('DAMAGED', 'the head of the backup is damaged', { hint: 'take another backup' });
