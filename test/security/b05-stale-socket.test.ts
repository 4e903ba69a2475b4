import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { makeHome, startDaemon, type TestHome } from '../support/daemon.ts';
import { refusedStart } from './starts.ts';

/** A home in which a daemon has run and was killed. */
async function crashedHome(t: TestContext): Promise<TestHome> {
  const home = makeHome(t);
  await home.init();
  const daemon = await startDaemon(t, home);
  await daemon.kill();
  assert.ok(lstatSync(home.paths.socket).isSocket(), 'the crash has left its socket');
  return home;
}

describe('B5: what stands at the path of the socket', () => {
  test('B5: a socket that a crash left behind is taken over', async (t) => {
    const home = await crashedHome(t);
    const daemon = await startDaemon(t, home);
    assert.equal((await (await daemon.connect()).status()).pid, daemon.pid);
    assert.equal(statSync(home.paths.socket).mode & 0o777, 0o600);
    assert.equal(await daemon.stop(), 0);
    assert.ok(!existsSync(home.paths.socket), 'a daemon that stops takes its socket with it');
  });

  test('B5: a socket with a listener that is not ours is left to it, and told', async (t) => {
    const home = await crashedHome(t);
    unlinkSync(home.paths.socket);
    let visitors = 0;
    const other = createServer((socket) => {
      visitors++;
      socket.on('error', () => undefined).end();
    });
    other.listen(home.paths.socket);
    await once(other, 'listening');
    t.after(() => other.close());
    const { ino } = lstatSync(home.paths.socket);
    const { said } = await refusedStart(t, home, 10);
    assert.match(said, /^hushd: error: another process listens on .*hushd\.sock\nhushd: hint: .+\n$/m);
    assert.equal(lstatSync(home.paths.socket).ino, ino);
    assert.equal(visitors, 1, 'it was asked');
    const visitor = connect(home.paths.socket);
    await once(visitor, 'connect');
    visitor.destroy();
  });

  test('B5: what is no socket is left as it is, and told', async (t) => {
    const home = await crashedHome(t);
    const { socket } = home.paths;
    unlinkSync(socket);
    writeFileSync(socket, 'precious', { mode: 0o600 });
    assert.match(
      (await refusedStart(t, home, 10)).said,
      /^hushd: error: something that is no socket is at .*hushd\.sock$/m,
    );
    assert.equal(readFileSync(socket, 'utf8'), 'precious');
    unlinkSync(socket);
    writeFileSync(`${socket}.elsewhere`, 'precious', { mode: 0o600 });
    symlinkSync(`${socket}.elsewhere`, socket);
    assert.match(
      (await refusedStart(t, home, 10)).said,
      /^hushd: error: something that is no socket is at .*hushd\.sock$/m,
    );
    assert.equal(readFileSync(`${socket}.elsewhere`, 'utf8'), 'precious');
    unlinkSync(socket);
    const daemon = await startDaemon(t, home);
    assert.equal(await daemon.stop(), 0);
  });
});
