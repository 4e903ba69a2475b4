// This file and the two commands keep to old syntax and import nothing of ours first: an older Node must be able to
// read them as far as the line that says that it is too old. Native modules crash it without a word.
import { existsSync } from 'node:fs';

/**
 * Whether this Node is 22.15 or later. If not, says so in one line on standard error and sets the exit code 1.
 * @param {string} command
 * @returns {boolean}
 */
export function hasRequiredNode(command) {
  var numbers = process.versions.node.split('.').map(Number);
  if (numbers[0] > 22 || (numbers[0] === 22 && numbers[1] >= 15)) return true;
  console.error(
    command +
      ': error: Node 22.15 or later is needed, this is ' +
      process.versions.node +
      ' (npm install -g node@24, or use the one in node_modules/.bin)',
  );
  process.exitCode = 1;
  return false;
}

/**
 * The main file of `folder`: the TypeScript source in a checkout where Node runs it, else what was built from it.
 * @param {'cli' | 'daemon'} folder
 * @returns {string}
 */
export function mainFile(folder) {
  var source = new URL('../' + folder + '/main.ts', import.meta.url);
  var built = new URL('../dist/' + folder + '/main.js', import.meta.url);
  return (process.features.typescript && existsSync(source) ? source : built).href;
}
