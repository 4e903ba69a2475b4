import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { beginEphemeral } from '../../noise/ephemeral.ts';
import { beginInitiator } from '../../noise/handshake.ts';
import { startUnlocked } from '../support/daemon.ts';
import { eventually } from './facts.ts';
import { enrol, enrolledWire, greetByHand } from './noise-wire.ts';
import { codeOf, greet, greetedWire, openWire, requestFrame, type Wire } from './wire.ts';

const profile = 'default';
const get = { profile, path: 'global/a' };

/** Asks on a good connection, one request after the other, until the promise resolves; all must be answered. */
async function servedUntil(good: Wire, done: Promise<unknown>): Promise<void> {
  const state = { isDone: false };
  const end = done.then(() => {
    state.isDone = true;
  });
  do assert.equal(codeOf(await good.ask('secret.get', get)), 'ok');
  while (!state.isDone);
  await end;
}

/** Waits for the one message with which the daemon ends a connection; answers the limit that it names. */
async function limitNamed(wire: Wire): Promise<string | undefined> {
  const last = await wire.next();
  assert.equal(last?.id, null, JSON.stringify(last));
  assert.equal(last.error?.code, 'LIMIT_EXCEEDED');
  assert.equal(await wire.next(), undefined);
  return last.error.limit;
}

/** Sends bytes one at a time for as long as the connection lasts. */
function drip(t: TestContext, wire: Wire, bytes: Uint8Array): void {
  let at = 0;
  const timer = setInterval(() => {
    wire.write(bytes.subarray(at, at + 1));
    at++;
  }, 20);
  t.after(() => {
    clearInterval(timer);
  });
  void wire.ended.then(() => {
    clearInterval(timer);
  });
}

/** The limits that the log says were passed, in order. */
const limitsIn = (log: string): string[] =>
  [...log.matchAll(/"event":"limit","limit":"(\w+)"/g)].map(([, limit = '']) => limit);

const rssOf = async (wire: Wire): Promise<number> => Number((await wire.ask('status', {})).ok?.['rssBytes']);
const MiB = 1024 * 1024;

const shortLimits = `[limits]
hello_ms = 1000
frame_ms = 600
idle_ms = 1500
drain_ms = 500
connections = 64
write_backlog_bytes = 2097152
`;

