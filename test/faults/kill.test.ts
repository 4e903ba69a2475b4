import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  keyCredential,
  makeHome,
  passphraseCredential,
  startDaemon,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { secretsOf, type ProfileSecrets } from './keys.ts';
import { createModel, sameState, type Model } from './model.ts';
import { randomOf, seededRandom, type Random } from './random.ts';

const kills = Number(process.env['FAULT_KILLS'] ?? 24);
const theEnd = 'the end';
/** No call waits so long, however busy the machine is. */
const patient = { deadlineMs: 60_000 };
const clientsARound = 3;
const place = { keyring: 'default', namespace: 'faults', key: 'kill' };
const names = Array.from({ length: 40 }, (_, index) => `global/name${index}`);

type Handle = Awaited<ReturnType<typeof encrypt>>;
interface Given {
  readonly handle: Handle;
  readonly plaintext: Uint8Array<ArrayBuffer>;
}

const encrypt = async (client: HushClient, plaintext: Uint8Array<ArrayBuffer>) =>
  (await client.call('crypto.encrypt', { ...place, plaintext })).handle;

/** All that outlives a kill: what the store may hold, and the handles that were given out. */
interface World {
  readonly random: Random;
  readonly home: TestHome;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly secrets: ProfileSecrets;
  readonly model: Model;
  readonly handles: Given[];
  /** How many of the handles were opened after a restart already. */
  checkedHandles: number;
  acknowledged: number;
}

test(`B1: killed at ${kills} random moments under load, the daemon comes back with every acknowledged write`, async (t) => {
  const random = randomOf(t);
  const lanes = [seededRandom(random.below(2 ** 31)), seededRandom(random.below(2 ** 31))];
  await Promise.all(lanes.map((lane) => killAgainAndAgain(t, lane, Math.ceil(kills / lanes.length))));
});

async function killAgainAndAgain(t: TestContext, random: Random, times: number): Promise<void> {
  const home = makeHome(t);
  const key = random.bytes(32);
  await home.init('default', [passphraseCredential(), keyCredential(key)]);
  const secrets = await secretsOf(home.profile(), keyCredential(key));
  const model = createModel();
  const world: World = { random, home, key, secrets, model, handles: [], checkedHandles: 0, acknowledged: 0 };
  for (let round = 0; round < times; round += 1) {
    const where = `round ${round}`;
    const daemon = await restart(t, world, round % 10 === 9, where);
    await check(world, daemon, where);
    await loadUntilKilled(world, daemon, where);
  }
  const daemon = await restart(t, world, false, theEnd);
  await check(world, daemon, theEnd);
  assert.equal(await daemon.stop(), 0);
  t.diagnostic(
    `${times} kills, ${world.acknowledged} acknowledged requests, ${world.handles.length} handles`,
  );
}

/** Starts the daemon and unlocks, by the key at the start or by the passphrase, without a false alarm. */
async function restart(
  t: TestContext,
  world: World,
  byPassphrase: boolean,
  where: string,
): Promise<TestDaemon> {
  const { random, home, key } = world;
  if (!byPassphrase) {
    const daemon = await startDaemon(t, home, { env: { HUSH_MASTER_KEY: Buffer.from(key).toString('hex') } });
    assert.deepEqual(daemon.listening['unlock'], { profile: 'default', outcome: 'unlocked' }, where);
    return daemon;
  }
  if (random.oneIn(2)) await killInUnlock(t, home);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await client.unlock([passphraseCredential()]);
  client.close();
  return daemon;
}

async function killInUnlock(t: TestContext, home: TestHome): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  const unlock = client.unlock([passphraseCredential()]).catch(() => undefined);
  await client.status();
  await daemon.kill();
  await unlock;
  client.close();
}

/** What the daemon holds is what the model allows, handles open, and the audit is whole. */
async function check(world: World, daemon: TestDaemon, where: string): Promise<void> {
  const client = await daemon.connect(patient);
  await checkSecrets(world, client, where);
  await checkHandles(world, client, where);
  client.close();
  await checkAudit(world, where);
}

async function checkSecrets({ model }: World, client: HushClient, where: string): Promise<void> {
  const listed = new Set<string>();
  for await (const { path } of client.list()) listed.add(path);
  for (const name of [...listed, ...model.names()]) {
    if (!listed.has(name)) await assert.rejects(client.get(name), { code: 'NOT_FOUND' }, where);
    const found = listed.has(name) ? (await client.get(name)).value : undefined;
    const isPossible = model.possible(name).some((state) => sameState(state, found));
    assert.ok(isPossible, `${where}: ${name} holds what was neither acknowledged last nor on its way`);
    model.settle(name, found);
  }
}

