import { lstatSync, opendirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { diskError, errnoOf } from '../../daemon/home/disk-errors.ts';
import { formatOf } from '../configure/formats.ts';
import { withHint } from '../output.ts';

/** Folders that hold what others wrote, or what was made of the rest. */
const skippedFolders: ReadonlySet<string> = new Set(['.git', '.hg', '.svn', 'node_modules']);

/** A file to look through, or why something cannot be. */
export type Walked =
  { readonly path: string; readonly problem?: never } | { readonly path: string; readonly problem: string };

/**
 * The files at a path: the file itself, whatever it is called, or in a folder and below it those whose names say a
 * format that is understood, in the order of their names. Links to folders are not followed below the path itself.
 * Throws UNAVAILABLE where there is nothing of that name.
 */
export function* walk(path: string): Generator<Walked> {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw withHint(diskError(`cannot look through ${path}`, error), 'name files and folders that are there');
  }
  if (isFolder) yield* walkFolder(path);
  else yield { path };
}

function* walkFolder(folder: string): Generator<Walked> {
  let names: readonly string[];
  try {
    names = namesIn(folder);
  } catch (error) {
    yield { path: folder, problem: reasonOf(error) };
    return;
  }
  for (const name of names) {
    const path = join(folder, name);
    try {
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) {
        // It has gone meanwhile, or Node put this character in place of bytes that are no UTF-8.
        if (name.includes('\ufffd')) yield { path, problem: 'its name is no UTF-8' };
      } else if (found.isDirectory()) {
        if (!skippedFolders.has(name)) yield* walkFolder(path);
      } else if (formatOf(name) !== undefined && isFile(path)) yield { path };
    } catch (error) {
      yield { path, problem: reasonOf(error) };
    }
  }
}

/** Whether it is a file, or a link to one. */
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

function namesIn(folder: string): string[] {
  const names: string[] = [];
  const open = opendirSync(folder);
  try {
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) names.push(entry.name);
  } finally {
    open.closeSync();
  }
  return names.sort();
}

/** The system's reason. Throws what is no error of the system. */
export function reasonOf(error: unknown): string {
  if (errnoOf(error) === undefined) throw error;
  return diskError('', error).message.replace(/^: /, '');
}
