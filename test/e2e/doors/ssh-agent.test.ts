import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { assertShown, commandsIn, pageOf, sectionOf } from '../../cli/shown.ts';
import { openUnlocked } from '../../cli/unlocked.ts';
import { keygen } from '../../signing/keys.ts';
import { recordsIn } from '../../security/facts.ts';
import { programPath } from '../../support/programs.ts';

const hush = programPath('hush');
const isRoot = process.getuid?.() === 0;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; the agent that it is to ask is in the environment. */
async function run(words: readonly string[], env: NodeJS.ProcessEnv, input = ''): Promise<Ended> {
  const [file = '', ...args] = words;
  const child = spawn(file, args, { env: { PATH: process.env['PATH'], ...env }, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined).end(input);
  // The code of a program that a signal has ended is null.
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Starts `hush door ssh-agent`, and gives what it says once it listens. */
async function startAgent(
  t: TestContext,
  home: string,
  args: readonly string[],
): Promise<ChildProcess & { said: string }> {
  const child = spawn(process.execPath, [hush, 'door', 'ssh-agent', ...args], {
    env: { PATH: process.env['PATH'], HOME: home, HUSH_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  // Its first line comes when it listens.
  const [said] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return Object.assign(child, { said });
}

/** An sshd that lets in whoever has these keys, as the user who runs the tests. */
async function startSshd(t: TestContext, folder: string, keys: readonly string[]): Promise<number> {
  mkdirSync('/run/sshd', { recursive: true });
  const hostKey = join(folder, 'host');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey]);
  writeFileSync(join(folder, 'authorized'), keys.join('\n') + '\n');
  const port = await freePort();
  const [name = '', host = ''] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ');
  writeFileSync(join(folder, 'known'), `[127.0.0.1]:${port} ${name} ${host}\n`);
  writeFileSync(
    join(folder, 'config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKey}`,
      'PidFile none',
      `AuthorizedKeysFile ${join(folder, 'authorized')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
    ].join('\n'),
  );
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'config')], { stdio: 'pipe' });
  t.after(() => sshd.kill('SIGKILL'));
  for await (const line of createInterface({ input: sshd.stderr })) if (line.includes('listening on')) break;
  sshd.stderr.resume();
  return port;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server of TCP has an address of that form.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('hush door ssh-agent', async (t) => {
  const shell = await openUnlocked(t);
  const { home } = shell;
  const rsa = keygen('-t rsa -b 2048', 'the old one');
  const socket = join(home, 'ssh-agent.sock');
  const env = { HOME: home, SSH_AUTH_SOCK: socket };
  const publicKeys: string[] = [];

  await t.test('what docs/doors.md shows is so', async () => {
    const shown = commandsIn(sectionOf(pageOf('docs/doors.md'), 'ssh: `hush door ssh-agent`'));
    assert.ok(shown.length >= 5);
    for (const one of shown) assertShown(await shell.runScript(one.line), one);
    assert.equal((await shell.run('hush delete global/ssh.github')).code, 0);
  });

  await t.test(
    'keys are made in the vault or set from a file, and their public halves are shown',
    async () => {
      const made = await shell.run('hush door ssh-agent --generate global/ssh.new --comment made-here');
      assert.equal(made.code, 0, made.stderr);
      assert.match(made.stdout, /^ssh-ed25519 AAAA\S+ made-here\n$/);
      assert.equal((await shell.run('hush set global/ssh.old', { input: rsa.text })).code, 0);
      const shown = await shell.run('hush door ssh-agent --public global/ssh.old');
      assert.deepEqual(shown, { code: 0, stdout: `ssh-rsa ${rsa.publicKey} the old one\n`, stderr: '' });
      publicKeys.push(made.stdout.trim(), shown.stdout.trim());
      const again = await shell.run('hush door ssh-agent --generate global/ssh.new');
      assert.deepEqual([again.code, again.stdout], [10, '']);
      assert.match(again.stderr, /^hush: error: there is a secret global\/ssh.new already\nhush: hint: /);
    },
  );

  const agent = await startAgent(t, home, []);

  await t.test('says what a shell needs, as ssh-agent does; nobody else can reach its socket', () => {
    assert.equal(agent.said, `SSH_AUTH_SOCK=${socket}; export SSH_AUTH_SOCK;`);
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    assert.equal(statSync(home).mode & 0o777, 0o700);
  });

  await t.test('ssh-add shows its keys, and can add, remove and lock nothing', async () => {
    const { code, stdout } = await run(['ssh-add', '-L'], env);
    assert.equal(code, 0);
    assert.equal(stdout, publicKeys.map((line) => `${line}\n`).join(''));
    const file = join(home, 'other');
    writeFileSync(file, keygen('-t ed25519').text, { mode: 0o600 });
    for (const words of [
      ['ssh-add', file],
      ['ssh-add', '-D'],
      ['ssh-add', '-x'],
    ])
      assert.notEqual((await run(words, env, 'secret\nsecret\n')).code, 0, words.join(' '));
    assert.equal((await run(['ssh-add', '-L'], env)).stdout, stdout);
  });

  await t.test('ssh-keygen -Y signs with them, and ssh-keygen -Y verify takes that', async () => {
    for (const [index, line] of publicKeys.entries()) {
      const file = join(home, `key${index}.pub`);
      const message = join(home, `message${index}`);
      writeFileSync(file, `${line}\n`);
      writeFileSync(message, 'the message');
      const signed = await run(['ssh-keygen', '-Y', 'sign', '-f', file, '-n', 'test', message], env);
      assert.equal(signed.code, 0, signed.stderr);
      writeFileSync(join(home, 'allowed'), `me@here ${line}\n`);
      const verify = ['-Y', 'verify', '-f', join(home, 'allowed'), '-I', 'me@here', '-n', 'test'];
      const words = ['ssh-keygen', ...verify, '-s', `${message}.sig`];
      const taken = await run(words, {}, 'the message');
      assert.equal(taken.code, 0, taken.stdout + taken.stderr);
      assert.notEqual((await run(words, {}, 'another message')).code, 0);
    }
  });

  await t.test(
    'ssh logs in to sshd with each of them',
    { skip: isRoot ? false : 'sshd needs root' },
    async () => {
      const port = await startSshd(t, home, publicKeys);
      for (const line of publicKeys) {
        const file = join(home, 'identity.pub');
        writeFileSync(file, `${line}\n`);
        const options = [
          'BatchMode=yes',
          'IdentitiesOnly=yes',
          `IdentityFile=${file}`,
          `UserKnownHostsFile=${join(home, 'known')}`,
        ].flatMap((option) => ['-o', option]);
        const words = ['ssh', '-F', 'none', '-p', `${port}`, ...options, '127.0.0.1', 'echo in'];
        const { code, stdout, stderr } = await run(words, env);
        assert.deepEqual([code, stdout], [0, 'in\n'], stderr);
      }
    },
  );

  await t.test('a key that is written over is asked for anew, and the old one signs no more', async () => {
    const key = keygen('-t ed25519', 'the next one');
    assert.equal((await shell.run('hush set global/ssh.old', { input: key.text })).code, 0);
    const message = join(home, 'message1');
    const words = ['ssh-keygen', '-Y', 'sign', '-f', join(home, 'key1.pub'), '-n', 'test', message];
    rmSync(`${message}.sig`);
    assert.notEqual((await run(words, env)).code, 0);
    assert.ok((await run(['ssh-add', '-L'], env)).stdout.includes(`${key.publicKey} the next one`));
  });

  await t.test('stops on SIGTERM, and takes its socket with it', async () => {
    agent.kill('SIGTERM');
    const [code] = (await once(agent, 'exit')) as [number | null];
    assert.equal(code, 0);
    assert.throws(() => statSync(socket), { code: 'ENOENT' });
  });

  await t.test('B5: of two that start where one was killed, one serves and the other says so', async (t) => {
    const killed = await startAgent(t, home, []);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    assert.ok(statSync(socket).isSocket());
    const both = [1, 2].map(() => {
      const child = spawn(process.execPath, [hush, 'door', 'ssh-agent'], {
        env: { PATH: process.env['PATH'], HOME: home, HUSH_HOME: home },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      t.after(() => child.kill('SIGKILL'));
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const ended = once(child, 'close').then(([code]) => ({ child, code: code as unknown, stderr }));
      return { child, ended, listens: once(createInterface({ input: child.stdout }), 'line') };
    });
    const loser = await Promise.race(both.map(({ ended }) => ended));
    assert.equal(
      loser.stderr,
      `hush: error: another process listens on ${socket}\nhush: hint: hush door ssh-agent --socket PATH\n`,
    );
    assert.equal(loser.code, 10);
    const winner = both.find(({ child }) => child !== loser.child);
    await winner?.listens;
    assert.equal((await run(['ssh-add', '-l'], env)).code, 0);
    winner?.child.kill('SIGTERM');
    assert.equal((await winner?.ended)?.code, 0);
  });

  await t.test('a program gets an agent of its own, and its exit code is the one of hush', async () => {
    const probe = 'ssh-add -l && test -z "$HUSH_MASTER_KEY$HUSH_LEGACY_KEY" && exit 7';
    const line = ['door', 'ssh-agent', '--only', 'global/ssh.new', '--', 'sh', '-c', probe];
    const key = '0'.repeat(64);
    const ended = await run([process.execPath, hush, ...line], {
      HOME: home,
      HUSH_HOME: home,
      HUSH_MASTER_KEY: key,
      HUSH_LEGACY_KEY: key,
    });
    assert.equal(ended.code, 7, ended.stderr);
    assert.match(ended.stdout, /^256 SHA256:\S+ made-here \(ED25519\)\n$/);
    assert.equal((await shell.run('hush door ssh-agent -- /nowhere/to/be/found')).code, 127);
    assert.equal((await shell.run('hush door ssh-agent -- sh -c kill\t-9\t$$')).code, 137);
  });

  await t.test('nobody has to take what it tells: it goes on, and with the keys that there are', async () => {
    const line = ['--only', 'global/ssh.missing', '--only', 'global/ssh.new', '--', 'ssh-add', '-L'];
    const child = spawn(process.execPath, [hush, 'door', 'ssh-agent', ...line], {
      env: { PATH: process.env['PATH'], HOME: home, HUSH_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.destroy();
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0);
    assert.match(stdout, /^ssh-ed25519 \S+ made-here\n$/);
  });

  await t.test('a comment is one line, whatever somebody has put there', async () => {
    const { text } = keygen('-t ed25519', 'me\nssh-ed25519 AAAA injected');
    assert.equal((await shell.run('hush set global/ssh.two-lines', { input: text })).code, 0);
    const words = ['--only', 'global/ssh.two-lines', '--', 'ssh-add', '-L'];
    const { stdout } = await run([process.execPath, hush, 'door', 'ssh-agent', ...words], {
      HOME: home,
      HUSH_HOME: home,
    });
    assert.match(stdout, /^ssh-ed25519 \S+ me\\nssh-ed25519 AAAA injected\n$/);
    assert.equal((await shell.run('hush delete global/ssh.two-lines')).code, 0);
  });

  await t.test('systemd hands over its socket, as the unit in contrib/ has it', async () => {
    const listening = join(home, 'handed-over.sock');
    const words = [
      '-l',
      listening,
      '--fdname=hush-ssh-agent',
      '-E',
      `HOME=${home}`,
      '-E',
      `HUSH_HOME=${home}`,
    ];
    const manager = spawn(
      'systemd-socket-activate',
      [...words, process.execPath, hush, 'door', 'ssh-agent', '--only', 'global/ssh.new'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    t.after(() => manager.kill('SIGKILL'));
    for await (const line of createInterface({ input: manager.stderr }))
      if (line.includes('Listening on')) break;
    manager.stderr.resume();
    const { code, stdout } = await run(['ssh-add', '-L'], { HOME: home, SSH_AUTH_SOCK: listening });
    assert.equal(code, 0);
    assert.match(stdout, /^ssh-ed25519 \S+ made-here\n$/);
    manager.kill('SIGTERM');
    const [ended] = (await once(manager, 'exit')) as [number | null];
    assert.equal(ended, 0);
  });

  await t.test('a locked profile is a failure that says why, not an agent without keys', async () => {
    assert.equal((await shell.run('hush lock')).code, 0);
    const { code, stdout, stderr } = await shell.run('hush door ssh-agent -- ssh-add -l');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /hush: error: the profile default is locked\nhush: hint: hush unlock/);
    assert.match(stderr, /refused/);
  });

  await t.test('each signature is on record, and what was wrong on the command line is told', async () => {
    const signed = recordsIn(join(home, 'audit', 'profiles', 'default')).filter(
      ({ event }) => event === 'ssh.sign',
    );
    assert.deepEqual(
      signed.map(({ key, outcome }) => `${key} ${outcome}`),
      [
        'global/ssh.github ok',
        'global/ssh.new ok',
        'global/ssh.old ok',
        ...(isRoot ? ['global/ssh.new ok', 'global/ssh.old ok'] : []),
      ],
    );
    for (const line of [
      '--only nothing/at/all',
      '--type rsa',
      '--public global/a -- ls',
      '--wait soon',
      '--generate global/a --comment two\nlines',
    ])
      assert.equal((await shell.run(`hush door ssh-agent ${line}`)).code, 2, line);
  });
});
