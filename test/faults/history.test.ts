import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Credential, HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  keyCredential,
  makeHome,
  passphraseCredential,
  startDaemon,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { randomOf, seededRandom, type Random } from './random.ts';

/** Steps in all, and how many lives they are dealt to: each has a home of its own. */
const steps = Number(process.env['FAULT_STEPS'] ?? 2000);
const lives = 2;
/** No call waits so long, however busy the machine is. */
const patient = { deadlineMs: 60_000 };
const names = Array.from({ length: 30 }, (_, index) => `global/name${index}`);
const tenants = ['', 'acme', 'globex'] as const;

type Handle = Awaited<ReturnType<typeof encrypt>>;

/** Everything that the daemon has acknowledged, and what it may or may not have done when it was killed. */
interface Life {
  readonly random: Random;
  readonly home: TestHome;
  readonly t: TestContext;
  daemon: TestDaemon;
  client: HushClient;
  /** By name; a name that was deleted holds undefined. */
  readonly secrets: Map<string, Uint8Array<ArrayBuffer> | undefined>;
  readonly handles: { readonly handle: Handle; readonly place: Place; readonly plaintext: Uint8Array }[];
  /** What opens the profile, by slot. */
  readonly slots: Map<string, Credential>;
  readonly done: string[];
  /** What became of the steps that the daemon was killed in, or that came at a wrong moment. */
  readonly counts: Map<string, number>;
}

interface Place {
  readonly keyring: string;
  readonly namespace: string;
  readonly key: string;
  readonly tenant?: string;
}

/** A step: what it asks, and how the model takes it when it was acknowledged. */
interface Step {
  readonly name: string;
  /** Resolves to what is true from then on. */
  ask(client: HushClient): Promise<() => void>;
  /** What may open the profile, if this was done. */
  readonly candidate?: Credential;
  /** Finds out, after a crash in the middle of it, whether it was done. */
  settle?(life: Life): Promise<void>;
}

const encrypt = async (client: HushClient, place: Place, plaintext: Uint8Array<ArrayBuffer>) =>
  (await client.call('crypto.encrypt', { ...place, plaintext })).handle;

const passphraseOf = (random: Random): Credential =>
  passphraseCredential(`pass ${Buffer.from(random.bytes(9)).toString('base64')}`);

test('whatever happens in whatever order, every acknowledged value and every handle ever given out opens', async (t) => {
  const random = randomOf(t);
  const lanes = Array.from({ length: lives }, () => seededRandom(random.below(2 ** 31)));
  await Promise.all(lanes.map((lane) => live(t, lane, steps / lives)));
});

