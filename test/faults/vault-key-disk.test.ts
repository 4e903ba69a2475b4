import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HushError, type HushClient } from '../../client/index.ts';
import { homeAt, keyCredential, startDaemon } from '../support/daemon.ts';
import { seededRandom } from './random.ts';
import { makeDisk, whyNoDisk } from './small-disk.ts';

const patient = { deadlineMs: 60_000 };
const key = seededRandom(5).bytes(32);
const rotate = (client: HushClient) => client.call('keys.rotateVault', {}, patient);

describe('B2: the disk has no room for a second vault', { skip: whyNoDisk('tmpfs') ?? false }, () => {
  test('the rotation of the vault key is refused by name, however far it comes, and nothing is changed', async (t) => {
    const disk = makeDisk(t, 'tmpfs', 16);
    const home = homeAt(join(disk.folder, 'home'));
    await home.init('default', [keyCredential(key)]);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect(patient);
    await client.unlock([keyCredential(key)]);
    const value = (name: number): Uint8Array<ArrayBuffer> => new Uint8Array(3000).fill(name);
    for (let name = 0; name < 150; name += 1) await client.set(`global/n${name}`, value(name));
    const check = async (): Promise<void> => {
      for (let name = 0; name < 150; name += 1) {
        const found = await client.get(`global/n${name}`);
        assert.deepEqual(Buffer.from(found.value), Buffer.from(value(name)));
      }
    };
    const { folder } = home.profile();
    const inUse = (): string[] =>
      readdirSync(folder)
        .filter((name) => !name.endsWith('-wal'))
        .sort();

    // Room for a part of it, each time a little more.
    const ballast = join(disk.folder, 'ballast');
    let refused = 0;
    for (const kibibytes of [64, 150, 300, 500]) {
      const { bavail, bsize } = statfsSync(disk.folder);
      writeFileSync(ballast, randomBytes(bavail * bsize - kibibytes * 1024));
      await assert.rejects(rotate(client), (error) => {
        assert.ok(error instanceof HushError);
        assert.equal(error.code, 'UNAVAILABLE', error.message);
        assert.match(error.message, /full|no space/i);
        refused += 1;
        return true;
      });
      assert.deepEqual(inUse(), ['header', 'keyset', 'vault.db']);
      await check();
      rmSync(ballast);
    }
    assert.equal(refused, 4);
    assert.equal((await rotate(client)).generation, 2);
    await check();
    await client.lock();
    await client.unlock([keyCredential(key)]);
    await check();
    assert.deepEqual(inUse(), ['header', 'keyset-2', 'vault-2.db']);
    assert.equal(await daemon.stop(), 0);
  });
});
