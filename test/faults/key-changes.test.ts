import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HushError, type Credential, type HushClient } from '../../client/index.ts';
import {
  keyCredential,
  makeHome,
  passphraseCredential,
  startDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { createModel, sameState, type Model } from './model.ts';
import { randomOf, type Random } from './random.ts';

const kills = Number(process.env['FAULT_KILLS'] ?? 8);
/** More than are sealed anew in one commit, so that a rotation has an inside. */
const resting = 2_500;
const looked = 100;
/** No call waits so long, however busy the machine is. */
const patient = { deadlineMs: 60_000 };
const place = { keyring: 'default', namespace: 'faults', key: 'key-changes' };
const names = Array.from({ length: 20 }, (_, index) => `global/busy${index}`);

interface World {
  readonly random: Random;
  readonly home: TestHome;
  readonly key: Credential;
  /** Secrets that are written to while the daemon is killed. */
  readonly model: Model;
  /** How many secrets lie still; each holds its own name. */
  readonly still: number;
  readonly handles: {
    readonly handle: Awaited<ReturnType<typeof encrypt>>;
    readonly plaintext: Uint8Array;
  }[];
}

const encrypt = async (client: HushClient, plaintext: Uint8Array<ArrayBuffer>) =>
  (await client.call('crypto.encrypt', { ...place, plaintext })).handle;

const stillName = (index: number): string => `global/still${index}`;

test(`B1: killed ${kills} times while stored values are sealed anew, the daemon goes on where it was`, async (t) => {
  const world = await makeWorld(t, resting);
  let left = 0;
  await killAgainAndAgain(t, world, async (client) => {
    // What the kill before has left is going on already, and only then refuses another rotation.
    await client.call('keys.rotate', {}, patient).catch(allow('CONFLICT'));
    while ((left = await leftToSeal(client)) > 0) await nextTurn();
  });
  const { client, end } = await open(t, world, world.key);
  while ((await leftToSeal(client)) > 0) await nextTurn();
  const { keys, active } = await client.call('keys.status', {});
  for (const { version, values, state } of keys) {
    // Earlier versions and deleted ones are sealed anew too.
    if (version === active)
      assert.ok(values >= resting + present(world), `${values} under version ${version}`);
    else assert.equal(values, 0, `version ${version}`);
    assert.equal(state, version === active ? 'active' : 'retired');
  }
  await checkAll(world, client, 'the end', resting);
  await end();
  t.diagnostic(`${String(active)} versions; ${left} values were left at the last kill`);
});

test(`B1: killed ${kills} times while a passphrase changes, the old or the new one opens the profile`, async (t) => {
  const world = await makeWorld(t, 0);
  let present = passphraseCredential();
  let offered = present;
  const outcomes = { old: 0, new: 0 };
  await killAgainAndAgain(
    t,
    world,
    async (client) => {
      const slot = (await client.call('slot.list', {})).slots.find(({ kind }) => kind === 'passphrase');
      offered = passphraseCredential(`pass ${world.random.below(2 ** 31)}`);
      await client.call(
        'slot.change',
        { credentials: [world.key], replacement: offered, slot: slot?.id },
        patient,
      );
    },
    async (client) => {
      await client.lock();
      const isNew = await opens(client, offered);
      if (!isNew)
        assert.ok(await opens(client, present), 'neither the old nor the new passphrase opens the profile');
      outcomes[isNew ? 'new' : 'old'] += 1;
      if (isNew) present = offered;
    },
  );
  t.diagnostic(`${outcomes.old} times the old passphrase, ${outcomes.new} times the new one`);
});

async function leftToSeal(client: HushClient): Promise<number> {
  const { state, left, error } = await client.call('keys.resealing', {});
  assert.notEqual(state, 'stalled', error?.message);
  return left;
}

async function makeWorld(t: TestContext, still: number): Promise<World> {
  const random = randomOf(t);
  const home = makeHome(t);
  const key = keyCredential(random.bytes(32));
  await home.init('default', [passphraseCredential(), key]);
  const world: World = { random, home, key, model: createModel(), still, handles: [] };
  const { client, end } = await open(t, world, key);
  for (let from = 0; from < still; from += 500) {
    const part = Array.from({ length: Math.min(500, still - from) }, (_, index) => {
      const path = stillName(from + index);
      return { op: 'secret.set' as const, params: { path, value: new TextEncoder().encode(path) } };
    });
    for (const outcome of await client.batch(part)) assert.equal(outcome.error, undefined);
  }
  await end();
  return world;
}

async function open(t: TestContext, { home }: World, credential: Credential) {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await client.unlock([credential]);
  const end = async (): Promise<void> => {
    client.close();
    assert.equal(await daemon.stop(), 0);
  };
  return { daemon, client, end };
}

/** Kills the daemon at random moments of a change; `settle` finds out at the next start what became of it. */
async function killAgainAndAgain(
  t: TestContext,
  world: World,
  change: (client: HushClient) => Promise<void>,
  settle: (client: HushClient) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { random, home } = world;
  for (let round = 0; round < kills; round += 1) {
    const where = `round ${round}`;
    const { daemon, client } = await open(t, world, world.key);
    if (round > 0) await settle(client);
    await checkAll(world, client, where, looked);
    const progress = { isOver: false };
    const changing = change(client)
      .catch(allow('UNREACHABLE'))
      .finally(() => (progress.isOver = true));
    const writers = [write(world, client), write(world, client)];
    const { ino } = lstatSync(home.profile().header);
    const moment = random.pick([() => true, () => true, () => lstatSync(home.profile().header).ino !== ino]);
    while (!progress.isOver && !moment()) await nextTurn();
    const until = performance.now() + random.below(1000) / random.pick([3, 10, 50]);
    while (!progress.isOver && performance.now() < until) await nextTurn();
    await daemon.kill();
    await Promise.all([changing, ...writers]);
    client.close();
  }
}

/** Writes until the daemon is gone. */
async function write(world: World, client: HushClient): Promise<void> {
  const { random, model, handles } = world;
  try {
    for (;;) {
      const name = random.oneIn(3) ? names[0] : names[random.below(names.length)];
      if (name === undefined || random.oneIn(4)) {
        const plaintext = random.bytes(20);
        handles.push({ handle: await encrypt(client, plaintext), plaintext });
        continue;
      }
      const value = random.bytes(random.below(300));
      const noted = model.write(client, name, value);
      await client.set(name, value);
      noted.acknowledge();
    }
  } catch (error) {
    allow('UNREACHABLE')(error);
  }
}

const present = ({ model }: World): number =>
  model.names().filter((name) => model.possible(name)[0] !== undefined).length;

async function checkAll(world: World, client: HushClient, where: string, most: number): Promise<void> {
  const { random, model, handles, still } = world;
  for (const name of model.names()) {
    const found = await client.get(name).then(({ value }) => value, allow('NOT_FOUND'));
    const isPossible = model.possible(name).some((state) => sameState(state, found));
    assert.ok(isPossible, `${where}: ${name} holds what was neither acknowledged last nor on its way`);
    model.settle(name, found);
  }
  for (let count = 0; count < Math.min(most, still); count += 1) {
    const path = stillName(most >= still ? count : random.below(still));
    assert.equal(new TextDecoder().decode((await client.get(path)).value), path, where);
  }
  for (const { handle, plaintext } of handles.slice(-most)) {
    const opened = await client.call('crypto.decrypt', { ...place, handle });
    assert.deepEqual(Buffer.from(opened.plaintext), Buffer.from(plaintext), where);
  }
}

async function opens(client: HushClient, credential: Credential): Promise<boolean> {
  try {
    await client.unlock([credential]);
    return true;
  } catch (error) {
    allow('WRONG_PASSPHRASE')(error);
    return false;
  }
}

/** Takes an error of that code, and no other. */
const allow =
  (code: string) =>
  (error: unknown): undefined => {
    if (error instanceof HushError && error.code === code) return undefined;
    throw error;
  };
