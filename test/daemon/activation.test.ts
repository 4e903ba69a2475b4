import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect } from '../../client/index.ts';
import { programPath } from '../support/programs.ts';
import { exitOf, makeHome, passphraseCredential, type TestHome } from '../support/daemon.ts';

const hushd = programPath('hushd');

/** The daemon as systemd-socket-activate(1) starts it: by the first connection, with the socket as descriptor 3. */
async function listenFor(t: TestContext, home: TestHome, options: readonly string[] = []) {
  const passed = Object.entries(home.env).map(([name, value]) => `--setenv=${name}=${value ?? ''}`);
  const activate = ['-l', home.paths.socket, ...options, ...passed];
  const child = spawn('systemd-socket-activate', [...activate, process.execPath, hushd], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stdout.resume();
  t.after(() => child.kill('SIGKILL'));
  const sockets = activate.filter((word) => word === '-l').length;
  await new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (stderr.split('Listening on ').length > sockets) resolve();
    });
  });
  return { child, stderr: () => stderr };
}

/** The connection waits in the socket while the daemon starts. */
const clientOf = (socket: string) => connect({ socket, env: {}, deadlineMs: 60_000 });

async function stop(child: ChildProcess): Promise<number | null> {
  child.kill('SIGTERM');
  return exitOf(child);
}

describe('a daemon that a service manager starts with a socket', () => {
  test('serves on it from the connection on that started it, and leaves its file and mode alone', async (t) => {
    const home = makeHome(t);
    await home.init();
    const { child, stderr } = await listenFor(t, home);
    const before = statSync(home.paths.socket);
    const client = await clientOf(home.paths.socket);
    await client.unlock([passphraseCredential()]);
    await client.set('global/a', new TextEncoder().encode('kept'));
    const { value } = await client.get('global/a');
    assert.equal(new TextDecoder().decode(value), 'kept');
    client.close();

    assert.match(stderr(), /"event":"activation"/);
    assert.equal(await stop(child), 0, stderr());
    const after = statSync(home.paths.socket);
    assert.deepEqual([after.ino, after.mode, after.uid], [before.ino, before.mode, before.uid]);
  });

  test('takes the one of several that is called hushd, and says where clients may miss it', async (t) => {
    const home = makeHome(t);
    await home.init();
    const other = join(home.folder, 'other.sock');
    const { child, stderr } = await listenFor(t, home, ['-l', other, '--fdname=another:hushd']);
    const client = await clientOf(other);
    assert.equal((await client.status()).profiles[0]?.state, 'locked');
    client.close();
    assert.match(stderr(), /"event":"activation","path":"[^"]*other.sock","expected":"[^"]*hushd.sock"/);
    assert.equal(await stop(child), 0);
  });

  test('refuses what is not one listening Unix-domain socket', async (t) => {
    const home = makeHome(t);
    mkdirSync(home.folder, { mode: 0o700 });
    const unclear = await listenFor(t, home, ['-l', join(home.folder, 'other.sock'), '--fdname=one:two']);
    await assert.rejects(clientOf(home.paths.socket));
    assert.equal(await exitOf(unclear.child), 2);
    assert.match(
      unclear.stderr(),
      /hushd: error: 2 sockets were handed over.*\nhushd: hint: FileDescriptorName=hushd/,
    );

    const file = openSync('/dev/null', 'r');
    const shell = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" "$@"';
    const plain = spawn('sh', ['-c', shell, process.execPath, hushd], {
      env: home.env,
      stdio: ['ignore', 'ignore', 'pipe', file],
    });
    closeSync(file);
    let stderr = '';
    plain.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    assert.equal(await exitOf(plain), 2);
    assert.match(stderr, /hushd: error: the socket that was handed over is no listening Unix-domain socket/);
  });
});
