import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { connect, type ConnectOptions, type HushClient } from '../../client/index.ts';
import { pathsOf, profilePathsOf, type HomePaths, type ProfilePaths } from '../../daemon/home/paths.ts';
import { argon2Bounds, createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { createProfile } from '../../daemon/profiles/create.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { programPath } from './programs.ts';

/** The smallest Argon2id that hushd allows, so that tests spend their time on other things. */
export const cheapArgon2 = { memoryKiB: argon2Bounds.memoryKiB.least, passes: argon2Bounds.passes.least };

export const passphrase = 'correct horse battery staple';

/** The passphrase of test profiles as a credential. */
export const passphraseCredential = (text: string = passphrase) => ({
  kind: 'passphrase' as const,
  secret: new TextEncoder().encode(text),
});

/** A key as a credential. */
export const keyCredential = (key: Uint8Array<ArrayBuffer>) => ({ kind: 'key' as const, secret: key });

/** A home in a folder of its own. */
export interface TestHome {
  readonly folder: string;
  readonly paths: HomePaths;
  readonly env: NodeJS.ProcessEnv;
  profile(name?: string): ProfilePaths;
  /** Makes a profile as `hush init` does, with cheap Argon2id; answers the id of its vault. */
  init(
    name?: string,
    credentials?: readonly (ReturnType<typeof passphraseCredential> | ReturnType<typeof keyCredential>)[],
  ): Promise<string>;
  /** Writes config.toml. */
  configure(toml: string): void;
}

/** A daemon as a process of its own. */
export interface TestDaemon {
  readonly home: TestHome;
  readonly socket: string;
  readonly pid: number;
  /** What it said when it listened. */
  readonly listening: Record<string, unknown>;
  /** All that it has written to standard error so far, where that is a pipe. */
  stderr(): string;
  /** Resolves once standard error holds the text. */
  logged(text: string): Promise<void>;
  connect(options?: ConnectOptions): Promise<HushClient>;
  signal(signal: NodeJS.Signals): void;
  /** The exit code, once it has ended. */
  ended(): Promise<number | null>;
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

/** An environment that knows of no other hushd. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(HUSH|XDG_|NODE_|LISTEN_|CREDENTIALS_DIRECTORY|NOTIFY_SOCKET)/.test(name),
    ),
  );
}

/** What undoes things in the end: a test, or a program that keeps a list. */
export type Afterwards = Pick<TestContext, 'after'>;

/** A home that is removed after the test. */
export function makeHome(t: Afterwards): TestHome {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return homeAt(join(folder, 'home'));
}

/** The home in `folder`, which need not exist yet. */
export function homeAt(folder: string): TestHome {
  const env = { ...cleanEnvironment(), HUSH_HOME: folder };
  const paths = pathsOf(env);
  const profile = (name = 'default'): ProfilePaths => profilePathsOf(paths, parseProfileName(name));
  return {
    folder,
    paths,
    env,
    profile,
    async init(name = 'default', credentials = [passphraseCredential()]) {
      const arena = createSecureArena();
      try {
        const { vaultId } = await createProfile({
          paths,
          name: parseProfileName(name),
          credentials: credentials.map((credential) => ({ ...credential, label: credential.kind })),
          argon2Cost: cheapArgon2,
          argon2Queue: createArgon2Queue(),
          arena,
          by: 'test',
        });
        return vaultId;
      } finally {
        arena.close();
      }
    },
    configure(toml) {
      writeFileSync(paths.config, toml, { mode: 0o600 });
    },
  };
}

/** Starts `hushd` on a home and waits until it listens; it is killed after the test if it still runs. */
export async function startDaemon(
  t: Afterwards,
  home: TestHome,
  options: {
    readonly args?: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
    readonly uid?: number;
    readonly log?: string;
  } = {},
): Promise<TestDaemon> {
  const child = spawnDaemon(home, options);
  t.after(() => endNow(child));
  let written = '';
  const waiting = new Set<() => void>();
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    written += text;
    for (const check of waiting) check();
  });
  const listening = await firstLine(child, () => written);
  const { pid } = child;
  if (pid === undefined) throw new Error('hushd did not start');
  return {
    home,
    socket: home.paths.socket,
    pid,
    listening,
    stderr: () => written,
    logged: (text) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!written.includes(text)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    connect: async (given = {}) => {
      const client = await connect({ socket: home.paths.socket, env: {}, ...given });
      t.after(() => {
        client.close();
      });
      return client;
    },
    signal: (signal) => child.kill(signal),
    ended: () => exitOf(child),
    async stop() {
      child.kill('SIGTERM');
      return exitOf(child);
    },
    async kill() {
      child.kill('SIGKILL');
      await exitOf(child);
    },
  };
}

/** A daemon with one unlocked profile `default`. */
export async function startUnlocked(
  t: Afterwards,
  toml?: string,
): Promise<{ daemon: TestDaemon; client: HushClient; home: TestHome }> {
  const home = makeHome(t);
  await home.init();
  if (toml !== undefined) home.configure(toml);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock([passphraseCredential()]);
  return { daemon, client, home };
}

/** Starts `hushd` without waiting for anything; its standard error is a pipe, or is appended to the file `log`. */
export function spawnDaemon(
  home: TestHome,
  {
    args = [],
    env = {},
    uid,
    log,
  }: {
    readonly args?: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
    readonly uid?: number;
    readonly log?: string;
  } = {},
): ChildProcess {
  const standardError = log === undefined ? 'pipe' : openSync(log, 'a', 0o600);
  try {
    return spawn(process.execPath, [programPath('hushd'), ...args], {
      env: { ...home.env, ...env },
      stdio: ['ignore', 'pipe', standardError],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
  } finally {
    if (standardError !== 'pipe') closeSync(standardError);
  }
}

/** The exit code of a child, once it has ended; null if a signal ended it. */
export async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

async function endNow(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await exitOf(child);
}

async function firstLine(child: ChildProcess, stderr: () => string): Promise<Record<string, unknown>> {
  if (child.stdout === null) throw new Error('hushd has no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    return JSON.parse(line) as Record<string, unknown>;
  }
  const code = await exitOf(child);
  throw new Error(`hushd ended with ${String(code)} before it listened:\n${stderr()}`);
}