async function live(t: TestContext, random: Random, count: number): Promise<void> {
  const home = makeHome(t);
  const key = keyCredential(random.bytes(32));
  await home.init('default', [passphraseCredential(), key]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await client.unlock([key]);
  const { slots } = await client.call('slot.list', {});
  const [first, second] = slots;
  assert.ok(first?.kind === 'passphrase' && second?.kind === 'key');
  const life: Life = {
    random,
    home,
    t,
    daemon,
    client,
    secrets: new Map(),
    handles: [],
    slots: new Map<string, Credential>([
      [first.id, passphraseCredential()],
      [second.id, key],
    ]),
    done: [],
    counts: new Map(),
  };
  try {
    for (let step = 0; step < count; step += 1) await next(life);
    await restart(life, 'stop');
    await life.client.unlock([someSlot(life)[1]]);
    await checkAll(life);
    assert.equal(await life.daemon.stop(), 0);
  } catch (error) {
    t.diagnostic(`the last steps: ${life.done.slice(-40).join(', ')}`);
    throw error;
  }
  t.diagnostic([...life.counts].map(([name, times]) => `${name} ${times}`).join(', '));
}

const noted = (life: Life, what: string): void => {
  life.done.push(what);
  life.counts.set(what, (life.counts.get(what) ?? 0) + 1);
};

async function next(life: Life): Promise<void> {
  const { random } = life;
  const dice = random.below(1000);
  if (dice < 12) {
    await restart(life, 'stop');
    await life.client.unlock([someSlot(life)[1]]);
    return;
  }
  if (dice < 30) return killIn(life, change(life));
  if (dice < 55) return lockAndUnlock(life);
  if (dice < 250) return checkOne(life);
  const step = change(life);
  try {
    const accept = await step.ask(life.client);
    noted(life, step.name);
    accept();
  } catch (error) {
    // A change of keys while another is under way is refused, and nothing has happened.
    if (!(error instanceof HushError) || error.code !== 'CONFLICT') throw error;
    noted(life, `${step.name} refused: another was under way`);
  }
}

/** A random change; those of keys come now and then. */
function change(life: Life): Step {
  const { random } = life;
  const dice = random.below(100);
  if (dice < 40) return setStep(life);
  if (dice < 50) return deleteStep(life);
  if (dice < 76) return encryptStep(life);
  if (dice < 82) return rotateHandleStep(life);
  if (dice < 87) return rotateStep('keys.rotate');
  if (dice < 89) return rotateStep('keys.rotateVault');
  if (dice < 93) return changePassphraseStep(life);
  return random.oneIn(2) ? addSlotStep(life) : removeSlotStep(life);
}

function setStep({ random, secrets }: Life): Step {
  const name = names[random.below(names.length)] ?? 'global/name';
  const value = random.bytes(random.oneIn(10) ? random.below(20_000) : random.below(200));
  return {
    name: 'set',
    async ask(client) {
      await client.set(name, value);
      return () => void secrets.set(name, value);
    },
    settle: (life) => settleSecret(life, name, value),
  };
}

function deleteStep({ random, secrets }: Life): Step {
  const name = names[random.below(names.length)] ?? 'global/name';
  return {
    name: 'delete',
    async ask(client) {
      try {
        await client.delete(name);
      } catch (error) {
        if (!(error instanceof HushError) || error.code !== 'NOT_FOUND') throw error;
        assert.equal(secrets.get(name), undefined, `${name} was lost`);
      }
      return () => void secrets.set(name, undefined);
    },
    settle: (life) => settleSecret(life, name, undefined),
  };
}

/** After a crash a name holds what it held before, or what was on its way. */
async function settleSecret(
  { client, secrets }: Life,
  name: string,
  asked: Uint8Array<ArrayBuffer> | undefined,
) {
  const found = await valueOf(client, name);
  const isAsked = asked === undefined ? found === undefined : found?.equals(asked) === true;
  if (isAsked) secrets.set(name, asked);
}

async function valueOf(client: HushClient, name: string): Promise<Buffer | undefined> {
  try {
    return Buffer.from((await client.get(name)).value);
  } catch (error) {
    if (error instanceof HushError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function encryptStep({ random, handles }: Life): Step {
  const tenant = random.pick(tenants);
  const place = {
    keyring: 'default',
    namespace: 'history',
    key: `k${random.below(5)}`,
    ...(tenant && { tenant }),
  };
  const plaintext = random.bytes(random.below(300));
  return {
    name: 'encrypt',
    async ask(client) {
      const handle = await encrypt(client, place, plaintext);
      return () => void handles.push({ handle, place, plaintext });
    },
  };
}

function rotateHandleStep(life: Life): Step {
  const { random, handles } = life;
  const given = handles[random.below(Math.max(1, handles.length))];
  if (given === undefined) return encryptStep(life);
  return {
    name: 'rotate a handle',
    async ask(client) {
      const { handle } = await client.call('crypto.rotate', { ...given.place, handle: given.handle });
      assert.equal(handle.id, given.handle.id);
      return () => void handles.push({ ...given, handle });
    },
  };
}

function rotateStep(op: 'keys.rotate' | 'keys.rotateVault'): Step {
  return {
    name: op,
    async ask(client) {
      await client.call(op, {}, patient);
      return () => undefined;
    },
  };
}

/** A slot that opens the profile alone, and what opens it. */
function someSlot({ random, slots }: Life): readonly [string, Credential] {
  const found = [...slots][random.below(slots.size)];
  assert.ok(found !== undefined, 'a profile has a slot');
  return found;
}

function changePassphraseStep(life: Life): Step {
  const { random, slots } = life;
  const passphrases = [...slots].filter(([, { kind }]) => kind === 'passphrase');
  const [id] = passphrases[random.below(Math.max(1, passphrases.length))] ?? [];
  if (id === undefined) return addSlotStep(life);
  const [, existing] = someSlot(life);
  const replacement = passphraseOf(random);
  return {
    name: 'change a passphrase',
    candidate: replacement,
    async ask(client) {
      await client.call('slot.change', { credentials: [existing], replacement, slot: id }, patient);
      return () => void slots.set(id, replacement);
    },
    async settle({ client }) {
      if (await opens(client, replacement)) slots.set(id, replacement);
    },
  };
}

function addSlotStep(life: Life): Step {
  const { random, slots } = life;
  const passphrases = [...slots.values()].filter(({ kind }) => kind === 'passphrase').length;
  if (slots.size >= 8) return removeSlotStep(life);
  const [, existing] = someSlot(life);
  const added = passphrases < 4 && random.oneIn(2) ? passphraseOf(random) : keyCredential(random.bytes(32));
  const label = `slot ${random.below(2 ** 31)}`;
  return {
    name: 'add a slot',
    async ask(client) {
      const { id } = await client.call('slot.add', { credentials: [existing], added, label }, patient);
      return () => void slots.set(id, added);
    },
    async settle({ client }) {
      const listed = await client.call('slot.list', {});
      const made = listed.slots.find((slot) => slot.label === label);
      if (made !== undefined) slots.set(made.id, added);
    },
  };
}

function removeSlotStep(life: Life): Step {
  const { slots } = life;
  if (slots.size < 2) return addSlotStep(life);
  const [id] = someSlot(life);
  return {
    name: 'remove a slot',
    async ask(client) {
      await client.call('slot.remove', { slot: id }, patient);
      return () => void slots.delete(id);
    },
    async settle({ client }) {
      const listed = await client.call('slot.list', {});
      if (!listed.slots.some((slot) => slot.id === id)) slots.delete(id);
    },
  };
}

/** Whether a credential opens the profile: it is locked for that, and open afterwards if it does. */
async function opens(client: HushClient, credential: Credential): Promise<boolean> {
  await client.lock();
  try {
    await client.unlock([credential]);
    return true;
  } catch (error) {
    if (error instanceof HushError && error.code.startsWith('WRONG_')) return false;
    throw error;
  }
}

async function checkOne(life: Life): Promise<void> {
  const { random, client, handles, secrets } = life;
  noted(life, 'look');
  const given = handles[random.below(Math.max(1, handles.length))];
  if (given !== undefined && random.oneIn(2)) {
    const { plaintext } = await client.call('crypto.decrypt', { ...given.place, handle: given.handle });
    assert.deepEqual(Buffer.from(plaintext), Buffer.from(given.plaintext));
    return;
  }
  const name = names[random.below(names.length)] ?? 'global/name';
  const kept = secrets.get(name);
  assert.deepEqual(await valueOf(client, name), kept && Buffer.from(kept), name);
}

/** All that was ever acknowledged is there. */
async function checkAll({ client, handles, secrets }: Life): Promise<void> {
  const listed = new Set<string>();
  for await (const { path } of client.list()) listed.add(path);
  const kept = [...secrets].filter(([, value]) => value !== undefined);
  assert.deepEqual([...listed].sort(), kept.map(([name]) => name).sort());
  for (const [name, value] of kept)
    assert.deepEqual(await valueOf(client, name), value && Buffer.from(value), name);
  for (let from = 0; from < handles.length; from += 500) {
    const part = handles.slice(from, from + 500);
    const outcomes = await client.batch(
      part.map(({ place, handle }) => ({ op: 'crypto.decrypt' as const, params: { ...place, handle } })),
    );
    part.forEach(({ plaintext }, index) => {
      const outcome = outcomes[index];
      assert.ok(outcome?.ok !== undefined, `a handle does not open: ${String(outcome?.error)}`);
      assert.deepEqual(Buffer.from(outcome.ok.plaintext), Buffer.from(plaintext));
    });
  }
}

async function lockAndUnlock(life: Life): Promise<void> {
  const [, credential] = someSlot(life);
  noted(life, 'lock');
  await life.client.lock();
  await life.client.unlock([credential]);
}

/** Starts the daemon anew, after it was stopped or is dead; the profile is locked then. */
async function restart(life: Life, how: 'stop' | 'killed'): Promise<void> {
  noted(life, how);
  if (how === 'stop') assert.equal(await life.daemon.stop(), 0);
  life.client.close();
  life.daemon = await startDaemon(life.t, life.home);
  life.client = await life.daemon.connect(patient);
}

/** Kills the daemon with a change under way, and finds out afterwards which side of it the crash has left. */
async function killIn(life: Life, step: Step): Promise<void> {
  noted(life, `killed in ${step.name}`);
  const turns = life.random.below(60);
  const asked = step.ask(life.client).then(
    (accept) => accept,
    (error: unknown) => error,
  );
  // Answered calls tell how far it may have come: each of them is one more turn of its loop.
  for (let turn = 0; turn < turns; turn += 1) await life.client.status().catch(() => undefined);
  await life.daemon.kill();
  const outcome = await asked;
  const before = [...life.slots.values(), ...(step.candidate === undefined ? [] : [step.candidate])];
  await restart(life, 'killed');
  if (typeof outcome === 'function') {
    (outcome as () => void)();
    await unlockWithAny(life, [...life.slots.values()]);
  } else {
    const code: unknown = outcome instanceof HushError ? outcome.code : outcome;
    assert.ok(code === 'UNREACHABLE' || code === 'CONFLICT' || code === 'NOT_FOUND', String(outcome));
    await unlockWithAny(life, before);
    if (code === 'UNREACHABLE') await step.settle?.(life);
    if ((await life.client.status()).profiles[0]?.state !== 'unlocked') {
      await unlockWithAny(life, [...life.slots.values()]);
    }
  }
  await checkAll(life);
}

/** Unlocks with the first that fits: one slot at most was about to change or go. */
async function unlockWithAny({ client }: Life, credentials: readonly Credential[]): Promise<void> {
  let wrong = 0;
  for (const credential of credentials) {
    try {
      await client.unlock([credential]);
      assert.ok(wrong <= 1, 'more slots than the one that was changed do not open any more');
      return;
    } catch (error) {
      if (!(error instanceof HushError) || !error.code.startsWith('WRONG_')) throw error;
      wrong += 1;
    }
  }
  assert.fail('none of the slots opens the profile');
}
