/*
 * What `npm test` does before and after its tests: it builds the package once, so that they drive the programs as they
 * are published, which also start faster. A test file that is run by itself drives those of the checkout.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from './daemon.ts';
import { installPackage } from './installed-package.ts';
import { builtPackageVariable, programPath } from './programs.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
let folder: string | undefined;

export async function globalSetup(): Promise<void> {
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'package-'));
  // Some tests run programs as other users.
  chmodSync(folder, 0o755);
  process.env[builtPackageVariable] = await installPackage(folder);
  await startOnce(join(folder, 'home'));
}

export function globalTeardown(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}

/** What Node has compiled is kept where a program ends well, and most daemons of the tests are killed. */
async function startOnce(home: string): Promise<void> {
  const env = { ...cleanEnvironment(), HUSH_HOME: home };
  const daemon = spawn(process.execPath, [programPath('hushd')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(daemon, 'exit');
  await Promise.race([once(daemon.stdout, 'data'), ended]);
  daemon.kill('SIGTERM');
  await ended;
}
