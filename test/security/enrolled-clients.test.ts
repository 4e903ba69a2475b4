import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { beginInitiator } from '../../noise/handshake.ts';
import { newPrivateKey, publicKeyOf } from '../../noise/x25519.ts';
import type { HushClient, HushError } from '../../client/index.ts';
import { startUnlocked, type TestDaemon } from '../support/daemon.ts';
import { eventually, recordsIn, textOf, utf8 } from './facts.ts';
import { enrol, enrolledWire, greetByHand, startRelay, type Enrolled, type Way } from './noise-wire.ts';
import { codeOf, greetedWire, requestFrame } from './wire.ts';

const path = 'global/a';
const secret = 'the value that nobody else may see';
const toml = `[limits]
frame_ms = 400
[profiles.default.grants.app]
read = ['global/*']
write = ['global/of-app']
[profiles.only]
require_enrolled = true
[profiles.only.grants.app]
read = ['global/*']
write = ['global/*']
`;

interface Place {
  readonly daemon: TestDaemon;
  readonly owner: HushClient;
  readonly app: Enrolled;
}

async function start(t: TestContext): Promise<Place> {
  const { daemon, client: owner } = await startUnlocked(t, toml);
  await owner.set(path, utf8(secret));
  return { daemon, owner, app: await enrol(owner, 'app') };
}

/** The records of handshakes in the daemon's own audit. */
const handshakesIn = ({ daemon }: Place) =>
  recordsIn(daemon.home.paths.daemonAudit).filter(({ event }) => event === 'handshake');

const connections = async ({ owner }: Place): Promise<number | undefined> =>
  (await owner.call('client.list', {})).clients.find(({ name }) => name === 'app')?.connections;

/** What a handshake by hand fails with. */
async function refusalOf(t: TestContext, place: Place, message: Uint8Array, pattern = 'IK') {
  const greeted = await greetByHand(t, place.daemon.socket);
  const reply = await greeted.shake(pattern, message);
  assert.equal((await greeted.rest()).length, 0, 'the connection ends, and says nothing more');
  return reply;
}

