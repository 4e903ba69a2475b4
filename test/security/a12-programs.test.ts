import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { makeHome, passphraseCredential, startDaemon, type TestDaemon } from '../support/daemon.ts';
import { eventually, utf8 } from './facts.ts';
import { otherProgram, otherUser, skippedUnlessRoot, wireAs } from './peers.ts';
import { codeOf, greet, type Wire } from './wire.ts';

const profile = 'default';
const path = 'global/a';

const get = async (wire: Wire): Promise<string> => codeOf(await wire.ask('secret.get', { profile, path }));

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A program with other bytes than Node: Node and one byte more. */
function alteredProgram(t: TestContext): string {
  const program = join(dirname(otherProgram(t)), 'altered');
  copyFileSync(process.execPath, program);
  appendFileSync(program, '\n');
  chmodSync(program, 0o755);
  return program;
}

/** A daemon with one unlocked profile that holds a value; its owner is the user of the test, whatever the clients. */
async function start(
  t: TestContext,
  toml: string,
): Promise<{ daemon: TestDaemon; reconfigure: (toml: string) => Promise<void> }> {
  const home = makeHome(t);
  await home.init();
  home.configure('');
  const daemon = await startDaemon(t, home);
  const own = await daemon.connect();
  await own.unlock([passphraseCredential()]);
  await own.set(path, utf8('value'));
  let generation = 1;
  const reconfigure = async (text: string): Promise<void> => {
    home.configure(text);
    daemon.signal('SIGHUP');
    generation += 1;
    await daemon.logged(`"event":"config.reload","generation":${generation}`);
  };
  await reconfigure(toml);
  return { daemon, reconfigure };
}

const granting = (client: string): string =>
  `[operators]\nowner = false\n[clients.app]\n${client}\n[profiles.default.grants.app]\nread = ['${path}']\n`;

describe('A12: the program that a peer runs', () => {
  test('A12: is told by its bytes, wherever it lies; other bytes under its name are another program', async (t) => {
    const altered = alteredProgram(t);
    const { daemon, reconfigure } = await start(t, granting(`sha256 = '${sha256(process.execPath)}'`));
    const same = await greet(await wireAs(t, daemon.socket, { exe: otherProgram(t) }));
    const other = await greet(await wireAs(t, daemon.socket, { exe: altered }), 'app');
    assert.deepEqual([await get(same), await get(other)], ['ok', 'ACCESS_DENIED']);

    await reconfigure(granting(`sha256 = '${sha256(altered)}'`));
    assert.deepEqual(
      [await get(same), await get(other)],
      ['ACCESS_DENIED', 'ok'],
      'and for open connections too',
    );

    const exe = otherProgram(t, 'replaced');
    await reconfigure(granting(`exe = '${exe}'\nsha256 = '${sha256(process.execPath)}'`));
    assert.equal(await get(await greet(await wireAs(t, daemon.socket, { exe }))), 'ok');
    copyFileSync(altered, `${exe}.new`);
    chmodSync(`${exe}.new`, 0o755);
    renameSync(`${exe}.new`, exe);
    assert.equal(await get(await greet(await wireAs(t, daemon.socket, { exe }))), 'ACCESS_DENIED');
  });

  test('A12: is read when an entry asks for it, also where the peer connected long before', async (t) => {
    const { daemon, reconfigure } = await start(t, '');
    const early = await greet(await wireAs(t, daemon.socket, {}));
    assert.equal(await get(early), 'ok', 'the owner');
    await reconfigure(granting(`sha256 = '${sha256(process.execPath)}'`));
    const codes = await Promise.all(Array.from({ length: 5 }, () => get(early)));
    assert.deepEqual(new Set(codes), new Set(['ok']), 'requests wait for the hash');
    assert.equal(codeOf(await early.ask('secret.delete', { profile, path })), 'ACCESS_DENIED');
  });

  test('A12: of another user is known to a daemon of root, and counts together with that user', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const home = makeHome(t);
    await home.init();
    const door = join(dirname(home.folder), 'door');
    mkdirSync(door, { mode: 0o711 });
    chmodSync(door, 0o711);
    chmodSync(dirname(home.folder), 0o711);
    const toml = `[transport]\nsocket_mode = '0666'\n${granting(`uid = ${otherUser}\nsha256 = '${sha256(process.execPath)}'`)}`;
    home.configure(toml.replace('owner = false', 'owner = true'));
    const socket = join(door, 'hushd.sock');
    await startDaemon(t, home, { env: { HUSH_SOCKET: socket } });
    const own = await greet(await wireAs(t, socket, {}));
    assert.equal(codeOf(await own.ask('unlock', { profile, credentials: [passphraseCredential()] })), 'ok');
    assert.equal(codeOf(await own.ask('secret.set', { profile, path, value: utf8('value') })), 'ok');
    const altered = alteredProgram(t);
    assert.equal(await get(await greet(await wireAs(t, socket, { uid: otherUser }))), 'ok');
    assert.equal(await get(await greet(await wireAs(t, socket, { uid: otherUser + 1 }))), 'ACCESS_DENIED');
    assert.equal(
      await get(await greet(await wireAs(t, socket, { uid: otherUser, exe: altered }))),
      'ACCESS_DENIED',
    );
  });
});

/** Where this host lets a test make control groups; undefined where it does not. */
function makeGroups(): string | undefined {
  for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd']) {
    const slice = join(root, `hushd-test-${process.pid}.slice`);
    try {
      // What is no control group has no such file.
      readFileSync(join(root, 'cgroup.procs'));
      mkdirSync(slice);
      return slice;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** Makes a control group, and a script that moves itself there before it becomes Node. */
function starterIn(t: TestContext, group: string): string {
  mkdirSync(group, { recursive: true });
  const script = join(dirname(otherProgram(t)), 'start');
  const move = `echo $$ > '${join(group, 'cgroup.procs')}'`;
  writeFileSync(script, `#!/bin/sh\n${move}\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
  return script;
}

/** Removes a control group and those within, once their processes have ended. */
async function removeGroup(group: string): Promise<void> {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeGroup(join(group, entry.name));
  }
  await eventually('the group is empty, and gone', () => {
    try {
      rmdirSync(group);
      return true;
    } catch {
      return false;
    }
  });
}

test('A12: a peer is told by the systemd unit that it runs in; what lies further in has no say', async (t) => {
  const slice = makeGroups();
  if (slice === undefined) {
    t.skip('this host does not let a test make control groups');
    return;
  }
  const { daemon } = await start(t, granting("unit = 'hushd-shop.service'"));
  const wires: Wire[] = [];
  const connect = async (exe?: string): Promise<Wire> => {
    const wire = await greet(await wireAs(t, daemon.socket, exe === undefined ? {} : { exe }));
    wires.push(wire);
    return wire;
  };
  try {
    assert.equal(await get(await connect(starterIn(t, join(slice, 'hushd-shop.service')))), 'ok');
    assert.equal(await get(await connect()), 'ACCESS_DENIED');
    const within = starterIn(t, join(slice, 'user@7.service', 'hushd-shop.service'));
    assert.equal(await get(await connect(within)), 'ACCESS_DENIED', "a user's own unit of that name");
  } finally {
    for (const wire of wires) wire.close();
    await removeGroup(slice);
  }
});
