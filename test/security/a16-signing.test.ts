import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { scanMemory, type Secret } from '../faults/image.ts';
import { keygen, partsOf } from '../signing/keys.ts';
import { startUnlocked } from '../support/daemon.ts';

const skip = process.getuid?.() === 0 ? false : 'only root can read the memory of another process';

test('A16: of keys that have signed nothing is in the daemon after lock', { skip }, async (t) => {
  const { daemon, client } = await startUnlocked(t);
  const given = {
    'an Ed25519 key': keygen('-t ed25519').text,
    'an RSA key of 2048 bits': keygen('-t rsa -b 2048').text,
  };
  const paths: string[] = [];
  for (const text of Object.values(given)) {
    const path = `global/ssh.${paths.length}`;
    paths.push(path);
    await client.set(path, text);
  }
  await client.call('ssh.generate', { path: 'global/ssh.made-rsa', type: 'rsa', bits: 2048 });
  await client.call('ssh.generate', { path: 'global/ssh.made', type: 'ed25519' });
  paths.push('global/ssh.made-rsa', 'global/ssh.made');
  for (let round = 0; round < 3; round += 1) {
    for (const path of paths) await client.call('ssh.sign', { path, data: new Uint8Array(randomBytes(200)) });
  }
  await client.call('ssh.list', { prefix: 'global/ssh.' });

  const parts = Object.entries(given).flatMap(([name, text]) => partsOf(name, text));
  const isText = ({ name }: Secret): boolean => name.endsWith(': text');
  const open = scanMemory(
    daemon.pid,
    parts.filter((part) => !isText(part)),
  );
  // In base64 they stand in the values, which are cached while the profile is open.
  const numbers = open.found.filter(({ form }) => !form.includes('base64'));
  assert.deepEqual(numbers, [], 'no number of a key outlives the call that took it');

  for (const path of ['global/ssh.made-rsa', 'global/ssh.made'])
    parts.push(...partsOf(path, (await client.get(path)).value));
  await client.lock();
  const { found, bytes } = scanMemory(daemon.pid, parts);
  assert.deepEqual(found, []);
  assert.ok(bytes > 32 * 1024 * 1024, 'the whole process was looked through');
});
