import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { randomOf, seededRandom } from './random.ts';
import { exitOf, homeAt, keyCredential, makeHome, startDaemon, type TestHome } from '../support/daemon.ts';
import { folderFor, take, textAt, valueOf } from '../backup/files.ts';

const key = seededRandom(11).bytes(32);
const program = join(import.meta.dirname, 'backup-program.ts');
const credentials = () => [keyCredential(new Uint8Array(key))];

async function served(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect({ deadlineMs: 30_000 });
  try {
    try {
      await client.unlock(credentials());
    } catch (error) {
      assert.ok(error instanceof HushError && error.code === 'ROLLBACK', String(error));
      const acceptRollback = /--accept-rollback (\S+)/.exec(error.hint)?.[1] ?? '';
      await client.unlock(credentials(), { acceptRollback });
    }
    await use(client);
  } finally {
    client.close();
    await daemon.stop();
  }
}

/** A home whose profile says `newer`, and a backup of it that says `older`. */
async function withBackup(t: TestContext): Promise<{ readonly home: TestHome; readonly path: string }> {
  const home = makeHome(t);
  await home.init('default', credentials());
  const path = join(folderFor(t), 'backup');
  await served(t, home, async (client) => {
    await client.set('global/a', valueOf('older'));
    await take(client, path);
    await client.set('global/a', valueOf('newer'));
    await client.call('keys.rotate', {});
  });
  return { home, path };
}

const argumentsFor = (home: TestHome, path: string, mode: string): string[] => [
  program,
  home.folder,
  path,
  mode,
  Buffer.from(key).toString('hex'),
];

/** Runs the program on the home, to its end or to the step before which it kills itself. */
async function runKilled(home: TestHome, path: string, mode: string, step: number): Promise<void> {
  const child = spawn(process.execPath, [...argumentsFor(home, path, mode), String(step)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await exitOf(child);
  assert.equal(child.signalCode, 'SIGKILL', `step ${step}`);
}

/** How many steps there are, and how many of them come before two folders exchange their names. */
async function stepsOf(
  home: TestHome,
  path: string,
  mode: string,
): Promise<{ readonly steps: number; readonly before: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, argumentsFor(home, path, mode));
  const [steps = 0, before = 0] = stdout.split(' ').map(Number);
  assert.ok(steps > 20, stdout);
  return { steps, before };
}

/** Some of the steps, other ones each time, and those of `always`: they are where things change their names. */
function chosenSteps(
  t: TestContext,
  steps: number,
  count: number,
  always: { readonly from: number; readonly length: number },
): number[] {
  const random = randomOf(t);
  const fixed = Array.from({ length: always.length }, (_, at) => always.from + at);
  const others = Array.from({ length: count }, () => 1 + random.below(steps));
  return [...new Set([...fixed, ...others])]
    .filter((step) => step > 0 && step <= steps)
    .sort((a, b) => a - b);
}

const isOnRecord = (home: TestHome): boolean =>
  readFileSync(join(home.profile().audit, chainFileName), 'utf8').includes('"event":"backup.restor');

const valueIn = async (t: TestContext, home: TestHome): Promise<string> => {
  let value = '';
  await served(t, home, async (client) => {
    value = await textAt(client, 'global/a');
    await client.set('global/b', valueOf('after'));
  });
  return value;
};

test('B1: a restore killed before any of its calls that change the disk leaves a whole profile or none', async (t) => {
  const { path } = await withBackup(t);
  const { steps } = await stepsOf(makeHome(t), path, 'restore');
  const found = new Set<string>();
  for (const step of chosenSteps(t, steps, 5, { from: steps - 8, length: 9 })) {
    const home = makeHome(t);
    await runKilled(home, path, 'restore', step);
    const isWhole = existsSync(home.profile().folder);
    if (isWhole) {
      assert.deepEqual(readdirSync(home.profile().folder).sort(), ['header', 'keyset', 'vault.db']);
      assert.ok(isOnRecord(home));
    } else await promisify(execFile)(process.execPath, argumentsFor(home, path, 'restore'));
    assert.equal(await valueIn(t, home), 'older', `killed before step ${step} of ${steps}`);
    found.add(isWhole ? 'whole' : 'none');
  }
  assert.deepEqual([...found].sort(), ['none', 'whole']);
  t.diagnostic(`${steps} steps`);
});

const copyOf = (t: TestContext, original: TestHome): TestHome => {
  const folder = join(folderFor(t), 'home');
  execFileSync('cp', ['-a', original.folder, folder]);
  return homeAt(folder);
};

/** Kills a restore over the profile before each of these steps; what is found must be one of the two states, whole. */
async function killReplacing(
  t: TestContext,
  original: TestHome,
  path: string,
  mode: string,
  steps: readonly number[],
): Promise<Set<string>> {
  const found = new Set<string>();
  for (const step of steps) {
    const home = copyOf(t, original);
    const inode = statSync(home.profile().folder).ino;
    const where = `${mode} killed before step ${step}`;
    await runKilled(home, path, mode, step);
    const value = await valueIn(t, home);
    const isReplaced = statSync(home.profile().folder).ino !== inode;
    if (isReplaced) {
      const kept = readdirSync(home.paths.profiles).find((name) => name.startsWith('.replaced-'));
      assert.ok(kept !== undefined, where);
      assert.equal(statSync(join(home.paths.profiles, kept)).ino, inode, where);
      assert.ok(isOnRecord(home), where);
    }
    const left = readdirSync(home.paths.profiles).filter((name) => /^\.(new|replacing)-/.test(name));
    assert.deepEqual(left, [], where);
    assert.equal(value, isReplaced ? 'older' : 'newer', where);
    found.add(isReplaced ? 'replaced' : 'as before');
    rmSync(home.folder, { recursive: true });
  }
  return found;
}

test('B1: a restore over a profile, killed anywhere, leaves the state before or the one of the backup, whole and on record', async (t) => {
  const { home, path } = await withBackup(t);
  const { steps, before } = await stepsOf(copyOf(t, home), path, 'replace');
  const chosen = chosenSteps(t, steps, 4, { from: before - 1, length: 7 });
  const found = await killReplacing(t, home, path, 'replace', chosen);
  assert.deepEqual([...found].sort(), ['as before', 'replaced']);

  const inSteps = await stepsOf(copyOf(t, home), path, 'replace-in-steps');
  // The way back to the first name, the profile away, the folder of names synced (3), the new one in, 3 more, the last name.
  const renames = [2, 3, 6, 7, 10, 11].map((at) => inSteps.before + at);
  const foundInSteps = await killReplacing(t, home, path, 'replace-in-steps', renames);
  assert.deepEqual([...foundInSteps].sort(), ['as before', 'replaced']);
  t.diagnostic(`${steps} steps, and ${inSteps.steps}`);
});
