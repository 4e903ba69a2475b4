import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '../../client/index.ts';
import { beginInitiator } from '../../noise/handshake.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import { makeHome, passphraseCredential } from '../support/daemon.ts';
import { recordsIn, utf8 } from './facts.ts';
import { enrol, enrolledWire } from './noise-wire.ts';
import { daemonUser, otherUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet, requestFrame } from './wire.ts';

const path = 'global/a';
const program = fileURLToPath(new URL('enrolled-program.ts', import.meta.url));
const toml = `[operators]
uids = [0]
[rate]
unidentified_rate = 1
unidentified_burst = 5
[profiles.default.grants.app]
read = ['global/*']
`;

/** The user namespace maps nobody but the client itself: the daemon's user has no name in it. */
const container = ['--user', '--map-root-user', '--mount', '--', 'sh', '-c'];
const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';

test('A12: a client in a user and mount namespace of its own, with the socket mounted into it', async (t) => {
  if (skippedUnlessRoot(t)) return;
  const asOther = [`--reuid=${otherUser}`, `--regid=${otherUser}`, '--clear-groups'];
  if (
    spawnSync('setpriv', [...asOther, 'unshare', '--user', '--map-root-user', '--mount', 'true']).status !== 0
  ) {
    t.skip('this kernel lets no user make a namespace');
    return;
  }
  const home = makeHome(t);
  await home.init();
  home.configure(toml);
  const { socket } = await startOpenToAll(t, home);
  const operator = await connect({ socket, env: {}, daemonUid: daemonUser });
  t.after(() => {
    operator.close();
  });
  await operator.unlock([passphraseCredential()]);
  await operator.set(path, utf8('the value in the container'));
  const app = await enrol(operator, 'app');

  // What the container has of its own: a place for the socket, and the key file.
  const inside = join(dirname(socket), 'inside');
  mkdirSync(inside);
  const mounted = join(inside, 'hushd.sock');
  const keyFile = join(inside, 'app.key');
  writeFileSync(mounted, '');
  writeFileSync(keyFile, app.file, { mode: 0o600 });
  for (const each of [inside, mounted, keyFile]) chownSync(each, otherUser, otherUser);
  chmodSync(inside, 0o700);
  const run = (...args: string[]): string => {
    const { stdout, stderr } = spawnSync(
      'setpriv',
      [
        ...asOther,
        'unshare',
        ...container,
        script,
        'sh',
        socket,
        mounted,
        process.execPath,
        program,
        mounted,
        path,
        ...args,
      ],
      { cwd: '/', env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' },
    );
    assert.doesNotMatch(stderr, /mount|unshare|Error/);
    return stdout;
  };

  await t.test('reaches the daemon with an enrolled key, and trusts it by the key alone', () => {
    assert.equal(run(keyFile), 'the value in the container');
    const read = recordsIn(home.profile().audit)
      .filter(({ event }) => event === 'secret.get')
      .at(-1);
    assert.deepEqual([read?.client, read?.uid, read?.outcome], ['app', otherUser, 'ok']);
  });

  await t.test('without a key neither end would take the other for somebody', async () => {
    assert.equal(run(), 'UNTRUSTED_LISTENER');
    const stranger = await greet(await wireAs(t, socket, { uid: otherUser }));
    assert.equal(codeOf(await stranger.ask('secret.get', { profile: 'default', path })), 'ACCESS_DENIED');
  });

  await t.test('with a key that is enrolled no more it is refused', async () => {
    await operator.call('client.remove', { name: 'app' });
    assert.equal(run(keyFile), 'UNIDENTIFIED');
  });

  const key = await enrol(operator, 'other');

  await t.test('an enrolled key makes nobody an operator, not even a uid that is one', async () => {
    const { wire } = await enrolledWire(t, socket, key);
    for (const [op, params] of [
      ['client.list', {}],
      ['client.add', { name: 'more', publicKey: publicKeyOf(newPrivateKey()) }],
      ['client.remove', { name: 'app' }],
      ['daemon.stop', {}],
      ['unlock', { profile: 'default', credentials: [passphraseCredential()] }],
    ] as const) {
      assert.equal(codeOf(await wire.ask(op, params)), 'ACCESS_DENIED', `${op}, though uid 0 is an operator`);
    }
  });

  await t.test(
    'a handshake costs a stranger a token of all strangers, and holds up nobody else',
    async () => {
      const codes: string[] = [];
      for (let index = 0; index < 10; index++) {
        const stranger = await greet(await wireAs(t, socket, { uid: otherUser }));
        const message = beginInitiator({
          prologue: utf8('another prologue'),
          staticKey: newPrivateKey(),
          remoteStatic: key.daemonKey,
        }).message1;
        stranger.write(requestFrame(4, 'handshake', { pattern: 'IK', message }));
        codes.push(codeOf(await stranger.next()));
      }
      assert.deepEqual([...new Set(codes)].sort(), ['RATE_LIMITED', 'UNIDENTIFIED']);
      const still = await enrolledWire(t, socket, key);
      assert.equal(codeOf(await still.wire.ask('status', {})), 'ok', 'others are not held up by it');
    },
  );
});
