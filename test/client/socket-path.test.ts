import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkListener, trustedListenersOf } from '../../client/listener.ts';
import { socketPathOf } from '../../client/socket-path.ts';
import { pathsOf } from '../../daemon/home/paths.ts';

describe('the path of the socket', () => {
  test('is the one that the daemon makes in the same environment', () => {
    const folder = fc.constantFrom(undefined, '', '/a/b', 'relative/x', './', '/');
    const environment = fc.record({
      HUSH_SOCKET: fc.constantFrom(undefined, '', '/run/other.sock', 'near.sock'),
      HUSH_HOME: folder,
      HOME: fc.constantFrom('/home/me', '/'),
      XDG_RUNTIME_DIR: folder,
      XDG_DATA_HOME: folder,
    });
    fc.assert(
      fc.property(environment, (env) => {
        assert.equal(socketPathOf(env, '/cwd'), pathsOf(env, '/cwd').socket);
      }),
    );
  });
});

describe('a listening end', () => {
  const own = process.geteuid?.() ?? -1;
  const passes = (peer: { pid: number; uid: number }, named?: number): boolean => {
    try {
      checkListener({ gid: 0, ...peer }, trustedListenersOf({}, named));
      return true;
    } catch (error) {
      assert.equal((error as { code: string }).code, 'UNTRUSTED_LISTENER');
      return false;
    }
  };

  test('is trusted if it is of the own user, of root, or of the user named', () => {
    assert(passes({ pid: 5, uid: own }));
    assert(passes({ pid: 5, uid: 0 }));
    assert(!passes({ pid: 5, uid: own + 1 }));
    assert(passes({ pid: 5, uid: own + 1 }, own + 1));
    assert.deepEqual(trustedListenersOf({ HUSH_DAEMON_UID: '998' }), { own, named: 998 });
    assert.throws(() => trustedListenersOf({ HUSH_DAEMON_UID: '-1' }), { code: 'BAD_REQUEST' });
  });

  test('that another namespace left without a name is trusted only when it was named', () => {
    assert(!passes({ pid: 0, uid: own }));
    assert(!passes({ pid: 5, uid: 65_534 }));
    assert(passes({ pid: 5, uid: 65_534 }, 65_534));
  });
});
