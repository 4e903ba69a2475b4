import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { HushError, type HushClient } from '../../client/index.ts';
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

async function stepsOf(home: TestHome, path: string, mode: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, argumentsFor(home, path, mode));
  const steps = Number(stdout);
  assert.ok(steps > 20, stdout);
  return steps;
}

/** Some of the steps, other ones each time, the last ones always: they are where things change their names. */
function chosenSteps(t: TestContext, steps: number, count: number): number[] {
  const random = randomOf(t);
  const last = Array.from({ length: 12 }, (_, at) => steps - at);
  const others = Array.from({ length: count }, () => 1 + random.below(steps));
  return [...new Set([...last, ...others])].filter((step) => step > 0).sort((a, b) => a - b);
}

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
  const steps = await stepsOf(makeHome(t), path, 'restore');
  const found = new Set<string>();
  for (const step of chosenSteps(t, steps, 8)) {
    const home = makeHome(t);
    await runKilled(home, path, 'restore', step);
    const isWhole = existsSync(home.profile().folder);
    if (isWhole)
      assert.deepEqual(readdirSync(home.profile().folder).sort(), ['header', 'keyset', 'vault.db']);
    else await promisify(execFile)(process.execPath, argumentsFor(home, path, 'restore'));
    assert.equal(await valueIn(t, home), 'older', `killed before step ${step} of ${steps}`);
    found.add(isWhole ? 'whole' : 'none');
  }
  assert.deepEqual([...found].sort(), ['none', 'whole']);
  t.diagnostic(`${steps} steps`);
});

test('B1: a restore over a profile, killed anywhere, leaves the state before or the one of the backup, whole', async (t) => {
  const { home: original, path } = await withBackup(t);
  const copyOf = (): TestHome => {
    const folder = join(folderFor(t), 'home');
    execFileSync('cp', ['-a', original.folder, folder]);
    return homeAt(folder);
  };
  const steps = await stepsOf(copyOf(), path, 'replace');
  const found = new Set<string>();
  for (const step of chosenSteps(t, steps, 10)) {
    const home = copyOf();
    const inode = statSync(home.profile().folder).ino;
    await runKilled(home, path, 'replace', step);
    const isReplaced = statSync(home.profile().folder).ino !== inode;
    const where = `killed before step ${step} of ${steps}`;
    if (isReplaced) {
      const kept = readdirSync(home.paths.profiles).find((name) => name.startsWith('.replaced-'));
      assert.ok(kept !== undefined, where);
      assert.equal(statSync(join(home.paths.profiles, kept)).ino, inode, where);
    }
    assert.equal(await valueIn(t, home), isReplaced ? 'older' : 'newer', where);
    found.add(isReplaced ? 'replaced' : 'as before');
    rmSync(home.folder, { recursive: true });
  }
  assert.deepEqual([...found].sort(), ['as before', 'replaced']);
  t.diagnostic(`${steps} steps`);
});
