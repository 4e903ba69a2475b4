import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { builtPackageVariable } from './programs.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/**
 * Makes of the folder one in which the package is installed as a user has it: built, with its commands, and reached by
 * what package.json exports. A program in that folder imports it as `hushd`. Answers the folder of the package.
 */
export async function installPackage(folder: string): Promise<string> {
  const installed = join(folder, 'node_modules/hushd');
  mkdirSync(installed, { recursive: true });
  const built = process.env[builtPackageVariable];
  const output = join(installed, 'dist');
  if (built === undefined) await buildInto(output);
  else cpSync(join(built, 'dist'), output, { recursive: true, preserveTimestamps: true });
  copyFileSync(join(root, 'package.json'), join(installed, 'package.json'));
  cpSync(join(root, 'bin'), join(installed, 'bin'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  return installed;
}

async function buildInto(output: string): Promise<void> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  // The types are another check's; here they would only cost time.
  const options = ['-p', 'tsconfig.build.json', '--outDir', output, '--noCheck', '--declaration', 'false'];
  await run(process.execPath, [compiler, ...options], { cwd: root });
  await run(process.execPath, [join(root, 'tools/bundle.ts'), output], { cwd: root });
}