/** Opens the handles of the last round and some older ones, and all of them at the end. */
async function checkHandles(world: World, client: HushClient, where: string): Promise<void> {
  const { random, handles } = world;
  const first = where === theEnd ? 0 : world.checkedHandles;
  const older = Array.from({ length: 100 }, () => handles[random.below(handles.length)]);
  const checked = [...handles.slice(first), ...older].filter((given) => given !== undefined);
  world.checkedHandles = handles.length;
  for (let from = 0; from < checked.length; from += 500) {
    const part = checked.slice(from, from + 500);
    const outcomes = await client.batch(
      part.map(({ handle }) => ({ op: 'crypto.decrypt' as const, params: { ...place, handle } })),
    );
    part.forEach(({ plaintext }, index) => {
      const outcome = outcomes[index];
      assert.ok(outcome?.ok !== undefined, `${where}: a handle does not open: ${String(outcome?.error)}`);
      assert.deepEqual(Buffer.from(outcome.ok.plaintext), Buffer.from(plaintext));
    });
  }
}

async function checkAudit({ home, secrets: { vaultId, auditKeys } }: World, where: string): Promise<void> {
  const seals = { vaultId, secretOf: (id: string) => auditKeys.get(id) };
  for (const [folder, options] of [
    [home.paths.daemonAudit, {}],
    [home.profile().audit, { seals }],
  ] as const) {
    const path = join(folder, chainFileName);
    if (existsSync(path))
      assert.equal((await verifyChain(path, options)).bad, undefined, `${where}: ${path}`);
  }
}

/** Several clients with many requests in flight; the daemon is killed after a random number of replies or requests. */
async function loadUntilKilled(world: World, daemon: TestDaemon, where: string): Promise<void> {
  const { random } = world;
  const clients = await Promise.all(Array.from({ length: clientsARound }, () => daemon.connect(patient)));
  const trigger = random.pick(['reply', 'request', 'turn after request'] as const);
  const least = trigger === 'reply' ? 1 : 0;
  let left = least + random.below(250);
  const spin = random.below(200_000);
  let killed: Promise<void> | undefined;
  const kill = (): void => {
    for (let count = 0; count < spin; count += 1) Math.imul(count, spin);
    killed ??= daemon.kill();
  };
  const count = (what: 'reply' | 'request'): void => {
    if (!trigger.endsWith(what) || left < 0) return;
    left -= 1;
    if (left > 0) return;
    left = -1;
    if (trigger === 'turn after request') setImmediate(kill);
    else kill();
  };
  const work = async (client: HushClient): Promise<void> => {
    while (killed === undefined) {
      const done = request(world, client);
      count('request');
      await done;
      world.acknowledged += 1;
      count('reply');
    }
  };
  const inFlight = 1 + random.below(32);
  const workers = clients.flatMap((client) => Array.from({ length: inFlight }, () => work(client)));
  for (const { reason } of (await Promise.allSettled(workers)).filter(isRejected)) {
    const code: unknown = reason instanceof HushError ? reason.code : reason;
    assert.equal(code, 'UNREACHABLE', where);
  }
  await killed;
  for (const client of clients) client.close();
}

const isRejected = (settled: PromiseSettledResult<void>): settled is PromiseRejectedResult =>
  settled.status === 'rejected';

/** One random request; resolves once it is acknowledged. */
async function request({ random, model, handles }: World, client: HushClient): Promise<void> {
  const dice = random.below(100);
  const name = names[random.below(names.length)] ?? 'global/name';
  if (dice < 55) {
    const value = random.bytes(random.oneIn(10) ? random.below(20_000) : 8 + random.below(200));
    const write = model.write(client, name, value);
    await client.set(name, value);
    write.acknowledge();
  } else if (dice < 80) {
    const write = model.write(client, name, undefined);
    try {
      await client.delete(name);
      write.acknowledge();
    } catch (error) {
      if (!(error instanceof HushError) || error.code !== 'NOT_FOUND') throw error;
      write.refuse();
    }
  } else if (dice < 98) {
    const plaintext = random.bytes(random.below(200));
    handles.push({ handle: await encrypt(client, plaintext), plaintext });
  } else if (dice < 99) {
    // The values may still be being sealed anew after the rotation before.
    await client.call('keys.rotate', {}).catch((error: unknown) => {
      if (!(error instanceof HushError) || error.code !== 'CONFLICT') throw error;
    });
  } else {
    await client.get(name).catch((error: unknown) => {
      if (!(error instanceof HushError) || error.code !== 'NOT_FOUND') throw error;
    });
  }
}
