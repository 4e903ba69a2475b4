import { HushError } from '../../protocol/errors.ts';
import { verifyHeader, type Header } from '../keys/header.ts';
import { backupMacOf } from '../keys/hmac.ts';
import { openHeader } from '../keys/open.ts';
import type { Credential } from '../keys/slot.ts';
import { deriveMacKey } from '../keys/subkeys.ts';
import { equalBytes } from '../memory/plain-bytes.ts';
import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import type { Head } from './container.ts';
import type { ProofParts } from './prove.ts';

/** The vault keys of a profile and of a backup of it, which are one unless the vault key was rotated in between. */
export interface BothKeys {
  /** Undefined where the profile's header cannot be read or is not opened by what was given. */
  readonly ofProfile: SecureBytes | undefined;
  /** Why it is not opened by what was given. */
  readonly refusal: HushError | undefined;
  readonly ofBackup: SecureBytes;
  wipe(): void;
}

/** What opens the two. */
export interface OpenBothParts extends ProofParts {
  /** Asks for what opened the profile when the backup was taken; undefined where nobody can be asked. */
  readonly askPast: (() => Promise<readonly Credential[]>) | undefined;
}

/**
 * Opens the header of a profile and a backup of it; header and manifest of the backup have then verified. Throws
 * WRONG_PASSPHRASE and WRONG_KEY when what was given opens the backup in neither way, INTEGRITY when the backup was forged.
 */
export async function openBoth(
  head: Head,
  ofBackup: Header,
  ofProfile: Header | undefined,
  parts: OpenBothParts,
): Promise<BothKeys> {
  const { arena, argon2Queue } = parts;
  const open = async (header: Header, credentials: readonly Credential[]): Promise<SecureBytes> =>
    (await openHeader(header, credentials, arena, argon2Queue)).vaultKey;
  const opened: SecureBytes[] = [];
  const wipe = (): void => {
    for (const key of opened) key.wipe();
  };
  const kept = (key: SecureBytes): SecureBytes => {
    opened.push(key);
    return key;
  };
  try {
    const found = ofProfile && (await unlessWrong(open(ofProfile, parts.credentials)));
    const refusal = found instanceof HushError ? found : undefined;
    const profileKey = found === undefined || found instanceof HushError ? undefined : kept(found);
    if (profileKey !== undefined && isOwn(head, profileKey.bytes, arena)) {
      verifyUnder(ofBackup, profileKey.bytes, arena);
      return { ofProfile: profileKey, refusal, ofBackup: profileKey, wipe };
    }
    const backupKey = kept(await openPast(open, ofBackup, parts, profileKey !== undefined));
    if (!isOwn(head, backupKey.bytes, arena)) {
      throw new HushError('INTEGRITY', 'the backup was tampered with: its manifest is not its own', {
        hint: 'restore from another backup',
      });
    }
    return { ofProfile: profileKey, refusal, ofBackup: backupKey, wipe };
  } catch (error) {
    wipe();
    throw error;
  }
}

/** The vault key of a backup that was taken under an earlier one, or of a profile whose header is of no use. */
async function openPast(
  open: (header: Header, credentials: readonly Credential[]) => Promise<SecureBytes>,
  header: Header,
  { credentials, askPast }: OpenBothParts,
  opensProfile: boolean,
): Promise<SecureBytes> {
  const found = await unlessWrong(open(header, credentials));
  if (!(found instanceof HushError)) return found;
  if (!opensProfile) throw found;
  if (askPast !== undefined) return open(header, await askPast());
  throw new HushError(
    found.code,
    'what was given opens the profile, and not the backup, which was taken under an earlier vault key',
    { hint: 'give what opened the profile then as well, for instance --passphrase-stdin twice' },
  );
}

async function unlessWrong(opening: Promise<SecureBytes>): Promise<SecureBytes | HushError> {
  try {
    return await opening;
  } catch (error) {
    const isWrong =
      error instanceof HushError && (error.code === 'WRONG_PASSPHRASE' || error.code === 'WRONG_KEY');
    if (isWrong) return error;
    throw error;
  }
}

/** Whether a backup's manifest was made under this vault key. */
function isOwn({ signed, mac }: Head, vaultKey: Uint8Array, arena: SecureArena): boolean {
  const macKey = deriveMacKey(vaultKey, arena);
  try {
    return equalBytes(backupMacOf(macKey.bytes, signed), mac);
  } finally {
    macKey.wipe();
  }
}

function verifyUnder(header: Header, vaultKey: Uint8Array, arena: SecureArena): void {
  const macKey = deriveMacKey(vaultKey, arena);
  try {
    verifyHeader(header, macKey.bytes);
  } finally {
    macKey.wipe();
  }
}
