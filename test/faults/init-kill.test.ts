import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, renameSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { checkDirectory } from '../../daemon/home/safety.ts';
import { newFolderIn } from '../../daemon/profiles/unfinished.ts';
import { isProfileName } from '../../protocol/names.ts';
import { exitOf, keyCredential, makeHome, startDaemon, type TestHome } from '../support/daemon.ts';
import { randomOf, seededRandom } from './random.ts';

const key = seededRandom(5).bytes(32);
const program = join(import.meta.dirname, 'init-program.ts');
const argumentsFor = (home: TestHome): string[] => [program, home.folder, Buffer.from(key).toString('hex')];

/** After an `init` that was cut off, the profile is whole or absent; then `init` works, or says that it is there. */
async function initAgain(home: TestHome, where: string): Promise<'whole' | 'absent'> {
  const { folder } = home.profile();
  const isWhole = existsSync(folder);
  const init = home.init('default', [keyCredential(key)]);
  if (isWhole) await assert.rejects(init, { code: 'EXISTS' }, where);
  else await init;
  assert.deepEqual(readdirSync(folder).sort(), ['header', 'keyset', 'vault.db'], where);
  return isWhole ? 'whole' : 'absent';
}

/** A daemon knows of this one profile, whatever lies beside it, opens it with its key, and serves it. */
async function assertServed(t: TestContext, home: TestHome, where: string): Promise<void> {
  const daemon = await startDaemon(t, home, { env: { HUSH_MASTER_KEY: Buffer.from(key).toString('hex') } });
  assert.deepEqual(daemon.listening['unlock'], { profile: 'default', outcome: 'unlocked' }, where);
  const client = await daemon.connect();
  const { profiles } = await client.status();
  assert.deepEqual(
    profiles.map(({ name, state }) => [name, state]),
    [['default', 'unlocked']],
    where,
  );
  await client.set('global/x', new Uint8Array(8));
  client.close();
  await daemon.kill();
}

/** What is in the folder of the profiles besides profiles. */
const leftoversIn = ({ paths: { profiles } }: TestHome): readonly string[] =>
  (existsSync(profiles) ? readdirSync(profiles) : []).filter((name) => !isProfileName(name));

/** Whether a folder that was left has got so far that it can be opened. */
const holdsKeys = (home: TestHome, name: string): boolean =>
  existsSync(join(home.paths.profiles, name, 'header'));

test('B1: an init killed before any of its calls that change the disk leaves a whole profile or none', async (t) => {
  const counting = await promisify(execFile)(process.execPath, argumentsFor(makeHome(t)));
  const steps = Number(counting.stdout);
  assert.ok(steps > 10, counting.stdout);
  const found = new Set<string>();
  let mostLeft = 0;
  for (let step = 1; step <= steps; step += 1) {
    const where = `killed before step ${step} of ${steps}`;
    const home = makeHome(t);
    const child = spawn(process.execPath, [...argumentsFor(home), String(step)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await exitOf(child);
    assert.equal(child.signalCode, 'SIGKILL');
    mostLeft = Math.max(mostLeft, leftoversIn(home).length);
    const state = await initAgain(home, where);
    found.add(state);
    if (state === 'whole') await assertServed(t, home, where);
    for (const name of leftoversIn(home)) assert.ok(holdsKeys(home, name), where);
  }
  assert.deepEqual([...found].sort(), ['absent', 'whole']);
  assert.equal(mostLeft, 1, 'some were killed with a folder begun');
  t.diagnostic(`${steps} steps`);
});

test('B1: an init killed at a random moment of writing its files leaves a whole profile or none', async (t) => {
  const random = randomOf(t);
  for (let round = 0; round < 5; round += 1) {
    const home = makeHome(t);
    const events = random.below(14);
    const where = `killed after ${events} changes of its folder`;
    for (const folder of home.paths.ownFolders) checkDirectory(folder);
    await initKilledAfter(events, home);
    await initAgain(home, where);
    await assertServed(t, home, where);
  }
});

test('B1: what a killed init left is cleared away by the next one, and what an init works on never is', async (t) => {
  const home = makeHome(t);
  for (const folder of home.paths.ownFolders) checkDirectory(folder);
  await initKilledAfter(2, home);
  assert.equal(leftoversIn(home).length, 1);
  const underWay = newFolderIn(home.paths.profiles);
  await home.init('second', [keyCredential(key)]);
  assert.deepEqual(
    leftoversIn(home).map((name) => join(home.paths.profiles, name)),
    [underWay.path],
  );
  underWay.end();
  assert.deepEqual(leftoversIn(home), []);
});

test('B1: keys that are in no profile go with the start of a daemon only, and its log says so', async (t) => {
  const home = makeHome(t);
  await home.init('default', [keyCredential(key)]);
  const left = join(home.paths.profiles, '.new-0123456789abcdef');
  renameSync(home.profile().folder, left);
  await home.init('second', [keyCredential(key)]);
  assert.ok(existsSync(left));
  const daemon = await startDaemon(t, home);
  await daemon.logged('"event":"unfinished.removed"');
  assert.match(daemon.stderr(), /\.new-0123456789abcdef","keys":"in no profile of this home"/);
  assert.ok(!existsSync(left));
  await daemon.stop();
});

/** Runs an `init` that is killed once so many changes were seen in the folder that it makes for the new profile. */
async function initKilledAfter(events: number, home: TestHome): Promise<void> {
  const { profiles } = home.paths;
  let left = events;
  let ofProfile: FSWatcher | undefined;
  const count = (): void => {
    left -= 1;
    if (left < 0) child.kill('SIGKILL');
  };
  const ofProfiles = watch(profiles, (_, name) => {
    const folder = join(profiles, name ?? '');
    if (name?.startsWith('.new-') === true && existsSync(folder)) ofProfile ??= watch(folder, count);
    count();
  });
  const child = spawn(process.execPath, argumentsFor(home), { stdio: 'ignore' });
  await exitOf(child);
  ofProfiles.close();
  ofProfile?.close();
}
