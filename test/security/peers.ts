import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { startDaemon, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { wireOver, type Wire } from './wire.ts';

/** Users that no account on the machine has; the daemon runs as the first where it must not be root. */
export const daemonUser = 64_101;
export const otherUser = 64_102;

/** Skips a test that has to be other users; answers whether it did. */
export function skippedUnlessRoot(t: TestContext): boolean {
  if (process.getuid?.() === 0) return false;
  t.skip('only root can be other users');
  return true;
}

/** A program that is not Node to the kernel: Node under another path, which every user may run. */
export function otherProgram(t: TestContext, name = 'app'): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-app-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  chmodSync(folder, 0o755);
  const path = join(folder, name);
  // No hard link: making one changes the file that other tests run meanwhile, as far as its times tell.
  copyFileSync(process.execPath, path, constants.COPYFILE_FICLONE);
  chmodSync(path, 0o755);
  return path;
}

/** What runs in a relay: it hands bytes on between its standard streams and the socket. */
const relay = `
const socket = require('node:net').connect(process.argv[1]);
socket.on('connect', () => process.stderr.write('connected\\n'));
socket.on('error', (error) => { process.stderr.write(error.code + '\\n'); process.exit(3); });
process.stdin.pipe(socket).pipe(process.stdout);
`;

/** Who a relay is: an executable, a user and a group; by default Node itself, the user of the test, and a group like the user. */
export interface Who {
  readonly exe?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** A connection that another process has opened; what it is to the daemon is that process. Rejects with its errno. */
export async function wireAs(
  t: TestContext,
  path: string,
  { exe = process.execPath, uid, gid = uid }: Who,
): Promise<Wire> {
  const child = spawn(exe, ['-e', relay, path], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined || gid === undefined ? {} : { uid, gid }),
  });
  const close = (): void => {
    child.kill('SIGKILL');
  };
  t.after(close);
  for await (const chunk of child.stderr) {
    const said = String(chunk).trim();
    if (said !== 'connected') throw new Error(said);
    return wireOver(child.stdout, child.stdin, close);
  }
  throw new Error('the relay ended without a word');
}

/** Gives a home, and all in it, to a user. */
export function giveTo(uid: number, path: string): void {
  chownSync(path, uid, uid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTo(uid, join(path, name));
}

/**
 * Starts a daemon of `daemonUser` on a home that root has made. Its socket stands in a folder that all may enter, and
 * is open to all: what the file's mode would keep out comes as far as the daemon's own gates.
 */
export async function startOpenToAll(
  t: TestContext,
  home: TestHome,
  uid: number = daemonUser,
): Promise<{ readonly daemon: TestDaemon; readonly socket: string }> {
  const door = join(dirname(home.folder), 'door');
  mkdirSync(door, { mode: 0o711 });
  chmodSync(door, 0o711);
  chmodSync(dirname(home.folder), 0o711);
  giveTo(uid, home.folder);
  chownSync(door, uid, uid);
  const socket = join(door, 'hushd.sock');
  const daemon = await startDaemon(t, home, { uid, env: { HUSH_SOCKET: socket } });
  chmodSync(socket, 0o666);
  return { daemon, socket };
}
