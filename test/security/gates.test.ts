import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { makeHome, startDaemon, keyCredential } from '../support/daemon.ts';
import { utf8 } from './facts.ts';
import { otherProgram, otherUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet, greetedWire, type Wire } from './wire.ts';

const key = new Uint8Array(new ArrayBuffer(32)).fill(7);
const open = { credentials: [keyCredential(key)] };
const place = { keyring: 'default', namespace: 'n', key: 'k' };

/** A daemon with one profile in each state, its owner, a client `app` with a few rights on each, and an outsider. */
async function startEveryState(t: TestContext): Promise<{ owner: Wire; app: Wire; outsider: Wire }> {
  const home = makeHome(t);
  const exe = otherProgram(t);
  const outside = otherProgram(t);
  const profiles = ['unlocked', 'locked', 'inactive', 'busy', 'busier'];
  for (const profile of profiles) await home.init(profile, [keyCredential(key)]);
  const grants = [...profiles, 'missing'].map(
    (profile) =>
      `[profiles.${profile}.grants.app]\nread = ['global/mine', 'global/lost']\nrate = ${profile.startsWith('bus') ? 1 : 100000}\n`,
  );
  const clients = `[clients.app]\nexe = '${exe}'\n[clients.outsider]\nexe = '${outside}'\n`;
  home.configure(`${clients}${grants.join('')}[profiles.theirs.grants.outsider]\nread = ['*']\n`);
  await home.init('theirs', [keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const owner = await greetedWire(t, daemon.socket);
  for (const profile of ['unlocked', 'busy', 'busier', 'inactive']) {
    assert.equal(codeOf(await owner.ask('unlock', { profile, ...open })), 'ok');
    const value = utf8('value');
    for (const path of ['global/mine', 'global/theirs']) {
      assert.equal(codeOf(await owner.ask('secret.set', { profile, path, value })), 'ok');
    }
  }
  assert.equal(codeOf(await owner.ask('profile.deactivate', { profile: 'inactive' })), 'ok');
  const app = await greet(await wireAs(t, daemon.socket, { exe }));
  const outsider = await greet(await wireAs(t, daemon.socket, { exe: outside }));
  return { owner, app, outsider };
}

test('the gates, over the wire', async (t) => {
  const { owner, app, outsider } = await startEveryState(t);

  await t.test('each denies with its code, in their order, and the vault comes last', async () => {
    const get = (profile: string, path = 'global/mine') => ['secret.get', { profile, path }] as const;
    const rows: readonly (readonly [what: string, who: Wire, op: string, params: object, code: string])[] = [
      ['0: an unknown operation', owner, 'secret.peek', {}, 'BAD_REQUEST'],
      ['0: a missing parameter', owner, 'secret.get', { profile: 'locked' }, 'BAD_REQUEST'],
      ['0: a parameter too many', owner, 'secret.get', { ...get('locked')[1], extra: 1 }, 'BAD_REQUEST'],
      [
        '0: a wrong type',
        owner,
        'secret.set',
        { profile: 'locked', path: 'global/a', value: 'text' },
        'BAD_REQUEST',
      ],
      ['1: a locked profile', owner, ...get('locked'), 'LOCKED'],
      ['1: before access', app, ...get('locked', 'global/theirs'), 'LOCKED'],
      ['1: before the name', owner, ...get('locked', 'no name'), 'LOCKED'],
      ['2: an inactive profile', owner, ...get('inactive'), 'PROFILE_INACTIVE'],
      ['2: before access', app, ...get('inactive', 'global/theirs'), 'PROFILE_INACTIVE'],
      ['2: a missing profile', owner, ...get('missing'), 'NO_SUCH_PROFILE'],
      ['2: before access', app, ...get('missing', 'global/theirs'), 'NO_SUCH_PROFILE'],
      ['2: what is no name of a profile', owner, ...get('no/profile'), 'INVALID_NAME'],
      ['5: a name without a grant', app, ...get('unlocked', 'global/theirs'), 'ACCESS_DENIED'],
      ['5: before the name', app, ...get('unlocked', 'no name'), 'ACCESS_DENIED'],
      ['5: another right on a granted name', app, 'secret.delete', get('unlocked')[1], 'ACCESS_DENIED'],
      [
        '5: the platform',
        app,
        'crypto.encrypt',
        { profile: 'unlocked', ...place, plaintext: utf8('x') },
        'ACCESS_DENIED',
      ],
      [
        '5: the digest key',
        app,
        'crypto.digestKey',
        { profile: 'unlocked', keyring: 'default' },
        'ACCESS_DENIED',
      ],
      ['5: a rotation', app, 'keys.rotate', { profile: 'unlocked' }, 'ACCESS_DENIED'],
      ['5: an unlock', app, 'unlock', { profile: 'locked', ...open }, 'ACCESS_DENIED'],
      ['5: a lock', app, 'lock', { profile: 'unlocked' }, 'ACCESS_DENIED'],
      ['5: the end of the daemon', app, 'daemon.stop', {}, 'ACCESS_DENIED'],
      ['5.5: what is no name', owner, ...get('unlocked', 'no name'), 'INVALID_NAME'],
      ['6: a missing secret', app, ...get('unlocked', 'global/lost'), 'NOT_FOUND'],
      ['6: the granted secret', app, ...get('unlocked'), 'ok'],
      ['status passes 1 and 2', owner, 'status', { profile: 'locked' }, 'ok'],
      ['unlock passes 1', owner, 'unlock', { profile: 'locked', credentials: [] }, 'BAD_REQUEST'],
      ['unlock of a missing profile', owner, 'unlock', { profile: 'missing', ...open }, 'NO_SUCH_PROFILE'],
      [
        'unlock of an inactive profile',
        owner,
        'unlock',
        { profile: 'inactive', ...open },
        'PROFILE_INACTIVE',
      ],
      ['lock passes 1', owner, 'lock', { profile: 'locked' }, 'ok'],
    ];
    for (const [what, who, op, params, code] of rows) {
      const answer = await who.ask(op, params);
      assert.equal(codeOf(answer), code, `${what}: ${op}: ${answer.error?.message}`);
      if (answer.error !== undefined) assert.notEqual(answer.error.hint, '', what);
    }
  });

  await t.test(
    '4: past its rate a client is told when to come back, before access and not before the lock',
    async () => {
      const busy = { profile: 'busy', path: 'global/mine' };
      // Asked in one breath: a second later there would be another token.
      const paths = ['global/mine', 'global/mine', 'global/theirs', 'no name'];
      const [first, ...others] = await Promise.all(
        paths.map((path) => app.ask('secret.get', { ...busy, path })),
      );
      assert.equal(codeOf(first), 'ok');
      for (const { error } of others) {
        assert.equal(error?.code, 'RATE_LIMITED');
        assert.ok((error.retryAfterMs ?? 0) > 0 && (error.retryAfterMs ?? 0) <= 1000);
      }
      assert.equal(codeOf(await app.ask('secret.get', { ...busy, profile: 'locked' })), 'LOCKED');
      assert.equal(codeOf(await app.ask('secret.get', { ...busy, profile: 'unlocked' })), 'ok');
    },
  );

  await t.test(
    'a token is paid for each item of a batch, and each item passes the gates by itself',
    async () => {
      const item = (profile: string, path: string) => ({ op: 'secret.get', params: { profile, path } });
      const { ok } = await app.ask('batch', {
        items: [
          item('unlocked', 'global/theirs'),
          item('locked', 'global/mine'),
          item('busier', 'global/mine'),
          item('busier', 'global/mine'),
          item('unlocked', 'global/mine'),
          { op: 'unlock', params: { profile: 'unlocked', ...open } },
          { op: 'batch', params: { items: [item('unlocked', 'global/mine')] } },
        ],
      });
      assert.ok(Array.isArray(ok?.['results']));
      const codes = ok['results'].map(
        (result: { ok?: object; error?: { code: string } }) => result.error?.code ?? 'ok',
      );
      assert.deepEqual(codes, [
        'ACCESS_DENIED',
        'LOCKED',
        'ok',
        'RATE_LIMITED',
        'ok',
        'BAD_REQUEST',
        'BAD_REQUEST',
      ]);
    },
  );

  await t.test('a caller with no right on the profile gets ACCESS_DENIED whatever its state', async () => {
    const calls: readonly (readonly [op: string, params: object])[] = [
      ['secret.get', { path: 'global/a' }],
      ['secret.get', { path: 'no name' }],
      ['secret.set', { path: 'global/a', value: utf8('x') }],
      ['secret.delete', { path: 'global/a' }],
      ['secret.list', {}],
      ['crypto.encrypt', { ...place, plaintext: utf8('x') }],
      ['crypto.digestKey', { keyring: 'default' }],
      ['keys.rotate', {}],
      ['keys.status', {}],
      ['keys.resealing', {}],
      ['keys.retire', { version: 1 }],
      [
        'secret.importLegacy',
        { key: utf8('x'), rows: [{ path: 'global/a', nonce: utf8('x'), ciphertext: utf8('x') }] },
      ],
      ['unlock', open],
      ['lock', {}],
      ['profile.activate', {}],
      ['profile.deactivate', {}],
      ['profile.delete', {}],
    ];
    for (const [op, params] of calls) {
      const answers = [];
      for (const profile of ['unlocked', 'locked', 'inactive', 'missing', 'no/profile']) {
        const { error } = await outsider.ask(op, { profile, ...params });
        answers.push(error);
      }
      assert.equal(answers[0]?.code, 'ACCESS_DENIED', op);
      for (const answer of answers) assert.deepEqual(answer, answers[0], op);
    }
    const { ok } = await outsider.ask('status', {});
    assert.ok(Array.isArray(ok?.['profiles']));
    assert.deepEqual(
      ok['profiles'].map(({ name }: { name: string }) => name),
      ['theirs'],
    );
  });
});

test('3: a peer whom the kernel gives no name to may say hello and nothing else', async (t) => {
  if (skippedUnlessRoot(t)) return;
  const home = makeHome(t);
  await home.init();
  home.configure('[operators]\nuids = [0]\n[rate]\nunidentified_rate = 1\nunidentified_burst = 8');
  const { socket } = await startOpenToAll(t, home);
  // 65534 is what every user without a name in the daemon's namespace looks like.
  const nobody = await greet(await wireAs(t, socket, { uid: 65_534 }));
  const answers = [
    await nobody.ask('status', {}),
    await nobody.ask('secret.get', { profile: 'default', path: 'global/a' }),
    await nobody.ask('batch', { items: [{ op: 'secret.list', params: { profile: 'default' } }] }),
    await nobody.ask('daemon.stop', {}),
  ];
  for (const answer of answers) assert.equal(codeOf(answer), 'UNIDENTIFIED');
  const stranger = await greet(await wireAs(t, socket, { uid: otherUser }));
  const flood = Array.from({ length: 50 }, () => nobody.ask('status', {}));
  const limited = (await Promise.all(flood)).at(-1);
  assert.equal(codeOf(limited), 'RATE_LIMITED');
  assert.ok((limited?.error?.retryAfterMs ?? 0) > 0);
  const shared = await Promise.all([1, 2, 3].map(() => stranger.ask('status', {})));
  assert.equal(codeOf(shared.at(-1)), 'RATE_LIMITED', 'all whom nobody knows share one bucket');
  const operator = await greetedWire(t, socket);
  assert.equal(codeOf(await operator.ask('status', {})), 'ok');
});
