import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { createServer, createConnection, Socket } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import fc from 'fast-check';

import { isUsableIdentity, openPeerPidfd, peerCredentials, socketFd } from '../../native/peer-credentials.ts';
import {
  hasEnded,
  identifyPeer,
  parseEffectiveUid,
  parseStartTime,
  readPeerProcess,
} from '../../native/peer-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'hushd-peer-'));
const path = join(folder, 'socket');
const self = { pid: process.pid, uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };
let server: Server;

before(async () => {
  server = createServer({ pauseOnConnect: true }).listen(path);
  await once(server, 'listening');
});

after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** A real process that connects and, when told to by the end of its standard input, exits. */
async function connectFromChild(): Promise<{
  child: ChildProcess;
  socket: Socket;
  end: () => Promise<void>;
}> {
  const program = `require('node:net').connect(process.argv[1]); process.stdin.on('end', () => process.exit()).resume()`;
  const child = spawn(process.execPath, ['-e', program, path], { stdio: ['pipe', 'ignore', 'inherit'] });
  // What the event of node:net carries.
  const [socket] = (await once(server, 'connection')) as [Socket];
  const end = async (): Promise<void> => {
    const exit = once(child, 'exit');
    child.stdin.end();
    await exit;
    socket.destroy();
  };
  return { child, socket, end };
}

describe('the peer of a socket', () => {
  test('is told by the kernel: pid, uid, gid, executable and start time', async () => {
    const { child, socket, end } = await connectFromChild();
    const identity = identifyPeer(socketFd(socket));
    assert.ok(identity?.process);
    assert.deepEqual(
      { pid: identity.pid, uid: identity.uid, gid: identity.gid },
      { ...self, pid: child.pid },
    );
    assert.equal(identity.process.executable?.path, realpathSync(process.execPath));
    assert.equal(
      identity.process.startTime,
      parseStartTime(readFileSync(`/proc/${child.pid}/stat`, 'latin1')),
    );
    await end();
  });

  test('is the listening process, seen from the client', async () => {
    const connection = createConnection(path);
    await once(connection, 'connect');
    assert.deepEqual(peerCredentials(socketFd(connection)), self);
    connection.destroy();
  });

  test('A12: has no process once the one that connected has ended', async () => {
    const { child, socket } = await connectFromChild();
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    assert.equal(identifyPeer(socketFd(socket))?.process, undefined);
    socket.destroy();
  });

  test('A12: gains nothing from a pid that is reused', async (context) => {
    const { child, socket } = await connectFromChild();
    const pidfd = openPeerPidfd(socketFd(socket));
    if (pidfd.kind !== 'open') {
      context.skip('this kernel has no SO_PEERPIDFD');
      return;
    }
    assert.equal(hasEnded(pidfd.fd), false);
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    assert.equal(hasEnded(pidfd.fd), true);
    // This test's process stands for the one that got the pid next: alive, of the same uid.
    assert.ok(readPeerProcess(self));
    assert.equal(readPeerProcess(self, pidfd.fd), undefined);
    closeSync(pidfd.fd);
    socket.destroy();
  });

  test('has no process when that runs as another user than the one that connected', () => {
    assert.equal(readPeerProcess({ ...self, uid: self.uid + 1 }), undefined);
  });

  test('is nobody when the ids are of another namespace', () => {
    assert.equal(isUsableIdentity(self), true);
    for (const ids of [{ pid: 0 }, { uid: 65534 }]) {
      assert.equal(isUsableIdentity({ ...self, ...ids }), false);
      assert.equal(readPeerProcess({ ...self, ...ids }), undefined);
    }
  });

  test('cannot be asked of what is no socket, or of a closed connection', () => {
    const fd = openSync('/dev/null', 'r');
    assert.throws(() => peerCredentials(fd), { code: 'UNAVAILABLE', message: /ENOTSOCK/ });
    assert.throws(() => openPeerPidfd(fd), { code: 'UNAVAILABLE', message: /ENOTSOCK/ });
    closeSync(fd);
    assert.throws(() => socketFd(new Socket()), { code: 'UNAVAILABLE' });
  });

  test('leaves no descriptor behind when it is identified', async () => {
    const { socket, end } = await connectFromChild();
    const lowestFree = (): number => {
      const fd = openSync('/dev/null', 'r');
      closeSync(fd);
      return fd;
    };
    const before = lowestFree();
    identifyPeer(socketFd(socket));
    assert.equal(lowestFree(), before);
    await end();
  });
});

describe('the text of /proc', () => {
  test('gives the start time whatever the name of the process', () => {
    const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
    fc.assert(
      fc.property(fc.string(), fc.nat(), (name, startTime) => {
        const line = fields.with(22 - 3, String(startTime)).join(' ');
        assert.equal(parseStartTime(`17 (${name}) ${line}\n`), startTime);
      }),
    );
  });

  test('gives no start time and no uid when it is cut short or not of this kind', () => {
    for (const text of ['', '17 (name)', '17 (name) S 1 2', 'no brackets '.repeat(30)]) {
      assert.equal(parseStartTime(text), undefined);
      assert.equal(parseEffectiveUid(text), undefined);
    }
  });

  test('gives the effective uid', () => {
    assert.equal(parseEffectiveUid('Name:\tx\nUid:\t1000\t1001\t1002\t1003\n'), 1001);
    assert.equal(parseEffectiveUid(readFileSync('/proc/self/status', 'latin1')), self.uid);
    assert.equal(readlinkSync('/proc/self/exe'), readPeerProcess(self)?.executable?.path);
  });
});
