import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createArgon2Queue, type Argon2Cost } from '../../daemon/keys/passphrase.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { createProfile } from '../../daemon/profiles/create.ts';
import { writeClientKey } from '../../noise/client-key.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { homeAt, passphraseCredential, type TestHome } from '../support/daemon.ts';
import { openLoad, type Load } from './load.ts';

/** A daemon with one unlocked profile, in a process of its own. */
export interface BenchDaemon {
  readonly socketPath: string;
  /** A connection for single calls. */
  readonly load: Load;
  /** Resident memory as the kernel tells it, in bytes. */
  readonly residentBytes: () => number;
  /** Stops it and waits until it is gone. */
  readonly stop: () => Promise<void>;
}

/** A home in a folder of its own, with one profile and no secrets. */
export interface BenchHome {
  readonly home: TestHome;
  readonly remove: () => void;
}

/** The enrolled client of a bench. */
const enrolledName = 'bench';

/** As shipped, audit and all, but for the rate of one client, which a bench passes and nobody else does. */
const config = `[rate]\nrate = 10000000\nburst = 10000000\n[profiles.default.grants.${enrolledName}]\nread = ['global/*']\n`;

/**
 * Makes a home whose profile `default` opens by the passphrase of the tests, at the given cost; `more` goes into its
 * config besides.
 */
export async function makeBenchHome(argon2Cost: Argon2Cost, more = ''): Promise<BenchHome> {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-bench-'));
  const home = homeAt(join(folder, 'home'));
  const arena = createSecureArena();
  try {
    await createProfile({
      paths: home.paths,
      name: parseProfileName('default'),
      credentials: [{ ...passphraseCredential(), label: 'passphrase' }],
      argon2Cost,
      argon2Queue: createArgon2Queue(),
      arena,
      by: 'bench',
    });
  } finally {
    arena.close();
  }
  home.configure(`${config}${more}`);
  return {
    home,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts the daemon of an installed package on the home, and unlocks it. */
export async function startBenchDaemon({ home }: BenchHome, installed: string): Promise<BenchDaemon> {
  const child = spawn(process.execPath, [join(installed, 'bin/hushd.js')], {
    env: home.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const { pid, stdout, stderr } = child;
  if (pid === undefined) throw new Error('hushd did not start');
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4_000);
  });
  const lines = createInterface({ input: stdout });
  const first = await Promise.race([once(lines, 'line'), exited.then(() => undefined)]);
  if (first === undefined) throw new Error(`hushd ended before it listened:\n${said}`);
  const load = await openLoad(home.paths.socket);
  await unlock(load);
  return {
    socketPath: home.paths.socket,
    load,
    residentBytes: () =>
      Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024,
    stop: async () => {
      load.close();
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Unlocks the profile. */
export async function unlock(load: Load): Promise<void> {
  await load.call('unlock', { profile: 'default', credentials: [passphraseCredential()] });
}

/** Enrols the client that `config` grants something; gives the text of its key file. */
export async function enrol(load: Load): Promise<string> {
  const privateKey = newPrivateKey();
  const publicKey = publicKeyOf(privateKey);
  // The reply has the shape that docs/protocol.md gives.
  const { daemonKey } = (await load.call('client.add', { name: enrolledName, publicKey })) as {
    daemonKey: Uint8Array;
  };
  const key = { name: enrolledName, privateKey, publicKey, daemonKey: Uint8Array.from(daemonKey) };
  return new TextDecoder().decode(writeClientKey(key));
}

/** The path of the secret of this number. */
export const secretPath = (number: number): string => `global/secret-${number}`;

const batchItems = 500;

/** Stores `count` secrets of `bytes` bytes, in batches; gives how many were stored a second. */
export async function seed(load: Load, count: number, bytes: number): Promise<number> {
  const startedAt = performance.now();
  for (let first = 0; first < count; first += batchItems) {
    const items = Array.from({ length: Math.min(batchItems, count - first) }, (_, index) => ({
      op: 'secret.set',
      params: { profile: 'default', path: secretPath(first + index), value: Buffer.alloc(bytes, 120) },
    }));
    // The reply has the shape that docs/protocol.md gives.
    const { results } = (await load.call('batch', { items })) as { results: { error?: unknown }[] };
    const failed = results.find(({ error }) => error !== undefined);
    if (failed !== undefined) throw new Error(`seeding met ${JSON.stringify(failed.error)}`);
  }
  return count / ((performance.now() - startedAt) / 1000);
}
