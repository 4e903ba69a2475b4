import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { keyCredential, makeHome, startDaemon } from '../support/daemon.ts';
import { scanMemory, type Secret } from './image.ts';
import { secretsOf } from './keys.ts';

const patient = { deadlineMs: 60_000 };
const skip = process.getuid?.() === 0 ? false : 'only root can read the memory of another process';

test(
  'A16: after a rotation of the vault key and a lock, neither the old nor the new keys are in memory',
  { skip },
  async (t) => {
    const home = makeHome(t);
    const credential = keyCredential(new Uint8Array(randomBytes(32)));
    await home.init('default', [credential]);
    const keysNow = async (of: string): Promise<Secret[]> => {
      const { all } = await secretsOf(home.profile(), credential);
      return [...all].map(([name, bytes]) => ({ name: `${of}: ${name}`, bytes }));
    };
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect(patient);
    await client.unlock([credential]);
    const values: Secret[] = [];
    for (let index = 0; index < 500; index += 1) {
      const bytes = new Uint8Array(randomBytes(200));
      values.push({ name: `value ${index}`, bytes });
      await client.set(`global/s${index}`, bytes);
    }
    const before = await keysNow('before');
    await client.call('keys.rotateVault', {});
    const after = await keysNow('after');

    const open = scanMemory(daemon.pid, [...before, ...after]);
    const gone = ['vault key', 'key-wrapping key', 'header MAC key'].map((name) => `before: ${name}`);
    const stillThere = open.found.map(({ name }) => name).filter((name) => gone.includes(name));
    assert.deepEqual(stillThere, [], 'the keys before are wiped as soon as they are not needed any more');

    await client.lock();
    const { found } = scanMemory(daemon.pid, [...before, ...after, ...values]);
    assert.deepEqual(
      found.map(({ name, form }) => `${name}, ${form}`),
      [],
    );
  },
);
