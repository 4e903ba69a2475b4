import { readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { HushError } from '../protocol/errors.ts';
import { shellWord } from '../protocol/shell-word.ts';
import { createNewFile, named } from './backup/new-file.ts';
import { ifInterrupted } from './interrupted.ts';

/**
 * Puts a value into a file of mode 0600, in one step: whoever looks finds the old file or the new one, whole. A regular
 * file of that name is replaced; gives the whole path. Throws EXISTS where a link, a folder or a device has the name,
 * UNAVAILABLE.
 */
export async function writeValueFile(name: string, value: Uint8Array): Promise<string> {
  const path = resolve(name);
  refuseLink(path);
  const file = createNewFile(path, { force: true });
  try {
    await ifInterrupted(file.discard, () => {
      file.write(value);
      file.sync();
      file.keep();
      return Promise.resolve();
    });
    return path;
  } finally {
    file.discard();
  }
}

/** A link is neither followed, which would write elsewhere than the name says, nor replaced, which would undo somebody's work. */
function refuseLink(path: string): void {
  if (named(path)?.isSymbolicLink() !== true) return;
  const target = readlinkSync(path);
  // A link such as /dev/stdout is nobody's to remove.
  const isOfSystem = /^\/(?:dev|proc)\//.test(path);
  throw new HushError('EXISTS', `${path} is a link to ${target}, and nothing was written`, {
    hint: isOfSystem
      ? 'name a file; > sends standard output elsewhere'
      : `name the file itself, or remove the link: rm ${shellWord(path)}`,
  });
}
