import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { startUnlocked, type TestDaemon } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';
import { codeOf, frameOf, greetedWire, openWire, pack, requestFrame, within, type Wire } from './wire.ts';

const MiB = 1024 * 1024;
const get = { profile: 'default', path: 'global/a' };

interface Attacked {
  readonly daemon: TestDaemon;
  readonly good: Wire;
  /** That the daemon is still the same, serves the right value, met no bug of its own, and has hardly grown. */
  unharmed(): Promise<void>;
}

async function start(t: TestContext): Promise<Attacked> {
  const { daemon, client } = await startUnlocked(t);
  await client.set('global/a', utf8('the value'));
  const good = await greetedWire(t, daemon.socket);
  const status = async () => (await good.ask('status', {})).ok ?? assert.fail('no status');
  const before = await status();
  return {
    daemon,
    good,
    async unharmed() {
      const { ok } = await good.ask('secret.get', get);
      assert.equal(textOf(ok?.['value']), 'the value');
      const after = await status();
      assert.equal(after['pid'], before['pid']);
      const grown = Number(after['rssBytes']) - Number(before['rssBytes']);
      assert.ok(grown < 48 * MiB, `the daemon grew by ${Math.round(grown / MiB)} MiB`);
      assert.ok(!daemon.stderr().includes('"event":"bug"'), daemon.stderr());
    },
  };
}

const bytes = (...parts: readonly (number | string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))));

/** A fixmap of three keys that is a request up to its params, which `params` are. */
const withParams = (params: Uint8Array): Uint8Array =>
  bytes(0x83, 0xa2, 'id', 1, 0xa2, 'op', 0xaa, 'secret.get', 0xa6, 'params', params);

/** The two params of a get, and a third one with these bytes as its value. */
const withThird = (value: Uint8Array, key = 'extra'): Uint8Array =>
  withParams(bytes(0x83, pack('profile'), pack('default'), pack('path'), pack('global/a'), pack(key), value));

const uint32 = (value: number): Uint8Array => {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setUint32(0, value);
  return four;
};

const float64 = (value: number): Uint8Array => {
  const nine = new Uint8Array(9);
  nine[0] = 0xcb;
  new DataView(nine.buffer).setFloat64(1, value);
  return nine;
};

const nested = (depth: number): Uint8Array => bytes(Buffer.alloc(depth, 0x91), 0xc0);

