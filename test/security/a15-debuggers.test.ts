import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fixedFlags } from '../../daemon/bootstrap.ts';
import { programPath } from '../support/programs.ts';
import { exitOf, keyCredential, makeHome, startDaemon } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';
import { daemonUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet } from './wire.ts';

const hushd = programPath('hushd');

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The TCP sockets of the machine, by inode, that belong to a process; only root can look at a hardened one. */
function tcpSocketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const own = new Set<string>();
  for (const fd of readdirSync(folder)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(join(folder, fd)))?.[1];
    if (inode !== undefined) own.add(inode);
  }
  assert.ok(own.size > 0, 'the daemon has at least the socket that it listens on');
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
      .split('\n')
      .slice(1)
      .filter((line) => own.has(line.trim().split(/\s+/)[9] ?? '')),
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const environmentOf = (pid: number): string => readFileSync(`/proc/${pid}/environ`, 'latin1');
const commandOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').slice(0, -1);

describe('A15: the live daemon', () => {
  test('A15: is not touched by NODE_OPTIONS, and neither debugs, dumps nor ends on SIGUSR1 and SIGUSR2', async (t) => {
    const folder = temporaryFolder(t);
    const dumps = temporaryFolder(t);
    const traces = join(folder, 'traces');
    const preload = join(folder, 'preload.cjs');
    const trace = `require('node:fs').appendFileSync(${JSON.stringify(traces)}, process.execArgv.join(' ') + '\\n');`;
    writeFileSync(preload, trace);
    const flags = [
      `--require=${preload}`,
      '--inspect=127.0.0.1:0',
      '--heapsnapshot-signal=SIGUSR2',
      `--diagnostic-dir=${dumps}`,
      '--report-on-signal',
      '--report-signal=SIGUSR1',
      `--report-dir=${dumps}`,
    ];
    const home = makeHome(t);
    await home.init();
    const env = { NODE_OPTIONS: flags.join(' '), NODE_PATH: folder, LD_BIND_NOW: '1' };
    const daemon = await startDaemon(t, home, { env });
    assert.match(
      daemon.stderr(),
      /^hushd: warning: removed from the environment: LD_BIND_NOW, .*NODE_OPTIONS, NODE_PATH$/m,
    );
    assert.deepEqual(commandOf(daemon.pid).slice(1, 1 + fixedFlags.length), fixedFlags);
    // What runs before us is the first Node alone: it is gone from the process that serves.
    assert.equal(readFileSync(traces, 'utf8'), '\n');
    const client = await daemon.connect();
    const states = new Map((await client.status()).hardening.map(({ name, state }) => [name, state]));
    for (const name of ['no-core-dump', 'not-dumpable', 'no-debugger-signal', 'clean-environment']) {
      assert.equal(states.get(name), 'on', name);
    }
    // The debugger of the first Node has spoken before it was replaced; none may speak from here on.
    const spoken = daemon.stderr().length;
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGUSR1'] as const) {
      daemon.signal(signal);
      // Many answers after the signal: it was delivered, and what it sets off has had time to show.
      for (let turn = 0; turn < 50; turn++) assert.equal((await client.status()).pid, daemon.pid);
    }
    if (process.getuid?.() === 0) {
      assert.deepEqual(tcpSocketsOf(daemon.pid), []);
      assert.doesNotMatch(environmentOf(daemon.pid), /(^|\0)(NODE_|LD_)/);
    }
    assert.equal(await daemon.stop(), 0);
    assert.doesNotMatch(daemon.stderr().slice(spoken), /debugger/i);
    assert.deepEqual(readdirSync(dumps), []);
  });

  test('A15: opens no debugger where Node itself is started with one', async (t) => {
    const home = makeHome(t);
    await home.init();
    const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', hushd], {
      env: { ...home.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    assert.ok(child.pid !== undefined);
    const said: unknown[] = await once(child.stdout, 'data');
    assert.match(String(said[0]), /"event":"listening"/);
    assert.deepEqual(commandOf(child.pid).slice(1, 1 + fixedFlags.length), fixedFlags);
    if (process.getuid?.() === 0) assert.deepEqual(tcpSocketsOf(child.pid), []);
    child.kill('SIGTERM');
    assert.equal(await exitOf(child), 0);
  });

  test('A15: leaves no core file, whatever its user asks for', async (t) => {
    const folder = temporaryFolder(t);
    const home = makeHome(t);
    await home.init();
    const shell = 'ulimit -c unlimited 2>/dev/null; cd "$0" && exec "$@"';
    const child = spawn('sh', ['-c', shell, folder, process.execPath, hushd], {
      env: { ...home.env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    assert.ok(child.pid !== undefined);
    assert.match(readFileSync(`/proc/${child.pid}/limits`, 'latin1'), /^Max core file size +0 +0 /m);
    child.kill('SIGSEGV');
    await exitOf(child);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('A15: where it is not root, cannot be read, nor traced, by another process of its own user', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const home = makeHome(t);
    await home.init();
    const { daemon, socket } = await startOpenToAll(t, home);
    assert.match(readFileSync(`/proc/${daemon.pid}/limits`, 'latin1'), /^Max core file size +0 +0 /m);
    const own = await greet(await wireAs(t, socket, { uid: daemonUser }));
    const status = await own.ask('status', {});
    assert.equal(codeOf(status), 'ok');
    assert.ok(Array.isArray(status.ok?.['hardening']));
    const off = status.ok['hardening'].filter(({ state }: { state: string }) => state === 'off');
    const names = off
      .map(({ name }: { name: string }) => name)
      .filter((name: string) => name !== 'secret-memory');
    assert.deepEqual(names, [], 'it is hardened as root is');
    const ordinary = spawn('sleep', ['60'], { uid: daemonUser, gid: daemonUser });
    t.after(() => ordinary.kill('SIGKILL'));
    assert.ok(ordinary.pid !== undefined);
    const attempts = (pid: number): Record<string, string> => {
      const { stdout, stderr } = spawnSync('python3', ['-c', spy, String(pid), String(daemonUser)], {
        encoding: 'utf8',
      });
      assert.equal(stderr, '');
      // The line is printed by the program below.
      return JSON.parse(stdout) as Record<string, string>;
    };
    const allowed = { mem: 'ok', environ: 'ok', maps: 'ok', fd: 'ok', ptrace: 'ok' };
    assert.deepEqual(attempts(ordinary.pid), allowed, 'what the user may do with its other processes');
    const refused = { mem: 'EACCES', environ: 'EACCES', maps: 'EACCES', fd: 'EACCES', ptrace: 'EPERM' };
    assert.deepEqual(attempts(daemon.pid), refused);
  });

  test('A15: has no HUSH_MASTER_KEY in its environment, nor in its command line', async (t) => {
    const key = new Uint8Array(new ArrayBuffer(32)).map((_, index) => index + 65);
    const text = Buffer.from(key).toString('hex');
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    const daemon = await startDaemon(t, home, { env: { HUSH_MASTER_KEY: text } });
    assert.deepEqual(daemon.listening['unlock'], { profile: 'default', outcome: 'unlocked' });
    const client = await daemon.connect();
    await client.set('global/a', utf8('value'));
    assert.equal(textOf((await client.get('global/a')).value), 'value');
    assert.ok(!commandOf(daemon.pid).join(' ').includes(text));
    if (process.getuid?.() === 0) {
      const environment = environmentOf(daemon.pid);
      assert.ok(environment.includes('HUSH_HOME='), 'it is the environment of the daemon');
      for (const form of [
        text,
        'HUSH_MASTER_KEY',
        Buffer.from(key).toString('base64'),
        Buffer.from(key).toString('latin1'),
      ]) {
        assert.ok(!environment.includes(form));
      }
    }
    await client.lock();
    await assert.rejects(
      client.get('global/a'),
      { code: 'LOCKED' },
      'the key does not open it again by itself',
    );
  });
});

/** Becomes the user, tries to look into a process in five ways, and prints what each came to. */
const spy = `
import ctypes, errno, json, os, sys
pid, uid = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([]); os.setgid(uid); os.setuid(uid)
libc = ctypes.CDLL(None, use_errno=True)
found = {}
def attempt(name, action):
    try:
        action()
        found[name] = 'ok'
    except OSError as error:
        found[name] = errno.errorcode[error.errno]
for name in ('mem', 'environ', 'maps'):
    attempt(name, lambda: open(f'/proc/{pid}/{name}', 'rb').close())
attempt('fd', lambda: os.listdir(f'/proc/{pid}/fd'))
def trace():
    if libc.ptrace(16, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), 'ptrace')
    os.waitpid(pid, 0)
    libc.ptrace(17, pid, None, None)
attempt('ptrace', trace)
print(json.dumps(found))
`;
