import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openShell, type Shell } from '../../cli/hush.ts';

const bin = fileURLToPath(new URL('../../../bin/', import.meta.url));
const names = ['git-credential-hush', 'docker-credential-hush'] as const;

/** The name of a helper. */
export type Helper = (typeof names)[number];

/** A shell in which other programs find the helpers, as after `npm install -g`. */
export function openWithHelpers(t: TestContext): Shell {
  const shell = openShell(t);
  mkdirSync(join(shell.home, 'bin'), { mode: 0o700 });
  for (const name of names) {
    const script = `#!/bin/sh\nexec '${process.execPath}' '${join(bin, name)}.js' "$@"\n`;
    writeFileSync(join(shell.home, 'bin', name), script, { mode: 0o700 });
  }
  return shell;
}

/** How a helper has ended. */
export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a helper is asked. */
export interface AskOptions {
  /** Whether its standard output is closed before it says anything. */
  readonly isDeaf?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** Asks a helper. */
export function ask(
  { home }: Pick<Shell, 'home'>,
  helper: Helper,
  words: readonly string[],
  input: string | Uint8Array,
  { isDeaf = false, env = {} }: AskOptions = {},
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(bin, `${helper}.js`), ...words], {
      env: { HUSH_HOME: home, HOME: home, PATH: process.env['PATH'], ...env },
    });
    const said = { stdout: '', stderr: '' };
    if (isDeaf) child.stdout.destroy();
    else child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
    // A helper that refuses before it has read all lets the rest fall.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, ...said });
    });
  });
}
