import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

const besideTheCode = fileURLToPath(new URL('../.compiled/', import.meta.url));

/**
 * Lets Node keep what it compiles, which makes every start two to three times as fast. What is kept is run at the next
 * start: it lies beside the code, where nobody can put anything who could not change the code itself, and in a folder
 * of this user alone. Where that cannot be had nothing is kept.
 * @param {string} folder
 * @returns {boolean}
 */
export function keepCompiledCode(folder = besideTheCode) {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder.replace(/\/$/, ''));
    const isOursAlone = uid === process.geteuid?.() && (mode & 0o170077) === 0o040000;
    if (isOursAlone) enableCompileCache(folder);
    return isOursAlone;
  } catch {
    // A package that another user has installed: everything works, only slower.
    return false;
  }
}
