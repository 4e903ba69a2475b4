import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HushError } from '../../client/index.ts';
import { assertOpens, fixtureHome } from '../fixtures/homes.ts';
import { homeAt, startDaemon } from '../support/daemon.ts';
import { makeDisk, whyNoDisk } from './small-disk.ts';

const patient = { deadlineMs: 60_000 };

describe('B2: the disk is full when a vault is to be migrated', { skip: whyNoDisk('tmpfs') ?? false }, () => {
  for (const name of ['format-1', 'format-1-killed']) {
    test(`${name}: it stays in its format, and is migrated when there is space`, async (t) => {
      const disk = makeDisk(t, 'tmpfs', 2);
      const home = homeAt(join(disk.folder, 'home'));
      const fixture = fixtureHome(t, name, home);
      const daemon = await startDaemon(t, home);
      const client = await daemon.connect(patient);
      disk.fill();
      await assert.rejects(client.unlock([fixture.key]), (error) => {
        assert.ok(error instanceof HushError);
        assert.equal(error.code, 'UNAVAILABLE', error.message);
        return true;
      });
      const backups = join(home.profile().folder, 'backups');
      if (existsSync(backups)) assert.deepEqual(readdirSync(backups), []);
      disk.free();
      await client.unlock([fixture.key]);
      await assertOpens(client, fixture.expected);
      assert.equal(readdirSync(backups).length, 1);
      assert.equal(await daemon.stop(), 0);
    });
  }
});