const hostile: Readonly<Record<string, Uint8Array>> = {
  'an empty message': bytes(),
  'no message at all': bytes(0xc1),
  'a message that is no map': pack([1, 'secret.get', get]),
  'two messages in one frame': bytes(pack({ id: 1, op: 'status', params: {} }), pack({})),
  'a map that claims 4 thousand million entries': bytes(0xdf, uint32(0xffff_ffff)),
  'an array that claims 10 million elements': withThird(bytes(0xdd, uint32(10_000_000))),
  'arrays in arrays that claim 10 million each': withThird(
    bytes(...Array.from({ length: 6 }, () => bytes(0xdd, uint32(10_000_000)))),
  ),
  'an array of a million elements that are there': withThird(
    bytes(0xdd, uint32(1_000_000), Buffer.alloc(1_000_000, 0xc0)),
  ),
  'binary that claims 4 GiB': withThird(bytes(0xc6, uint32(0xffff_ffff))),
  'text that claims 4 GiB': withThird(bytes(0xdb, uint32(0xffff_ffff))),
  'nesting nine deep': withThird(nested(9)),
  'nesting a hundred thousand deep': withThird(nested(100_000)),
  'maps nested a hundred thousand deep': withThird(bytes(Buffer.from('81a161'.repeat(100_000), 'hex'), 0xc0)),
  'a key that stands twice': withParams(
    bytes(0x82, pack('profile'), pack('default'), pack('profile'), pack('other')),
  ),
  'an id that stands twice': bytes(
    0x84,
    0xa2,
    'id',
    1,
    0xa2,
    'id',
    2,
    0xa2,
    'op',
    pack('status'),
    0xa6,
    'params',
    0x80,
  ),
  'a map of 33 keys': withParams(
    bytes(0xde, 0, 33, ...Array.from({ length: 33 }, (_, index) => bytes(pack(`key-${index}`), 0xc0))),
  ),
  'a key that is a number': withParams(bytes(0x81, 1, 1)),
  'a key that is binary': withParams(bytes(0x81, 0xc4, 1, 'a', 1)),
  'a key that is a map': withParams(bytes(0x81, 0x80, 1)),
  'the key __proto__': withThird(pack({ path: 'global/b' }), '__proto__'),
  'the key __proto__ outside': bytes(0x81, 0xa9, '__proto__', 0x80),
  NaN: withThird(float64(Number.NaN)),
  'NaN in single precision': withThird(bytes(0xca, 0x7f, 0xc0, 0, 0)),
  infinity: withThird(float64(Number.POSITIVE_INFINITY)),
  'NaN as the id': bytes(
    0x83,
    0xa2,
    'id',
    float64(Number.NaN),
    0xa2,
    'op',
    pack('status'),
    0xa6,
    'params',
    0x80,
  ),
  'a fixed extension': withThird(bytes(0xd4, 1, 1)),
  'a timestamp': withThird(bytes(0xd6, 0xff, 0, 0, 0, 0)),
  'an extension that claims 4 GiB': withThird(bytes(0xc9, uint32(0xffff_ffff), 1)),
  'a record of msgpackr': withThird(bytes(0xd4, 0x72, 0x40, 0x91, pack('a'), 1)),
  'text that is not UTF-8': withThird(bytes(0xa2, 0xc3, 0x28)),
  'a request cut off': pack({ id: 1, op: 'secret.get', params: get }).subarray(0, 20),
  'an id below zero': pack({ id: -1, op: 'status', params: {} }),
  'an id that is no whole number': pack({ id: 1.5, op: 'status', params: {} }),
  'an id past 2^53': bytes(
    0x83,
    0xa2,
    'id',
    0xcf,
    Buffer.alloc(8, 0xff),
    0xa2,
    'op',
    pack('status'),
    0xa6,
    'params',
    0x80,
  ),
  'an id that is a text': pack({ id: '1', op: 'status', params: {} }),
  'an operation that is a number': pack({ id: 1, op: 1, params: {} }),
  'a fourth key': pack({ id: 1, op: 'status', params: {}, more: 1 }),
  'a second hello': pack({ id: 1, op: 'hello', params: { versions: [1] } }),
};

/** Well-formed messages that ask for something that is not there: refused by a reply, and the connection goes on. */
const senseless: Readonly<Record<string, readonly [op: string, params: unknown]>> = {
  'an operation of Object.prototype': ['constructor', {}],
  'an operation with a long name': ['x'.repeat(100_000), {}],
  'params that are nil': ['status', null],
  'params that are an array': ['status', []],
  'a param of Object.prototype': ['secret.get', { ...get, constructor: 1 }],
  'a profile of Object.prototype': ['secret.get', { profile: 'constructor', path: 'global/a' }],
  'a profile that is a map': ['secret.get', { profile: { toString: 1 }, path: 'global/a' }],
  'a path of 100,000 characters': ['secret.get', { profile: 'default', path: 'a'.repeat(100_000) }],
  'a list of no entries': ['secret.list', { profile: 'default', limit: 0 }],
  'a list after what is no place': ['secret.list', { profile: 'default', after: '\0 nowhere' }],
  'a batch of nothing': ['batch', { items: [] }],
  'a batch in a batch': ['batch', { items: [{ op: 'batch', params: { items: [] } }] }],
  'an unlock with a credential of another kind': [
    'unlock',
    { profile: 'default', credentials: [{ kind: '__proto__', secret: utf8('x') }] },
  ],
  'a handle that is nonsense': [
    'crypto.decrypt',
    {
      profile: 'default',
      keyring: 'default',
      namespace: 'n',
      key: 'k',
      handle: { id: 'sec_x', kmsKeyId: 'x', alg: 'none', version: 1, ciphertext: '!!!!' },
    },
  ],
};

