import assert from 'node:assert/strict';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HushError, type HushClient } from '../../client/index.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
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
const theEnd = 'the end';
/** No call waits so long, however busy the machine is. */
const patient = { deadlineMs: 60_000 };
const place = { keyring: 'default', namespace: 'faults', key: 'vault-key' };
const names = Array.from({ length: 40 }, (_, index) => `global/name${index}`);
const tenants = ['acme', 'globex', 'initech'];

interface World {
  readonly random: Random;
  readonly home: TestHome;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly model: Model;
  readonly handles: { readonly given: Parameters<typeof decrypt>[1]; readonly plaintext: Uint8Array }[];
}

const decrypt = async (
  client: HushClient,
  given: { tenant: string; handle: Awaited<ReturnType<typeof encrypt>> },
) => (await client.call('crypto.decrypt', { ...place, ...given })).plaintext;

const encrypt = async (client: HushClient, tenant: string, plaintext: Uint8Array<ArrayBuffer>) =>
  (await client.call('crypto.encrypt', { ...place, tenant, plaintext })).handle;

const generationOf = (home: TestHome): number => readHeaderFile(home.profile().header).body.generation;

test(`B1: killed ${kills} times within a rotation of the vault key, the profile opens under the old or the new one`, async (t) => {
  const random = randomOf(t);
  const home = makeHome(t);
  const key = random.bytes(32);
  await home.init('default', [passphraseCredential(), keyCredential(key)]);
  const world: World = { random, home, key, model: createModel(), handles: [] };
  const outcomes = { old: 0, new: 0 };
  for (let round = 0; round < kills; round += 1) {
    const before = generationOf(home);
    await roundOf(t, world, `round ${round}`);
    const after = generationOf(home);
    assert.ok(after === before || after === before + 1, `round ${round}: ${before} became ${after}`);
    outcomes[after === before ? 'old' : 'new'] += 1;
  }
  await opened(t, world, theEnd, () => Promise.resolve());
  t.diagnostic(
    `${outcomes.old} times the old vault key stayed, ${outcomes.new} times the new one was in place`,
  );
});

/** Opens the profile, by key or passphrase, and checks all that is known of it; then `use`. */
async function opened(
  t: TestContext,
  world: World,
  where: string,
  use: (client: HushClient, kill: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { home, key, random } = world;
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await client.unlock([random.oneIn(8) ? passphraseCredential() : keyCredential(key)]);
  const { folder, header } = home.profile();
  const { vault, keyset } = readHeaderFile(header).body.files;
  const found = readdirSync(folder).filter((name) => !name.endsWith('-wal'));
  assert.deepEqual(
    found.sort(),
    ['header', keyset, vault].sort(),
    `${where}: only the files in use are left`,
  );
  await check(world, client, where);
  await use(client, () => daemon.kill());
  client.close();
  if (where === theEnd) assert.equal(await daemon.stop(), 0);
}

async function check({ model, handles }: World, client: HushClient, where: string): Promise<void> {
  const listed = new Set<string>();
  for await (const { path } of client.list()) listed.add(path);
  for (const name of new Set([...listed, ...model.names()])) {
    const found = listed.has(name) ? (await client.get(name)).value : undefined;
    const isPossible = model.possible(name).some((state) => sameState(state, found));
    assert.ok(isPossible, `${where}: ${name} holds what was neither acknowledged last nor on its way`);
    model.settle(name, found);
  }
  for (const { given, plaintext } of where === theEnd ? handles : handles.slice(-50)) {
    assert.deepEqual(Buffer.from(await decrypt(client, given)), Buffer.from(plaintext), where);
  }
}

async function roundOf(t: TestContext, world: World, where: string): Promise<void> {
  await opened(t, world, where, async (client, kill) => {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    const rotation = client.call('keys.rotateVault', {}).then(over, (error: unknown) => {
      over();
      assertGone(error, where);
    });
    const writers = Array.from({ length: 4 }, () => write(world, client, where));
    const moment = momentOf(world);
    const hasEnded = (): boolean => isOver;
    while (!hasEnded() && !moment()) await nextTurn();
    const until = performance.now() + world.random.below(1000) / world.random.pick([10, 50, 500]);
    while (performance.now() < until) await nextTurn();
    await kill();
    await Promise.all([rotation, ...writers]);
  });
}

/** When to think of killing: at the beginning, or once one of its files is there, or the header is another one. */
function momentOf({ random, home }: World): () => boolean {
  const { folder, header } = home.profile();
  const next = generationOf(home) + 1;
  const exists = (name: string) => (): boolean =>
    lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
  const { ino } = lstatSync(header);
  return random.pick([
    () => true,
    exists(`vault-${next}.db`),
    exists(`vault-${next}.db-wal`),
    exists(`keyset-${next}`),
    exists(`.keyset-${next}.tmp`),
    () => lstatSync(header).ino !== ino,
  ]);
}

/** Writes until the daemon is gone. */
async function write(world: World, client: HushClient, where: string): Promise<void> {
  const { random, model, handles } = world;
  try {
    for (;;) {
      const name = names[random.below(names.length)] ?? '';
      if (random.oneIn(6)) {
        const [tenant, plaintext] = [random.pick(['acme', ...tenants]), random.bytes(20)];
        const handle = await encrypt(client, tenant, plaintext);
        handles.push({ given: { tenant, handle }, plaintext });
      } else if (random.oneIn(5)) {
        const noted = model.write(world, name, undefined);
        await client.delete(name).then(noted.acknowledge, (error: unknown) => {
          if (!(error instanceof HushError) || error.code !== 'NOT_FOUND') throw error;
          noted.refuse();
        });
      } else {
        const value = random.bytes(random.below(2000));
        const noted = model.write(world, name, value);
        await client.set(name, value);
        noted.acknowledge();
      }
    }
  } catch (error) {
    assertGone(error, where);
  }
}

function assertGone(error: unknown, where: string): void {
  assert.ok(error instanceof HushError, where);
  assert.equal(error.code, 'UNREACHABLE', `${where}: ${error.message}`);
}
