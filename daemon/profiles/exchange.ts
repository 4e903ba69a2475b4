import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { isProfileName, type ProfileName } from '../../protocol/names.ts';
import { exchangeNames } from '../../native/rename.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';

/*
 * How a profile takes the place of another one of the same name, which is kept. Where the file system can exchange two
 * names that is one step. Elsewhere the folder goes `NAME` -> `.replacing-NAME-TIME` -> `.replaced-NAME-TIME`, and the
 * new one to `NAME` in between: whoever holds the lock of the home can finish that after a crash.
 */

const asideName = /^\.(?:replaced|replacing)-/;
const replacingName = /^\.replacing-(.+)-(\d{4}-\d\d-\d\dT[0-9-]+Z-[0-9a-f]{6})$/;

const replaced = (name: string, time: string): string => `.replaced-${name}-${time}`;
const replacing = (name: string, time: string): string => `.replacing-${name}-${time}`;

/** Whether a folder's name is one of what was, or is about to be, set aside by a restore. */
export const isSetAside = (name: string): boolean => asideName.test(name);

/** A profile that another folder takes the place of. */
export interface Replacement {
  readonly profiles: string;
  readonly name: ProfileName;
  /** When, as it stands in the name under which the state before is kept: see `replacementTime`. */
  readonly time: string;
  /** The folder that takes its place; it is in `profiles` too, and complete. */
  readonly fresh: string;
}

/** Lets two folders exchange their names in one step; false where the file system cannot do that. Throws UNAVAILABLE. */
export type ExchangeNames = (one: string, other: string) => boolean;

/** The present moment as a text that no other replacement has. */
export const replacementTime = (): string =>
  `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(3).toString('hex')}`;

/** The folder in which the state before is kept. */
export const keptFolder = ({ profiles, name, time }: Omit<Replacement, 'fresh'>): string =>
  join(profiles, replaced(name, time));

/**
 * Puts a folder in place of a profile, and answers where the state before is kept: `keptFolder`, unless the disk refused
 * that name at the very end. If it throws, the profile is what it was and `fresh` is where it was, unless the message
 * says where the profile is instead; nothing is ever removed. A crash leaves the one state in place or the other, at the
 * latest once `finishReplacements` has run. Only for who holds the lock of the home. Throws UNAVAILABLE.
 */
export function replaceFolder(replacement: Replacement, exchange: ExchangeNames = exchangeNames): string {
  const { profiles, name, fresh } = replacement;
  const kept = keptFolder(replacement);
  // The name comes first that the state before is to have: after a crash right behind the exchange nothing is left to do.
  step(fresh, kept);
  let isDone = false;
  try {
    isDone = exchange(join(profiles, name), kept);
  } finally {
    if (!isDone) step(kept, fresh);
  }
  const place = isDone ? kept : replaceInSteps(replacement, kept);
  syncFolder(profiles);
  return place;
}

function replaceInSteps({ profiles, name, time, fresh }: Replacement, kept: string): string {
  const folder = join(profiles, name);
  const between = join(profiles, replacing(name, time));
  step(folder, between);
  try {
    syncFolder(profiles);
    step(fresh, folder);
  } catch (error) {
    putBack(between, folder, error);
    throw error;
  }
  syncFolder(profiles);
  try {
    step(between, kept);
    return kept;
  } catch {
    // The profile is replaced, and the state before is safe: the next start of a daemon gives it its name.
    return between;
  }
}

function putBack(between: string, folder: string, cause: unknown): void {
  try {
    step(between, folder);
  } catch {
    throw new HushError(
      'UNAVAILABLE',
      `the profile could neither be replaced nor left: it is in ${between}`,
      {
        hint: 'mend the disk; hush start then puts it back',
        cause,
      },
    );
  }
}

function step(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    throw diskError('cannot put the restored profile in place', error);
  }
}

/** A replacement that a crash has cut off between its steps. */
export interface FinishedReplacement {
  readonly profile: string;
  /** Whether the profile is the state before again; else the new one was in place already. */
  readonly isBack: boolean;
}

/**
 * Finishes replacements that a crash has cut off: where the profile is gone it comes back, else it is kept as it was to
 * be. Only for who holds the lock of the home: then none is under way. Throws UNAVAILABLE.
 */
export function finishReplacements(profiles: string): readonly FinishedReplacement[] {
  const finished = cutOff(profiles).map(({ entry, profile, time }): FinishedReplacement => {
    const isBack = !isThere(join(profiles, profile));
    step(join(profiles, entry), join(profiles, isBack ? profile : replaced(profile, time)));
    return { profile, isBack };
  });
  if (finished.length > 0) syncFolder(profiles);
  return finished;
}

/** Throws CONFLICT where the profile of this name waits to be put back: another one may not take its place. */
export function refuseWhileReplaced(profiles: string, name: ProfileName): void {
  const found = cutOff(profiles).find(({ profile }) => profile === name);
  if (found === undefined || isThere(join(profiles, name))) return;
  throw new HushError('CONFLICT', `a restore over the profile ${name} was cut off: it is in ${found.entry}`, {
    hint: 'hush start puts it back',
  });
}

function cutOff(
  profiles: string,
): { readonly entry: string; readonly profile: string; readonly time: string }[] {
  return readdirSync(profiles).flatMap((entry) => {
    const [, profile, time] = replacingName.exec(entry) ?? [];
    return profile === undefined || time === undefined || !isProfileName(profile)
      ? []
      : [{ entry, profile, time }];
  });
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
