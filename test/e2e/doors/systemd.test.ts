import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import { programPath } from '../../support/programs.ts';
import { exitOf, passphraseCredential, startUnlocked, type TestDaemon } from '../../support/daemon.ts';
import { writeClientKey } from '../../../noise/client-key.ts';
import { newPrivateKey, publicKeyOf } from '../../../noise/x25519.ts';
import type { HushClient } from '../../../client/index.ts';
import { copyBytes } from '../../../protocol/bytes.ts';
import { noManager, openFolder, runUnits } from './service-manager.ts';

const hush = programPath('hush');

const grants = `
[profiles.default.grants.door]
read = ['pr:web.service/*', 'pr:web-1/*', 'pr:gone.service/*', 'pr:full.service/*', 'pr:over.service/*']
[limits]
value_bytes = 1048576
`;

/** Enrols a client, as `hush client add` does, and gives the file of its key. */
async function enrol(client: HushClient, name: string, folder: string): Promise<string> {
  const privateKey = newPrivateKey();
  const publicKey = publicKeyOf(privateKey);
  const { daemonKey } = await client.call('client.add', { name, publicKey });
  const file = join(folder, `${name}.key`);
  const text = writeClientKey({ name, privateKey, publicKey, daemonKey: copyBytes(daemonKey) });
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

interface OpenDoor {
  readonly socket: string;
  /** All that it has said. */
  said(): string;
  /** Resolves once it has said the text. */
  toSay(text: string): Promise<void>;
  stop(): Promise<number | null>;
}

/** The real `hush door systemd`, of a client with the grants above. */
async function openDoor(
  t: TestContext,
  daemon: TestDaemon,
  keyFile: string,
  folder: string,
): Promise<OpenDoor> {
  const socket = join(folder, 'door.sock');
  const args = ['--socket', socket, '--client-key', keyFile, '--map', 'web@1.service=pr:web-1'];
  const child = spawn(process.execPath, [hush, 'door', 'systemd', ...args], {
    env: daemon.home.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  const waiting = new Set<() => void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    for (const check of waiting) check();
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  assert.equal(line, `listening for systemd at ${socket}`);
  return {
    socket,
    said: () => said,
    toSay: (text) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!said.includes(text)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    stop: () => {
      child.kill('SIGTERM');
      return exitOf(child);
    },
  };
}

/** A unit that copies its credentials into a folder of its name. */
function unit(out: string, lines: readonly string[], name = '%N'): string {
  return `[Service]
Type=oneshot
${lines.join('\n')}
ExecStart=/bin/sh -c 'mkdir ${out}/${name} && cp "$CREDENTIALS_DIRECTORY"/* ${out}/${name}/'
`;
}

/** A peer that connects from an address of its choice, and tells how many bytes it got and the first of them. */
const peerProgram = `
import os, socket, sys
path, address, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.setuid(uid)
s = socket.socket(socket.AF_UNIX)
if address: s.bind('\\0' + address)
s.connect(path)
s.shutdown(socket.SHUT_WR)
count, kinds = 0, set()
while True:
    try: chunk = s.recv(65536)
    except ConnectionResetError: break
    if not chunk: break
    count += len(chunk); kinds.update(chunk)
print(count, sorted(kinds))`;

async function peer(socket: string, address: string, uid = 0): Promise<string> {
  const child = spawn('python3', ['-c', peerProgram, socket, address, String(uid)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return line;
}

/** What `peer` tells of a refusal: more than the 1 MiB that systemd takes. */
const zeros = `${1024 * 1024 + 1} [0]`;

/** EXIT_CREDENTIALS of systemd.exec(5). */
const credentialsFailed = 'exit-code 243';

describe('the systemd door', { skip: noManager }, () => {
  test('gives a unit its own credentials, byte for byte, and fails a unit for which it has none', async (t) => {
    const { daemon, client } = await startUnlocked(t, grants);
    const folder = openFolder(t);
    const key = await enrol(client, 'door', folder);
    const door = await openDoor(t, daemon, key, folder);
    assert.equal(statSync(door.socket).mode & 0o777, 0o600);
    const out = join(folder, 'out');
    mkdirSync(out);

    const binary = Uint8Array.from({ length: 64 * 1024 }, (_, index) => (index * 7) % 256);
    const text = new TextEncoder().encode('p\0ss\nword');
    await client.set('pr:web.service/db-password', text);
    await client.set('pr:web.service/cert', binary);
    await client.set('pr:web.service/empty', new Uint8Array(0));
    await client.set('pr:web-1/db-password', text);
    await client.set('pr:other.service/db-password', text);
    // systemd counts the name too.
    const full = new Uint8Array(1024 * 1024 - 'cert'.length).fill(7);
    await client.set('pr:full.service/cert', full);
    await client.set('pr:over.service/cert', new Uint8Array(full.length + 1));
    const load = (name: string, as = name): string => `LoadCredential=${as}:${door.socket}`;
    const failures = await runUnits(
      folder,
      {
        'web.service': unit(out, [load('db-password'), load('cert'), load('empty')]),
        'web@.service': unit(out, [load('db-password')], 'instance-%i'),
        'other.service': unit(out, [load('db-password')]),
        'gone.service': unit(out, [load('db-password')]),
        'full.service': unit(out, [load('cert')]),
        'over.service': unit(out, [load('cert')]),
      },
      [
        'web.service',
        'web@1.service',
        'web@2.service',
        'other.service',
        'gone.service',
        'full.service',
        'over.service',
      ],
    );

    assert.deepEqual(new Uint8Array(readFileSync(join(out, 'web', 'db-password'))), text);
    assert.deepEqual(new Uint8Array(readFileSync(join(out, 'web', 'cert'))), binary);
    assert.equal(readFileSync(join(out, 'web', 'empty')).length, 0);
    assert.deepEqual(new Uint8Array(readFileSync(join(out, 'instance-1', 'db-password'))), text);
    assert.deepEqual(new Uint8Array(readFileSync(join(out, 'full', 'cert'))), full);
    for (const name of ['other', 'gone', 'instance-2', 'over']) assert.ok(!existsSync(join(out, name)), name);
    assert.deepEqual(
      failures,
      new Map(
        ['gone.service', 'other.service', 'over.service', 'web@2.service'].map((name) => [
          name,
          credentialsFailed,
        ]),
      ),
    );

    const said = door.said();
    assert.match(said, /note: web\.service got db-password from pr:web\.service\/db-password\n/);
    assert.match(said, /error: other\.service got no credential db-password: the access rules do not allow/);
    assert.match(
      said,
      /error: gone\.service got no credential db-password: there is no pr:gone\.service\/db-password\n/,
    );
    assert.match(
      said,
      /error: web@2\.service got no credential db-password: no secret can have that name\nhush: hint: .*--map web@2\.service=pr:NAME/,
    );
    assert.match(
      said,
      /error: over\.service got no credential cert: with its name it is larger than the 1 MiB/,
    );
    assert.ok(!said.includes('ss\nword'));

    await t.test(
      'and while the profile is locked, or the daemon gone, no unit starts with an empty one',
      async () => {
        rmSync(join(out, 'web'), { recursive: true });
        const noneStarted = new Map([['web.service', credentialsFailed]]);
        await client.lock();
        const units = { 'web.service': unit(out, [load('db-password')]) };
        assert.deepEqual(await runUnits(folder, units), noneStarted);
        assert.match(door.said(), /web\.service got no credential db-password: .*locked/);
        await client.unlock([passphraseCredential()]);
        client.close();
        await daemon.kill();
        assert.deepEqual(await runUnits(folder, units), noneStarted);
        assert.match(door.said(), /web\.service got no credential db-password: .*\nhush: hint: hush start/);
        assert.ok(!existsSync(join(out, 'web')));
      },
    );

    await t.test('peers that leave at once, or never read, keep nobody else from an answer', async () => {
      for (let count = 0; count < 20; count += 1) {
        const gone = connect(door.socket);
        await once(gone, 'connect');
        gone.destroy();
      }
      const silent = connect(door.socket).pause();
      assert.equal(await peer(door.socket, 'after/them'), zeros);
      silent.destroy();
    });

    await t.test('an address that is borrowed gets nothing of a value, whoever binds it', async () => {
      for (const address of [
        '0123456789abcdef/unit/web.service/db-password',
        '',
        'x',
        '1/unit/web.service/a/b',
        `1/unit/${'x'.repeat(90)}`,
      ])
        assert.equal(await peer(door.socket, address), zeros);
      chmodSync(folder, 0o711);
      chmodSync(door.socket, 0o666);
      assert.equal(await peer(door.socket, '1/unit/web.service/db-password', 12_345), zeros);
      await door.toSay('error: uid 12345 asks for a credential, which only a service manager may');
      assert.match(door.said(), /error: who asks for a credential of web\.service does not run in that unit/);
      assert.match(door.said(), /error: a peer asked without the address that systemd gives itself/);
    });

    assert.equal(await door.stop(), 0);
    assert.ok(!existsSync(door.socket));
  });
});
