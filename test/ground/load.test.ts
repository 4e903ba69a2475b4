import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Packr, Unpackr } from 'msgpackr';
import { startFloor } from '../bench/floor/start.ts';
import { openLoad, quantile, requestOf } from '../bench/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'load-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });
const request = requestOf('secret.get', { profile: 'default', path: 'global/a' });

/** Listens, and answers the nth request (from 0) of a connection with what `answer` gives, or ends it on undefined. */
async function answering(name: string, answer: (id: number, nth: number) => object | undefined) {
  const socketPath = join(folder, name);
  const server = createServer((socket) => {
    let nth = 0;
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += 4 + chunk.readUInt32BE(at)) {
        // The load sends requests, each with a number as its id.
        const { id } = unpackr.unpack(chunk, { start: at + 4, end: at + 4 + chunk.readUInt32BE(at) }) as {
          id: number;
        };
        const reply = answer(id, nth++);
        if (reply === undefined) {
          socket.destroy();
          return;
        }
        const body = packr.pack(reply);
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        socket.write(Buffer.concat([head, body]));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return { socketPath, close: () => server.close() };
}

describe('the load of the bench', () => {
  for (const style of ['packed', 'patched'] as const) {
    test(`every request to the ${style} floor is answered once, one at a time and with many in flight`, async () => {
      const floor = await startFloor(join(folder, style), 200, style);
      try {
        const load = await openLoad(floor.socketPath);
        assert.deepEqual(await load.call('secret.get', {}), { value: Buffer.alloc(200, 7) });
        const latency = await load.oneAtATime([request], 300);
        assert.ok(latency.p50 > 0 && latency.p99 >= latency.p50);
        for (const inFlight of [1, 32, 1000])
          assert.ok((await load.pipelined([request], 5000, inFlight)) > 0);
        load.close();
      } finally {
        await floor.stop();
      }
    });
  }

  test('an error reply, a reply to nothing that was asked, and a reply given twice end the load', async () => {
    const wrong = {
      error: (id: number) => ({ id, error: { code: 'LOCKED', message: 'the profile is locked' } }),
      stranger: (id: number) => ({ id: id + 1000, ok: {} }),
      twice: () => ({ id: 0, ok: {} }),
    };
    for (const [name, reply] of Object.entries(wrong)) {
      const server = await answering(name, (id, nth) => (nth === 0 ? { id, ok: {} } : reply(id)));
      const load = await openLoad(server.socketPath);
      await assert.rejects(load.pipelined([request], 10, 2), /^Error: the load met/);
      load.close();
      server.close();
    }
  });

  test('a connection that the other end closes ends the load', async () => {
    const server = await answering('closing', (id, nth) => (nth < 5 ? { id, ok: {} } : undefined));
    const load = await openLoad(server.socketPath);
    await assert.rejects(load.oneAtATime([request], 10), /closed the connection/);
    server.close();
  });

  test('a quantile is the smallest figure that the given part does not exceed', () => {
    const figures = Float64Array.from({ length: 100 }, (_, index) => index + 1);
    assert.equal(quantile(figures, 0.5), 50);
    assert.equal(quantile(figures, 0.99), 99);
    assert.equal(quantile(Float64Array.of(7), 0.99), 7);
  });
});
