/*
 * A program of its own, which `hush get --clip` leaves behind: it waits, and takes a value out of the clipboard if it is
 * still there. Standard input: one Clearing as JSON.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clearing } from './clipboard.ts';

// Only clipboard.ts starts this program, and it writes a Clearing.
const { clipboard, seconds, digest } = JSON.parse(readFileSync(0, 'utf8')) as Clearing;
await wait(seconds * 1000);
if ((await digestOfClipboard()) === digest) clear();

/** SHA-256 of what is in the clipboard now; what was read is wiped. */
async function digestOfClipboard(): Promise<string> {
  const [program = '', ...words] = clipboard.paste;
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const hash = createHash('sha256');
  for await (const chunk of child.stdout) {
    // The stream has no encoding, so that its chunks are bytes.
    const bytes = chunk as Buffer;
    hash.update(bytes);
    bytes.fill(0);
  }
  return hash.digest('hex');
}

function clear(): void {
  const [program = '', ...words] = clipboard.clear;
  spawn(program, words, { stdio: ['pipe', 'ignore', 'ignore'] }).stdin.end();
}
