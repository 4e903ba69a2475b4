import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';

interface NodeCheck {
  complaintAbout: (version: string, pinned: string) => string | null;
  pinnedVersion: () => string;
}

const checkFile = fileURLToPath(new URL('../../tools/checkout/check-node.cjs', import.meta.url));
// The exports of that file are these two functions; it is plain JavaScript because an older Node must be able to run it.
const { complaintAbout, pinnedVersion } = createRequire(import.meta.url)(checkFile) as NodeCheck;

describe('the Node that the checkout is run with', () => {
  test('the tests run on the pinned Node', () => {
    assert.equal(process.version, `v${pinnedVersion()}`);
    assert.equal(spawnSync(process.execPath, [checkFile]).status, 0);
  });

  test('a Node older than 22.15 is refused in one line that names both versions', () => {
    for (const version of ['v18.20.8', 'v20.20.2', 'v22.14.0']) {
      const complaint = complaintAbout(version, '24.21.0') ?? '';
      assert.match(complaint, /^hushd needs Node 22\.15 or newer and this is v[\d.]+: run "npm ci"/);
      assert.ok(complaint.includes(version) && !complaint.includes('\n'));
    }
  });

  test('a Node that could run hushd but is not the pinned one is refused for the tests', () => {
    for (const version of ['v22.15.0', 'v24.20.0', 'v26.10.0']) {
      assert.match(
        complaintAbout(version, '24.21.0') ?? '',
        /^the tests of hushd need Node 24\.21\.0 and this is/,
      );
    }
    assert.equal(complaintAbout('v24.21.0', '24.21.0'), null);
  });

  test('another Node of this machine is told so and stopped', (t) => {
    const other = ['/usr/local/bin/node', '/usr/bin/node'].find((file) => existsSync(file));
    if (other === undefined) {
      t.skip('this machine has no Node besides the pinned one');
      return;
    }
    const version = spawnSync(other, ['--version'], { encoding: 'utf8' }).stdout.trim();
    const { status, stderr } = spawnSync(other, [checkFile], { encoding: 'utf8' });
    const complaint = complaintAbout(version, pinnedVersion());
    assert.equal(stderr, complaint === null ? '' : `${complaint}\n`);
    assert.equal(status, complaint === null ? 0 : 1);
  });
});
