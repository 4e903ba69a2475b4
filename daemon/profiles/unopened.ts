import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { HushError } from '../../protocol/errors.ts';
import { isProfileName } from '../../protocol/names.ts';
import type { HomePaths, ProfilePaths } from '../home/paths.ts';
import { readHeaderFile } from '../keys/header-file.ts';
import type { Header } from '../keys/header.ts';
import { readKeysetFile } from '../keys/keyset-file.ts';
import { parseFirstLine } from '../keys/keyset.ts';
import { isSetAside } from './exchange.ts';

/*
 * What the files of a profile say of it while nobody has opened it. Nothing of that is proved by a key: it may only make
 * somebody more careful.
 */

const keysetName = /^keyset(?:-([1-9][0-9]{0,15}))?$/;

/** The folder of a profile and the header in it. */
export type ProfileFolder = Pick<ProfilePaths, 'folder' | 'header'>;

/** A folder that holds the files of a profile, whatever its name. */
const profileFolder = (folder: string): ProfileFolder => ({ folder, header: join(folder, 'header') });

/** The header of a profile; undefined where it is missing, damaged or was changed. Throws UNSAFE_MODE, NEWER_FORMAT. */
export function presentHeader({ header }: ProfileFolder): Header | undefined {
  return ifReadable(() => readHeaderFile(header));
}

/** The id of the vault that a profile is, by its header, else by its key set; undefined where neither can be read. */
export function presentVaultId(place: ProfileFolder, header: Header | undefined): string | undefined {
  return (
    header?.body.vaultId ??
    ifReadable(() => parseFirstLine(presentKeysetLines(place, header)[0] ?? '').vaultId)
  );
}

/** The lines of the key set that the header names; without a header, of the one with the highest number. */
export function presentKeysetLines(
  { folder }: Pick<ProfileFolder, 'folder'>,
  header: Header | undefined,
): readonly string[] {
  const numberOf = (name: string): number => Number(keysetName.exec(name)?.[1] ?? 1);
  const [newest] = readdirSync(folder)
    .filter((name) => keysetName.test(name))
    .sort((a, b) => numberOf(b) - numberOf(a));
  const name = header?.body.files.keyset ?? newest;
  return name === undefined ? [] : readKeysetFile(join(folder, name)).lines;
}

/** The keys of a key set by their ids: those that it still holds, and those that were destroyed. */
export interface NamedKeys {
  readonly held: ReadonlySet<string>;
  readonly destroyed: ReadonlySet<string>;
}

const entry = z.discriminatedUnion('type', [
  z.object({ type: z.literal('key'), id: z.string(), wrapped: z.string() }),
  z.object({ type: z.literal('state'), key: z.string(), state: z.string() }),
]);

/** The keys that the lines of a key set name, none of which is checked. Throws INTEGRITY where one is no entry. */
export function namedKeys([first, ...lines]: readonly string[]): NamedKeys {
  if (first === undefined) throw new HushError('INTEGRITY', 'the key set is missing');
  const held = new Set<string>();
  const destroyed = new Set<string>();
  for (const line of lines) {
    const found = entry.safeParse(jsonOf(line)).data;
    if (found === undefined) throw new HushError('INTEGRITY', 'a line of the key set is no entry');
    if (found.type === 'key') (found.wrapped === '' ? destroyed : held).add(found.id);
    else if (found.state === 'destroyed') destroyed.add(found.key);
  }
  for (const id of destroyed) held.delete(id);
  return { held, destroyed };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The id of the vault that a folder's files say they are of; undefined where they do not, for whatever reason. */
export function claimedVaultId(folder: string): string | undefined {
  const place = profileFolder(folder);
  const header = unlessRefused(() => presentHeader(place));
  return unlessRefused(() => presentVaultId(place, header));
}

/** One profile of the home that is the same vault as another, or what a restore has set aside of one. */
export interface Sibling {
  readonly name: string;
  readonly folder: string;
  /** Undefined where its key set cannot be read. */
  readonly keys: NamedKeys | undefined;
}

/** The profiles of the home that are this vault; what cannot say of itself which vault it is counts as another. */
export const siblingsOf = (paths: HomePaths, vaultId: string): readonly Sibling[] =>
  ofVault(paths, vaultId, isProfileName);

/** What restores in this home have set aside of profiles that were this vault. */
export const setAsideOf = (paths: HomePaths, vaultId: string): readonly Sibling[] =>
  ofVault(paths, vaultId, isSetAside);

function ofVault(paths: HomePaths, vaultId: string, isMeant: (name: string) => boolean): readonly Sibling[] {
  return readdirSync(paths.profiles)
    .filter(isMeant)
    .map((name) => ({ name, folder: join(paths.profiles, name) }))
    .filter(({ folder }) => claimedVaultId(folder) === vaultId)
    .map(({ name, folder }) => {
      const header = unlessRefused(() => presentHeader(profileFolder(folder)));
      return { name, folder, keys: unlessRefused(() => namedKeys(presentKeysetLines({ folder }, header))) };
    });
}

/** Whether a folder holds keys of which no profile of the home knows, so that they would be lost with it. */
export function holdsKeysOfItsOwn(paths: HomePaths, folder: string): boolean {
  const place = profileFolder(folder);
  const header = unlessRefused(() => presentHeader(place));
  // A header comes last, or is the first of what is in a backup: without one no key of the folder opens.
  if (header === undefined) return false;
  const keys = unlessRefused(() => namedKeys(presentKeysetLines(place, header)));
  if (keys === undefined) return existsSync(join(folder, header.body.files.keyset));
  const known = siblingsOf(paths, header.body.vaultId).map((sibling) => sibling.keys);
  const isKnown = (id: string): boolean =>
    known.some((other) => other !== undefined && (other.held.has(id) || other.destroyed.has(id)));
  return ![...keys.held].every(isKnown);
}

/** What cannot be read counts as not there. Throws UNSAFE_MODE, NEWER_FORMAT, UNAVAILABLE. */
export function ifReadable<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** Whether an error says that a file is damaged or was changed. */
export const isUnreadable = (error: unknown): boolean =>
  error instanceof HushError && (error.code === 'DAMAGED' || error.code === 'INTEGRITY');

/** What the files of others say, for whatever reason they do not. */
function unlessRefused<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof HushError || isSystemError(error)) return undefined;
    throw error;
  }
}

const isSystemError = (error: unknown): boolean => error instanceof Error && 'errno' in error;
