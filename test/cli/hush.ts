import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { programPath } from '../support/programs.ts';

const program = programPath('hush');
const terminal = fileURLToPath(new URL('./terminal.py', import.meta.url));

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command gets besides its line. */
export interface Given {
  /** Standard input; empty by default. */
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

/** One thing typed at a terminal once a text has appeared on it. */
export interface Typed {
  readonly wait: string;
  readonly send: string;
}

/** A home of its own for the real `hush`, with a daemon that ends with the test. */
export interface Shell {
  readonly home: string;
  /** Runs a line such as `hush get global/a --reveal`, cut at blanks. */
  run(line: string, given?: Given): Promise<Ended>;
  /** The same, with the bytes of standard output as they came. */
  runForBytes(line: string, given?: Given): Promise<{ readonly code: number; readonly stdout: Buffer }>;
  /** Runs a line of shell in the home's folder, where `hush` is found. */
  runScript(script: string): Promise<Ended>;
  /** Runs the line on a terminal of its own, without colours, and types at it. */
  type(line: string, steps: readonly Typed[], columns?: number, env?: NodeJS.ProcessEnv): Promise<Screen>;
}

const screen = z.object({ code: z.number(), screen: z.string(), restored: z.boolean() });

/** What a terminal has shown, the exit code, and whether the terminal is as it was. */
export type Screen = z.output<typeof screen>;

/** The cheapest Argon2id that is allowed: the tests need its result and not its cost. */
const quickConfig = '[kdf]\nmemory_mib = 19\npasses = 2\n';

/** A shell in a fresh home; after the test its daemon is stopped and its home removed. */
export function openShell(t: TestContext): Shell {
  const home = mkdtempSync(join(tmpdir(), 'hush-cli-'));
  writeFileSync(join(home, 'config.toml'), quickConfig, { mode: 0o600 });
  const base: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: home,
    HUSH_HOME: home,
    TERM: 'xterm',
  };
  const runHush = (line: string, { input = '', env = {} }: Given = {}): Promise<EndedBytes> => {
    const [command = '', ...args] = line.split(' ').filter((word) => word !== '');
    assert.equal(command, 'hush');
    return runProgram(process.execPath, ['--', program, ...args], input, { ...base, ...env });
  };
  t.after(() => {
    killDaemon(home);
    rmSync(home, { recursive: true, force: true, maxRetries: 10 });
  });
  return {
    home,
    async run(line, given) {
      const { code, stdout, stderr } = await runHush(line, given);
      return { code, stdout: stdout.toString(), stderr: stderr.toString() };
    },
    runForBytes: runHush,
    async runScript(script) {
      const shim = join(home, 'bin', 'hush');
      mkdirSync(join(home, 'bin'), { recursive: true, mode: 0o700 });
      writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' -- '${program}' "$@"\n`, { mode: 0o700 });
      const env = { ...base, PATH: `${join(home, 'bin')}:${process.env['PATH'] ?? ''}` };
      const { code, stdout, stderr } = await runProgram('sh', ['-c', `cd '${home}' && ${script}`], '', env);
      return { code, stdout: stdout.toString(), stderr: stderr.toString() };
    },
    async type(line, steps, columns = 80, env = {}) {
      const [, ...args] = line.split(' ');
      const job = JSON.stringify({ argv: [process.execPath, '--', program, ...args], steps, columns });
      const { code, stdout, stderr } = await runProgram('python3', [terminal], job, {
        ...base,
        NO_COLOR: '1',
        ...env,
      });
      assert.equal(code, 0, stderr.toString());
      return screen.parse(JSON.parse(stdout.toString()));
    },
  };
}

/** Ends the daemon of a home at once, if there is one: `hush stop` would take longer, and has tests of its own. */
function killDaemon(home: string): void {
  const lock = join(home, 'hushd.lock');
  const pid = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
  // The file outlives the daemon, and its pid may be another process by now.
  const commandLine = `/proc/${pid}/cmdline`;
  if (pid > 0 && existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes('hushd.js')) {
    process.kill(pid, 'SIGKILL');
  }
}

interface EndedBytes {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

function runProgram(
  file: string,
  args: readonly string[],
  input: string | Uint8Array,
  env: NodeJS.ProcessEnv,
): Promise<EndedBytes> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A command that refuses before it reads lets its input fall: that shows in what it says, not here.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code: code ?? -1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
    });
  });
}
