import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { exitOf, keyCredential, makeHome, startDaemon } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';
import { tryStart } from './starts.ts';

const key = new Uint8Array(new ArrayBuffer(32)).fill(4);
const credentials = [keyCredential(key)];

describe('B4: several daemons', () => {
  test('B4: started on one home at the same moment: one serves, the others exit with a clear line', async (t) => {
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    for (let round = 0; round < 3; round++) {
      const endings = await Promise.all([1, 2, 3].map(() => tryStart(t, home)));
      const serving = endings.filter((ending) => ending.serves);
      assert.equal(serving.length, 1, `round ${round}`);
      for (const ending of endings) {
        if (ending.serves) continue;
        assert.equal(ending.code, 10, ending.said);
        assert.match(
          ending.said,
          /^hushd: error: another hushd serves this home( \(pid \d+\))?\nhushd: hint: .+\n$/,
        );
      }
      const [winner] = serving;
      assert.ok(winner?.serves);
      assert.equal(readFileSync(home.paths.lock, 'latin1'), `${winner.child.pid}\n`);
      // Half of the rounds end in a crash, which leaves its lock file and its socket behind.
      winner.child.kill(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      await exitOf(winner.child);
    }
  });

  test('B4: one that comes later is told who serves, and disturbs nothing', async (t) => {
    const home = makeHome(t);
    await home.init('default', [keyCredential(key)]);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock(credentials);
    await client.set('global/a', utf8('value'));
    const second = await tryStart(t, home);
    assert.ok(!second.serves);
    assert.equal(second.code, 10);
    assert.match(
      second.said,
      new RegExp(`^hushd: error: another hushd serves this home \\(pid ${daemon.pid}\\)\n`),
    );
    assert.equal(textOf((await client.get('global/a')).value), 'value', 'on the connection of before');
    assert.equal((await (await daemon.connect()).status()).pid, daemon.pid, 'and on a new one');

    await daemon.kill();
    const next = await startDaemon(t, home);
    const again = await next.connect();
    await again.unlock(credentials);
    assert.equal(
      textOf((await again.get('global/a')).value),
      'value',
      'after kill -9 there is nothing to clear by hand',
    );
  });
});