describe('an enrolled client', () => {
  test('is who its key says, whatever relays it, and nothing that went over the socket is of use to others', async (t) => {
    const place = await start(t);
    const { daemon, owner, app } = place;

    await t.test('it has the rights of its name and no others, and is on record under it', async () => {
      const client = await daemon.connect({ clientKey: app.file });
      assert.equal(textOf((await client.get(path)).value), secret);
      await client.set('global/of-app', utf8('kept'));
      for (const refused of [
        client.set(path, utf8('x')),
        client.lock(),
        client.call('client.list', {}),
        client.call('client.remove', { name: 'app' }),
        client.call('daemon.stop', {}),
      ]) {
        await assert.rejects(refused, { code: 'ACCESS_DENIED' });
      }
      const record = recordsIn(daemon.home.profile().audit).find(({ event }) => event === 'secret.get');
      assert.equal(record?.client, 'app');
      assert.equal(handshakesIn(place).at(-1)?.client, 'app');
      assert.equal(await connections(place), 1);
      client.close();
      await eventually('it is gone', () => handshakesIn(place).every(({ outcome }) => outcome === 'ok'));
    });

    await t.test('a relay that records everything sees neither value nor name, nor who it is', async () => {
      for (const fieldEncryption of [false, true]) {
        const relay = await startRelay(t, daemon.socket);
        const client = await daemon.connect({ socket: relay.path, clientKey: app.file, fieldEncryption });
        assert.equal(textOf((await client.get(path)).value), secret);
        client.close();
        for (const way of ['toDaemon', 'toClient'] as const) {
          const seen = relay.seen(way);
          for (const hidden of [secret, path, 'secret.get', 'app', Buffer.from(app.publicKey)]) {
            assert.ok(!seen.includes(hidden), `${way}: ${String(hidden)}`);
          }
        }
      }
    });

    await t.test('what was recorded opens nothing when it is sent again, and changes nothing', async () => {
      const relay = await startRelay(t, daemon.socket);
      const client = await daemon.connect({ socket: relay.path, clientKey: app.file });
      const { version } = await client.set('global/of-app', utf8('once'));
      client.close();
      const recorded = relay.seen('toDaemon');
      const before = handshakesIn(place).length;
      const answers = await replayed(t, daemon.socket, recorded);
      assert.equal(
        answers.length,
        2,
        'hello and handshake are answered, for anybody can repeat those, and nothing else',
      );
      await eventually('the attempt is on record', () => handshakesIn(place).length === before + 1);
      const { client: who, outcome, code } = handshakesIn(place).at(-1) ?? assert.fail();
      assert.deepEqual(
        [who, outcome, code],
        ['owner', 'denied', 'UNIDENTIFIED'],
        'as what the kernel says it is',
      );
      assert.equal((await owner.get('global/of-app')).version, version);
      assert.equal(await connections(place), 0);
    });

    await t.test(
      'any byte that is changed on the way ends the connection before a value is given',
      async () => {
        const clear = await startRelay(t, daemon.socket);
        const client = await daemon.connect({ socket: clear.path, clientKey: app.file });
        await client.get(path);
        client.close();
        const ways = ['toDaemon', 'toClient'] as const;
        const places = ways.flatMap((way) =>
          Array.from({ length: clear.seen(way).length }, (_, at) => ({ way, at })),
        );
        const tried = places.filter((_, index) => index % 9 === 0);
        assert.ok(tried.length > 60);
        const flipped = async ({ way, at }: { way: Way; at: number }): Promise<void> => {
          const relay = await startRelay(t, daemon.socket, (piece, from, its) => {
            const index = at - from;
            if (its === way && index >= 0 && index < piece.length)
              piece[index] = (piece[index] ?? 0) ^ (1 << (at % 8));
            return piece;
          });
          const asked = daemon
            .connect({ socket: relay.path, clientKey: app.file, deadlineMs: 1500 })
            .then((through) => through.get(path));
          await assert.rejects(asked, `${way} ${at}`);
        };
        for (let first = 0; first < tried.length; first += 16) {
          await Promise.all(tried.slice(first, first + 16).map(flipped));
        }
      },
    );

    await t.test(
      'through socat it is the same client, and without its key it is nobody but who runs socat',
      async () => {
        const forwarded = join(dirname(daemon.socket), 'forwarded.sock');
        const socat = spawn(
          'socat',
          [`UNIX-LISTEN:${forwarded},fork,mode=600`, `UNIX-CONNECT:${daemon.socket}`],
          {
            stdio: 'ignore',
            detached: true,
          },
        );
        t.after(() => {
          // With the children that it has forked.
          if (socat.pid !== undefined) process.kill(-socat.pid, 'SIGKILL');
        });
        await eventually('socat listens', () => existsSync(forwarded));
        const client = await daemon.connect({ socket: forwarded, clientKey: app.file });
        assert.equal(textOf((await client.get(path)).value), secret);
        await assert.rejects(client.set(path, utf8('x')), { code: 'ACCESS_DENIED' });
        const last = recordsIn(daemon.home.profile().audit)
          .filter(({ event }) => event === 'secret.get')
          .at(-1);
        assert.equal(last?.client, 'app');
        assert.match(String(last['exe']), /socat/);
        client.close();
      },
    );

    await t.test(
      'every handshake that is not right is refused with the same words, whatever is wrong',
      async () => {
        const gone = await enrol(owner, 'gone');
        await owner.call('client.remove', { name: 'gone' });
        const messageOf = async (staticKey: Uint8Array, remoteStatic: Uint8Array, params?: object) => {
          // The prologue is the same on each connection, for the daemon's hello is.
          const { prologue, socket } = await greetByHand(t, daemon.socket, params);
          socket.destroy();
          return beginInitiator({ prologue, staticKey, remoteStatic }).message1;
        };
        const good = await messageOf(app.privateKey, app.daemonKey);
        const flipped = Uint8Array.from(good);
        flipped[50] = (flipped[50] ?? 0) ^ 1;
        const wrong: Readonly<Record<string, Uint8Array>> = {
          'a stranger': await messageOf(newPrivateKey(), app.daemonKey),
          'one that was removed': await messageOf(gone.privateKey, app.daemonKey),
          'one that means another daemon': await messageOf(app.privateKey, publicKeyOf(newPrivateKey())),
          'one that heard another hello': await messageOf(app.privateKey, app.daemonKey, { client: 'x' }),
          'a changed byte': flipped,
          'a cut message': good.subarray(0, 95),
          'a longer message': Uint8Array.from([...good, 0]),
          'an empty message': new Uint8Array(0),
          zeros: new Uint8Array(96),
          'an ephemeral message': good.subarray(0, 32),
        };
        const before = handshakesIn(place).length;
        const words = new Set<string>();
        for (const [what, message] of Object.entries(wrong)) {
          const reply = await refusalOf(t, place, message);
          assert.equal(reply?.id, null, what);
          assert.equal(reply.error?.code, 'UNIDENTIFIED', what);
          words.add(JSON.stringify(reply));
        }
        assert.equal(words.size, 1);
        const denied = handshakesIn(place).slice(before);
        assert.equal(denied.length, Object.keys(wrong).length);
        assert.ok(denied.every(({ code, client }) => code === 'UNIDENTIFIED' && client === 'owner'));
        assert.ok(!daemon.stderr().includes('"event":"bug"'), daemon.stderr());
      },
    );

    await t.test(
      'a handshake comes right after hello and once, with nothing behind it before its answer',
      async () => {
        const status = requestFrame(9, 'status', {});

        const late = await greetedWire(t, daemon.socket);
        assert.equal(codeOf(await late.ask('status', {})), 'ok');
        late.write(requestFrame(5, 'handshake', { pattern: 'NN', message: new Uint8Array(32).fill(9) }));
        assert.equal(codeOf(await late.next()), 'BAD_REQUEST');
        await late.ended;

        const hasty = await greetByHand(t, daemon.socket);
        hasty.socket.write(
          Buffer.concat([
            requestFrame(2, 'handshake', { pattern: 'NN', message: newPublicKey() }),
            requestFrame(3, 'status', {}),
          ]),
        );
        assert.ok((await hasty.rest()).includes('nothing may follow a handshake'));

        const { wire } = await enrolledWire(t, daemon.socket, app);
        const twice = wire.ask('handshake', { pattern: 'NN', message: newPublicKey() });
        await assert.rejects(twice);
        assert.equal(codeOf(await wire.next()), 'BAD_REQUEST');

        // What is not sealed, and what is sealed and empty, is no record.
        for (const bytes of [status, Buffer.from([0, 0, 0, 0]), Buffer.from([0, 1, 0, 0])]) {
          const { greeted } = await enrolledWire(t, daemon.socket, app);
          greeted.socket.write(bytes);
          assert.equal((await greeted.rest()).length, 0, 'it is cut off without a word that could be sealed');
        }

        for (const params of [
          {},
          { pattern: 'XX', message: new Uint8Array(32) },
          { pattern: 'IK', message: 'text' },
        ]) {
          const odd = await greetedWire(t, daemon.socket);
          odd.write(requestFrame(5, 'handshake', params));
          assert.equal(codeOf(await odd.next()), 'BAD_REQUEST');
        }
      },
    );

    await t.test(
      'on a profile that requires it, nobody else may do anything; operators keep status, lock and unlock',
      async () => {
        await daemon.home.init('only');
        const credential = { kind: 'passphrase' as const, secret: utf8('correct horse battery staple') };
        await owner.call('unlock', { profile: 'only', credentials: [credential] });
        const byKey = await daemon.connect({ clientKey: app.file });
        await byKey.call('secret.set', { profile: 'only', path, value: utf8(secret) });
        assert.equal(textOf((await byKey.call('secret.get', { profile: 'only', path })).value), secret);
        const refused = { code: 'ACCESS_DENIED', message: /enrolled clients only/, hint: /hush client add/ };
        await assert.rejects(
          owner.call('secret.set', { profile: 'only', path, value: utf8(secret) }),
          refused,
        );
        await assert.rejects(owner.call('secret.get', { profile: 'only', path }), refused);
        await assert.rejects(owner.call('secret.list', { profile: 'only' }), refused);
        await assert.rejects(owner.call('profile.delete', { profile: 'only' }), refused);
        const told = (await owner.call('status', { profile: 'only' })).profiles;
        assert.deepEqual(
          told.map(({ name, state }) => [name, state]),
          [['only', 'unlocked']],
        );
        const other = await daemon.connect({ clientKey: (await enrol(owner, 'other')).file });
        await assert.rejects(other.call('secret.get', { profile: 'only', path }), (error: HushError) => {
          assert.equal(error.code, 'ACCESS_DENIED');
          assert.doesNotMatch(error.message, /enrolled/, 'who has no grant learns nothing of the profile');
          return true;
        });
        assert.deepEqual(await owner.call('lock', { profile: 'only' }), { already: false });
      },
    );

    await t.test(
      'a removed one is cut off at once, and refused from then on; another takes its name',
      async () => {
        const held = await enrolledWire(t, daemon.socket, app);
        assert.equal(codeOf(await held.wire.ask('secret.get', { profile: 'default', path })), 'ok');
        const client = await daemon.connect({ clientKey: app.file });
        await client.get(path);
        const unproven = await greetByHand(t, daemon.socket);
        const initiator = beginInitiator({
          prologue: unproven.prologue,
          staticKey: app.privateKey,
          remoteStatic: app.daemonKey,
        });
        const reply = await unproven.shake('IK', initiator.message1);
        // What was forwarded may linger a moment where it was.
        const open = (await connections(place)) ?? 0;
        assert.ok(open >= 2);
        assert.deepEqual(await owner.call('client.remove', { name: 'app' }), {
          closed: open,
          warnings: [],
        });
        const told = await held.wire.next();
        assert.equal(told?.id, null);
        assert.equal(told.error?.code, 'UNIDENTIFIED');
        assert.equal(await held.wire.next(), undefined);
        await assert.rejects(client.get(path), { code: 'UNIDENTIFIED' });
        const message2 = reply?.ok?.['message'];
        assert.ok(message2 instanceof Uint8Array);
        const late = unproven.secured(initiator.receive(message2));
        await assert.rejects(
          late.ask('secret.get', { profile: 'default', path }),
          'it was not proved before',
        );
        const next = await enrol(owner, 'app');
        await assert.rejects(daemon.connect({ clientKey: app.file }), { code: 'UNIDENTIFIED' });
        const other = await daemon.connect({ clientKey: next.file });
        assert.equal(textOf((await other.get(path)).value), secret);
        const removal = recordsIn(daemon.home.paths.daemonAudit).find(
          ({ event }) => event === 'client.remove',
        );
        assert.ok(removal);
      },
    );
  });
});

const newPublicKey = (): Uint8Array => publicKeyOf(newPrivateKey());

/** Sends recorded bytes: hello, handshake once that is answered, and then all the rest. Gives the answers to them. */
async function replayed(t: TestContext, path: string, recorded: Buffer): Promise<Buffer[]> {
  const socket = connect(path);
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  const answers: Buffer[] = [];
  let rest = recorded;
  const sendNext = (): void => {
    const end = answers.length < 2 ? 4 + rest.readUInt32BE(0) : rest.length;
    socket.write(rest.subarray(0, end));
    rest = rest.subarray(end);
  };
  socket.on('connect', sendNext);
  socket.on('data', (chunk: Buffer) => {
    answers.push(chunk);
    if (rest.length > 0) sendNext();
  });
  await once(socket, 'close');
  return answers;
}
