import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HushError, type HushClient } from '../../client/index.ts';
import { assertOpens, fixtureHome, type FixtureHome } from '../fixtures/homes.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { randomOf, type Random } from './random.ts';

const kills = Number(process.env['FAULT_KILLS'] ?? 5);
const patient = { deadlineMs: 60_000 };
const backupName = /^format-1-[\dTZ-]+$/;

/** Asks for the unlock that migrates, and kills the daemon while it goes on; whether it had ended before. */
async function killInMigration(
  daemon: TestDaemon,
  client: HushClient,
  { home, key }: FixtureHome,
  random: Random,
): Promise<boolean> {
  let ended = false;
  const unlock = client.unlock([key]).then(
    () => {
      ended = true;
    },
    (error: unknown) => {
      assert.ok(error instanceof HushError);
      assert.equal(error.code, 'UNREACHABLE');
    },
  );
  // Some kills come before the backup, some after its folder is there, some after it has its name.
  const backups = join(home.profile().folder, 'backups');
  const entries = (): string[] => (existsSync(backups) ? readdirSync(backups) : []);
  const moment = random.pick([
    () => true,
    () => entries().length > 0,
    () => entries().some((name) => backupName.test(name)),
    () => lstatSync(`${home.profile().vault}-wal`, { throwIfNoEntry: false }) !== undefined,
  ]);
  const hasEnded = (): boolean => ended;
  while (!moment() && !hasEnded()) await nextTurn();
  const until = performance.now() + random.below(1000) / (random.oneIn(2) ? 20 : 200);
  while (performance.now() < until) await nextTurn();
  const wasOver = hasEnded();
  await daemon.kill();
  await unlock;
  return wasOver;
}

test(`B1: killed ${kills} times within a migration, the vault is of the old or the new format, whole, with one backup`, async (t) => {
  const random = randomOf(t);
  let over = 0;
  let resumed = 0;
  for (let round = 0; round < kills; round += 1) {
    await roundOf(t, random, `round ${round}`);
  }
  t.diagnostic(`${kills - over} kills before the unlock had ended, ${resumed} of them with the backup made`);

  async function roundOf(t: TestContext, random: Random, where: string): Promise<void> {
    const fixture = fixtureHome(t, random.pick(['format-1', 'format-1-killed']));
    const { home, key, expected } = fixture;
    const backups = join(home.profile().folder, 'backups');
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect(patient);
    if (await killInMigration(daemon, client, fixture, random)) over += 1;
    client.close();
    const made = existsSync(backups) ? readdirSync(backups).filter((name) => backupName.test(name)) : [];
    assert.ok(made.length <= 1, where);
    resumed += made.length;

    const next = await startDaemon(t, home);
    const again = await next.connect(patient);
    await again.unlock([key]);
    await assertOpens(again, expected);
    assert.equal(await next.stop(), 0, where);
    const [name = '', ...more] = readdirSync(backups);
    assert.deepEqual(more, [], where);
    assert.match(name, backupName, where);
    if (made.length === 1) assert.equal(name, made[0], where);
  }
});
