import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startUnlocked } from '../support/daemon.ts';
import { utf8 } from './facts.ts';
import { codeOf, frameOf, greetedWire, openWire, requestFrame, within, type Reply } from './wire.ts';

const profile = 'default';
const place = { profile, keyring: 'default', namespace: 'n', key: 'k' };
const named = (answer: Reply | undefined): readonly unknown[] => [answer?.error?.code, answer?.error?.limit];

test('each limit is told in hello, and past it there is an error that names it', async (t) => {
  const toml = `[limits]
value_bytes = 1000
plaintext_bytes = 2000
frame_bytes = 70000
in_flight = 2
batch_items = 3
connections = 4
write_backlog_bytes = 1000000
`;
  const { daemon, client } = await startUnlocked(t, toml);
  client.close();
  const wire = await openWire(t, daemon.socket);
  const { ok } = await wire.ask('hello', { versions: [1] });
  for (const [name, value] of Object.entries({
    valueBytes: 1000,
    plaintextBytes: 2000,
    frameBytes: 70_000,
    inFlight: 2,
    batchItems: 3,
    connections: 4,
  })) {
    assert.equal(within(ok, 'limits', name), value, name);
  }
  const set = (bytes: number) =>
    wire.ask('secret.set', { profile, path: 'global/a', value: new Uint8Array(bytes) });
  const encrypt = (bytes: number) =>
    wire.ask('crypto.encrypt', { ...place, plaintext: new Uint8Array(bytes) });

  await t.test('the value, and the connection goes on', async () => {
    assert.equal(codeOf(await set(1000)), 'ok');
    assert.deepEqual(named(await set(1001)), ['TOO_LARGE', 'valueBytes']);
    const { ok: kept } = await wire.ask('secret.get', { profile, path: 'global/a' });
    assert.equal(within(kept, 'value', 'byteLength'), 1000, 'what was there is still there');
  });

  await t.test('the plaintext, and the connection goes on', async () => {
    assert.equal(codeOf(await encrypt(2000)), 'ok');
    assert.deepEqual(named(await encrypt(2001)), ['TOO_LARGE', 'plaintextBytes']);
  });

  await t.test('the items of a batch, none of which is carried out', async () => {
    const items = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        op: 'secret.set',
        params: { profile, path: `global/batch-${count}-${index}`, value: utf8('x') },
      }));
    assert.equal(codeOf(await wire.ask('batch', { items: items(3) })), 'ok');
    assert.deepEqual(named(await wire.ask('batch', { items: items(4) })), ['LIMIT_EXCEEDED', 'batchItems']);
    assert.equal(codeOf(await wire.ask('secret.get', { profile, path: 'global/batch-3-2' })), 'ok');
    assert.equal(codeOf(await wire.ask('secret.get', { profile, path: 'global/batch-4-0' })), 'NOT_FOUND');
    const large = { op: 'secret.set', params: { profile, path: 'global/b', value: new Uint8Array(1001) } };
    const { ok: results } = await wire.ask('batch', { items: [large] });
    assert.equal(within(results, 'results', 0, 'error', 'limit'), 'valueBytes');
  });

  await t.test(
    'the requests in flight: the one too many is answered, the others are carried out',
    async () => {
      // A write is in flight until it is on the disk; all of these arrive in one piece.
      const requests = [1, 2, 3, 4].map((id) =>
        requestFrame(id, 'secret.set', { profile, path: `global/f-${id}`, value: utf8('x') }),
      );
      wire.write(Buffer.concat(requests));
      const answers = new Map<number | null | undefined, Reply | undefined>();
      while (answers.size < requests.length) {
        const answer = await wire.next();
        answers.set(answer?.id, answer);
      }
      assert.deepEqual(
        [1, 2].map((id) => codeOf(answers.get(id))),
        ['ok', 'ok'],
      );
      for (const id of [3, 4]) assert.deepEqual(named(answers.get(id)), ['LIMIT_EXCEEDED', 'inFlight']);
      assert.equal(codeOf(await wire.ask('secret.get', { profile, path: 'global/f-4' })), 'NOT_FOUND');
      assert.equal(codeOf(await set(1)), 'ok', 'the connection goes on');
    },
  );

  await t.test('the frame, and its connection ends', async () => {
    const other = await greetedWire(t, daemon.socket);
    other.write(frameOf(new Uint8Array(70_001)));
    const answer = await other.next();
    assert.deepEqual(named(answer), ['TOO_LARGE', 'frameBytes']);
    assert.equal(answer?.id, null);
    assert.equal(await other.next(), undefined);
  });

  await t.test('the connections: the one idle longest makes room', async () => {
    const others = [];
    for (let index = 0; index < 3; index++) others.push(await greetedWire(t, daemon.socket));
    assert.equal(codeOf(await wire.ask('status', {})), 'ok', 'this one is not the one idle longest any more');
    const late = await greetedWire(t, daemon.socket);
    const [first] = others;
    assert.deepEqual(named(await first?.next()), ['LIMIT_EXCEEDED', 'connections']);
    assert.equal(await first?.next(), undefined);
    for (const served of [wire, others[1], others[2], late]) {
      assert.ok(served);
      assert.equal(codeOf(await served.ask('status', {})), 'ok');
    }
  });
});