test('A11: a frame', async (t) => {
  const { daemon, good, unharmed } = await start(t);

  await t.test(
    'A11: that is not well formed is named and ends its connection; the daemon is unharmed',
    async () => {
      for (const [what, body] of Object.entries(hostile)) {
        const wire = await greetedWire(t, daemon.socket);
        wire.write(frameOf(body));
        const answer = await wire.next();
        assert.equal(codeOf(answer), 'BAD_REQUEST', `${what}: ${answer?.error?.message}`);
        assert.equal(answer?.id, null, what);
        assert.equal(await wire.next(), undefined, what);
      }
      await unharmed();
    },
  );

  await t.test('A11: that makes no sense is refused by name, and its connection goes on', async () => {
    const wire = await greetedWire(t, daemon.socket);
    for (const [what, [op, params]] of Object.entries(senseless)) {
      wire.write(requestFrame(7, op, params));
      const answer = await wire.next();
      assert.equal(answer?.id, 7, what);
      if (what === 'a batch in a batch') continue;
      assert.ok(
        ['BAD_REQUEST', 'INTEGRITY', 'NO_SUCH_PROFILE'].includes(codeOf(answer)),
        `${what}: ${codeOf(answer)}`,
      );
    }
    assert.equal(codeOf(await wire.ask('secret.get', get)), 'ok');
    await unharmed();
  });

  await t.test(
    'A11: that claims 4 GiB, or one byte too many, is TOO_LARGE before anything of it is read',
    async () => {
      const hello = await (await openWire(t, daemon.socket)).ask('hello', { versions: [1] });
      const frameBytes = Number(within(hello.ok, 'limits', 'frameBytes'));
      for (const greeted of [true, false]) {
        for (const size of [0xffff_ffff, 0x8000_0000, frameBytes + 1]) {
          const wire = greeted ? await greetedWire(t, daemon.socket) : await openWire(t, daemon.socket);
          wire.write(uint32(size));
          const answer = await wire.next();
          assert.equal(codeOf(answer), 'TOO_LARGE', String(size));
          assert.equal(answer?.error?.limit, 'frameBytes');
          assert.equal(await wire.next(), undefined);
        }
      }
      await unharmed();
    },
  );

  await t.test(
    'A11: that claims the most and brings nothing costs nothing, three hundred times over',
    async () => {
      const wires = await Promise.all(Array.from({ length: 300 }, () => greetedWire(t, daemon.socket)));
      for (const wire of wires) wire.write(bytes(uint32(MiB), Buffer.alloc(100)));
      await unharmed();
      for (const wire of wires) wire.close();
    },
  );

  await t.test('A11: of random bytes is refused, and never more than that', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (body, greeted) => {
        const wire = greeted ? await greetedWire(t, daemon.socket) : await openWire(t, daemon.socket);
        wire.write(frameOf(body));
        const answer = await wire.next();
        wire.close();
        assert.equal(codeOf(answer), 'BAD_REQUEST');
      }),
      { numRuns: 150 },
    );
    assert.equal(codeOf(await good.ask('secret.get', get)), 'ok');
    await unharmed();
  });

  await t.test(
    'A11: a good request with some bytes changed is answered, refused or closed, and never more than that',
    async () => {
      const requests = [
        pack({ id: 5, op: 'secret.get', params: get }),
        pack({ id: 5, op: 'secret.list', params: { profile: 'default', prefix: 'g', limit: 3 } }),
        pack({ id: 5, op: 'batch', params: { items: [{ op: 'secret.get', params: get }] } }),
      ];
      const change = fc.tuple(fc.nat(), fc.nat(255));
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...requests),
          fc.array(change, { minLength: 1, maxLength: 4 }),
          async (request, changes) => {
            const body = Uint8Array.from(request);
            for (const [at, byte] of changes) body[at % body.length] = byte;
            const wire = await greetedWire(t, daemon.socket);
            wire.write(frameOf(body));
            const answer = await wire.next();
            wire.close();
            assert.ok(answer, 'the connection was closed without a word');
            if (answer.error !== undefined)
              assert.notEqual(answer.error.code, 'UNAVAILABLE', answer.error.message);
          },
        ),
        { numRuns: 150 },
      );
      await unharmed();
    },
  );
});
