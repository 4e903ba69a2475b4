import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import { keyCredential, makeHome, startDaemon } from '../support/daemon.ts';
import {
  compact,
  createSecretModel,
  step,
  type SecretModel,
  type Step,
  type Told,
} from '../support/secret-model.ts';
import { randomOf } from './random.ts';

const kills = 6;
const stepsARound = 30;
const kept = 2;
const patient = { deadlineMs: 60_000 };
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

type Asked = Exclude<Step, { op: 'reopen' }>;

/** A copy without the name of the operation. */
function paramsOf<T extends Asked>({ op, ...params }: T): Omit<T, 'op'> {
  assert.ok(op);
  return params;
}

async function ask(client: HushClient, step: Asked): Promise<Told> {
  switch (step.op) {
    case 'set': {
      const { path, value, ...options } = paramsOf(step);
      const { version, created } = await client.set(path, utf8(value), options);
      return { version, created };
    }
    case 'get': {
      const { path, ...options } = paramsOf(step);
      const { value, version } = await client.get(path, options);
      return { value: new TextDecoder().decode(value), version };
    }
    case 'history': {
      const { versions } = await client.history(step.path);
      assert.ok(versions.every(({ by }) => by === 'owner'));
      return { versions: versions.map((one) => [one.version, one.state, one.bytes]) };
    }
    case 'restore': {
      const { path, version: from, ...options } = paramsOf(step);
      const { version, created } = await client.restore(path, from, options);
      return { version, created };
    }
    case 'delete': {
      const { path, ...options } = paramsOf(step);
      await client.delete(path, options);
      return {};
    }
    case 'purge':
      return { purged: (await client.purge(step.path, step.version)).purged };
    case 'rename':
      return await client.rename(step.from, step.to);
    case 'copy': {
      const { from, to, ...options } = paramsOf(step);
      const { version, created } = await client.copy(from, to, options);
      return { version, created };
    }
    case 'list': {
      const entries: unknown[][] = [];
      for await (const one of client.list({ deleted: step.deleted, pageSize: 2 }))
        entries.push([one.path, one.version, one.note ?? '', (one.tags ?? []).join()]);
      return { entries: entries.sort() };
    }
  }
}

async function told(client: HushClient, step: Asked): Promise<Told> {
  try {
    return await ask(client, step);
  } catch (error) {
    if (error instanceof HushError) return error.code;
    throw error;
  }
}

const questions: readonly Asked[] = [
  { op: 'list', deleted: false },
  { op: 'list', deleted: true },
  ...['global/a', 'global/a.b', 'ws:a/a', 'pr:a/b'].flatMap((path): Asked[] => [
    { op: 'history', path },
    { op: 'get', path },
    { op: 'get', path, version: 1 },
  ]),
];

/** The model after these steps. */
function modelOf(steps: readonly Asked[]): SecretModel {
  const model = createSecretModel(kept);
  for (const one of steps) model.take(one);
  return model;
}

test(`B1: versions are what they ought to be over the socket, and each change is whole or was not, through ${kills} kills`, async (t) => {
  const random = randomOf(t);
  const home = makeHome(t);
  const key = random.bytes(32);
  await home.init('default', [keyCredential(key)]);
  home.configure(`[profiles.default]\nversions = ${kept}\n`);
  const env = { HUSH_MASTER_KEY: Buffer.from(key).toString('hex') };
  const drawn = fc
    .sample(step, { numRuns: (kills + 1) * stepsARound * 2, seed: random.below(2 ** 31) })
    .filter((one): one is Asked => one.op !== 'reopen')
    .map(compact);

  let done: Asked[] = [];
  let inFlight: Asked | undefined;
  for (let round = 0; round <= kills; round += 1) {
    const daemon = await startDaemon(t, home, { env });
    const client = await daemon.connect(patient);
    const found: Told[] = [];
    for (const question of questions) found.push(await told(client, question));
    const states = [done, ...(inFlight === undefined ? [] : [[...done, inFlight]])];
    const real = states.find((steps) => {
      const model = modelOf(steps);
      return questions.every((question, at) => isSame(model.take(question), found[at]));
    });
    assert.ok(
      real,
      `round ${round}: neither before nor after ${JSON.stringify(inFlight)}: ${JSON.stringify(found)}`,
    );
    done = [...real];

    const model = modelOf(done);
    const mine = drawn.slice(round * stepsARound, (round + 1) * stepsARound);
    for (const one of mine) {
      assert.deepEqual(await told(client, one), model.take(one), JSON.stringify(one));
      done.push(one);
    }
    const changes = drawn.filter(({ op }) => !['get', 'history', 'list'].includes(op));
    inFlight = changes[random.below(changes.length)];
    assert.ok(inFlight);
    const answer = told(client, inFlight);
    const spin = random.below(4_000_000);
    for (let count = 0; count < spin; count += 1) Math.imul(count, spin);
    await new Promise((resolve) => setImmediate(resolve));
    if (round === kills) assert.equal(await daemon.stop(), 0);
    else await daemon.kill();
    await answer;
    client.close();
  }
});

function isSame(one: unknown, other: unknown): boolean {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}
