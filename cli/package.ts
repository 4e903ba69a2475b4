import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HushError } from '../protocol/errors.ts';

/** The folder that hushd is installed in: sources and builds lie at different depths below it. */
function packageFolder(): string {
  const found = findPackageJSON('..', import.meta.url);
  if (found === undefined) throw new HushError('UNAVAILABLE', 'the installation has no package.json');
  return dirname(found.startsWith('file:') ? fileURLToPath(found) : found);
}

/** The version of this release, such as `0.1.0`. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version);
  throw new HushError('UNAVAILABLE', 'the package.json of the installation names no version');
}

/** The program that `hush start` runs. */
export function daemonProgram(): string {
  return join(packageFolder(), 'bin', 'hushd.js');
}
