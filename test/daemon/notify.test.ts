import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';

import { notifyServiceManager } from '../../daemon/notify.ts';

const folder = mkdtempSync(join(tmpdir(), 'hushd-notify-'));
const managers: ChildProcess[] = [];
after(() => {
  for (const manager of managers) manager.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A service manager of one datagram: python3, because node:dgram has no Unix-domain sockets. */
async function serviceManager(address: string): Promise<{ received: () => Promise<readonly string[]> }> {
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('ready', flush=True)
sys.stdout.write(s.recv(4096).decode())`;
  const child = spawn('python3', ['-c', program, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  managers.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.deepEqual(await lines.next(), { value: 'ready', done: false });
  const received = async (): Promise<readonly string[]> => {
    const rest: string[] = [];
    for await (const line of lines) rest.push(line);
    return rest;
  };
  return { received };
}

describe('the service manager', () => {
  for (const address of [join(folder, 'notify'), `@hushd-notify-${process.pid}`]) {
    test(`is told at ${address.startsWith('@') ? 'an abstract address' : 'a path'}`, async () => {
      const { received } = await serviceManager(address);
      assert.equal(notifyServiceManager({ NOTIFY_SOCKET: address }, 'ready', 'locked\nA=1'), true);
      assert.deepEqual(await received(), ['READY=1', 'STATUS=locked A=1']);
    });
  }

  test('learns when a reload began', async () => {
    const address = `@hushd-notify-reload-${process.pid}`;
    const { received } = await serviceManager(address);
    notifyServiceManager({ NOTIFY_SOCKET: address }, 'reloading');
    assert.match((await received()).join('\n'), /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  });

  test('is left alone when it did not ask', () => {
    assert.equal(notifyServiceManager({}, 'ready'), false);
    assert.equal(notifyServiceManager({ NOTIFY_SOCKET: '' }, 'ready'), false);
  });

  test('an address that is none, or where nobody listens, is an error', () => {
    for (const address of ['relative', '@', '/', `/${'x'.repeat(107)}`, `@${'x'.repeat(108)}`]) {
      assert.throws(() => notifyServiceManager({ NOTIFY_SOCKET: address }, 'ready'), { code: 'BAD_REQUEST' });
    }
    const nobody = join(folder, 'nobody');
    assert.throws(() => notifyServiceManager({ NOTIFY_SOCKET: nobody }, 'ready'), {
      code: 'UNAVAILABLE',
      message: /ENOENT/,
    });
  });
});