test('A10: a peer that takes its time', async (t) => {
  const { daemon, client } = await startUnlocked(t, shortLimits);
  await client.set('global/a', new Uint8Array(64 * 1024).fill(1));
  const app = await enrol(client, 'app');
  client.close();
  const good = await greetedWire(t, daemon.socket);

  await t.test(
    'A10: without hello, or dripping it, is closed by name, and others are served meanwhile',
    async () => {
      const silent = await openWire(t, daemon.socket);
      const dripping = await openWire(t, daemon.socket);
      const half = await openWire(t, daemon.socket);
      const hello = requestFrame(1, 'hello', { versions: [1], client: 'x'.repeat(120) });
      drip(t, dripping, hello);
      half.write(hello.subarray(0, hello.length / 2));
      // Who is writing when he is told to go may not come to read why: of him the log tells.
      const ends = Promise.all([limitNamed(silent), limitNamed(half), dripping.ended]);
      await servedUntil(good, ends);
      assert.deepEqual((await ends).slice(0, 2), ['helloMs', 'frameMs']);
      await eventually('the log tells of all three', () => limitsIn(daemon.stderr()).length === 3);
      assert.deepEqual(limitsIn(daemon.stderr()).sort(), ['frameMs', 'frameMs', 'helloMs']);
    },
  );

  await t.test(
    'A10: with half a frame, or dripping one, is closed by name, and others are served meanwhile',
    async () => {
      const half = await greetedWire(t, daemon.socket);
      const dripping = await greetedWire(t, daemon.socket);
      const prefix = await greetedWire(t, daemon.socket);
      const request = requestFrame(1, 'secret.set', { ...get, value: new Uint8Array(60_000) });
      half.write(request.subarray(0, request.length / 2));
      drip(t, dripping, request);
      prefix.write(request.subarray(0, 3));
      const before = limitsIn(daemon.stderr()).length;
      const ends = Promise.all([limitNamed(half), limitNamed(prefix), dripping.ended]);
      await servedUntil(good, ends);
      assert.deepEqual((await ends).slice(0, 2), ['frameMs', 'frameMs']);
      await eventually('the log tells of all three', () => limitsIn(daemon.stderr()).length === before + 3);
      assert.deepEqual(limitsIn(daemon.stderr()).slice(before), ['frameMs', 'frameMs', 'frameMs']);
    },
  );

  await t.test(
    'A10: with half a handshake, or one that is followed by nothing or half a record',
    async () => {
      const handshake = requestFrame(2, 'handshake', {
        pattern: 'NN',
        message: beginEphemeral(new Uint8Array(0)).message1,
      });
      const half = await greetedWire(t, daemon.socket);
      half.write(handshake.subarray(0, handshake.length - 1));
      const dripping = await greetedWire(t, daemon.socket);
      drip(t, dripping, handshake);
      const silent = await greetByHand(t, daemon.socket);
      const { message1 } = beginInitiator({
        prologue: silent.prologue,
        staticKey: app.privateKey,
        remoteStatic: app.daemonKey,
      });
      assert.equal(codeOf(await silent.shake('IK', message1)), 'ok');
      const begun = await enrolledWire(t, daemon.socket, app);
      begun.greeted.socket.write(begun.greeted.records(begun.transport, new Uint8Array(100)).subarray(0, 50));
      const ends = Promise.all([limitNamed(half), limitNamed(begun.wire), silent.rest(), dripping.ended]);
      await servedUntil(good, ends);
      assert.deepEqual((await ends).slice(0, 2), ['frameMs', 'frameMs']);
    },
  );

  await t.test('A10: that only ever stays is closed by name once it has been idle too long', async () => {
    const limit = limitNamed(await greetedWire(t, daemon.socket));
    await servedUntil(good, limit);
    assert.equal(await limit, 'idleMs');
  });

  await t.test('A10: a thousand times over takes no place from those who work', async () => {
    const flood = async (): Promise<void> => {
      const idle: Wire[] = [];
      for (let index = 0; index < 1000; index++) {
        const wire = await openWire(t, daemon.socket);
        idle.push(index % 2 === 0 ? wire : await greet(wire));
        if (index % 10 === 0) assert.equal(codeOf(await good.ask('secret.get', get)), 'ok', `after ${index}`);
      }
      // All but those that there is room for were told to go; the good one goes on meanwhile.
      const ends = Promise.all(idle.slice(0, 900).map(limitNamed));
      await servedUntil(good, ends);
      const named = await ends;
      assert.ok(named.includes('connections'));
      const others = named.filter((limit) => !['connections', 'helloMs', 'idleMs'].includes(limit ?? ''));
      assert.deepEqual(others, [], 'each was told why');
    };
    // The first makes the heap as large as such a crowd needs; the next must find room in it.
    await flood();
    const before = await rssOf(good);
    await flood();
    const late = await greetedWire(t, daemon.socket);
    assert.equal(codeOf(await late.ask('secret.get', get)), 'ok', 'a new client finds room');
    assert.equal(codeOf(await good.ask('secret.get', get)), 'ok');
    if (process.getuid?.() === 0) {
      const descriptors = readdirSync(`/proc/${daemon.pid}/fd`).length;
      assert.ok(descriptors < 64 + 60, `the daemon has ${descriptors} descriptors`);
    }
    const grown = (await rssOf(good)) - before;
    assert.ok(grown < 40 * MiB, `it grew by ${Math.round(grown / MiB)} MiB`);
  });

  await t.test(
    'A10: that never reads its replies is cut off, costs little, and others are served meanwhile',
    async () => {
      const before = await rssOf(good);
      const deaf = connect(daemon.socket);
      t.after(() => {
        deaf.destroy();
      });
      await once(deaf, 'connect');
      deaf.on('error', () => undefined);
      const cut = new Promise<void>((resolve) => {
        deaf.on('close', () => resolve());
      });
      deaf.write(requestFrame(0, 'hello', { versions: [1] }));
      // 64 KiB are asked for 30,000 times: 2 GB, were they all answered.
      for (let id = 1; id <= 30_000; id++) deaf.write(requestFrame(id, 'secret.get', get));
      await servedUntil(good, Promise.all([cut, daemon.logged('"limit":"drainMs"')]));
      const grown = (await rssOf(good)) - before;
      assert.ok(grown < 40 * MiB, `it grew by ${Math.round(grown / MiB)} MiB`);
    },
  );
});
