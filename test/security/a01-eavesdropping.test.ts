import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passphraseCredential, startUnlocked } from '../support/daemon.ts';
import { utf8 } from './facts.ts';
import { enrol, enrolledWire, greetByHand } from './noise-wire.ts';
import { codeOf, greetedWire } from './wire.ts';

const grants = ['listener', 'speaker']
  .map(
    (name) =>
      `[profiles.default.grants.${name}]\nread = ['global/*']\nwrite = ['global/*']\nunlock = true\nlock = true\n`,
  )
  .join('');

test('A1: a client that listens while others set and unlock gets not one byte of it', async (t) => {
  const { daemon, client: owner } = await startUnlocked(t, grants);
  const [listener, speaker] = [await enrol(owner, 'listener'), await enrol(owner, 'speaker')];

  const plain = await greetByHand(t, daemon.socket);
  const enrolled = await enrolledWire(t, daemon.socket, listener);
  const get = { profile: 'default', path: 'global/a' };
  assert.equal(codeOf(await enrolled.wire.ask('secret.get', get)), 'NOT_FOUND');
  const heard: Buffer[] = [];
  for (const { socket } of [plain, enrolled.greeted]) socket.on('data', (chunk: Buffer) => heard.push(chunk));

  const speakers = [
    await greetedWire(t, daemon.socket),
    (await enrolledWire(t, daemon.socket, speaker)).wire,
  ];
  for (const wire of speakers) {
    const value = utf8('what the others must not hear');
    const credentials = [passphraseCredential()];
    for (const [op, params] of [
      ['secret.set', { ...get, value }],
      ['lock', { profile: 'default' }],
      ['unlock', { profile: 'default', credentials }],
      ['secret.get', get],
    ] as const) {
      assert.equal(codeOf(await wire.ask(op, params)), 'ok', op);
    }
  }
  assert.deepEqual(heard, []);

  // Both are alive, and hear what they ask for themselves.
  assert.equal(codeOf(await enrolled.wire.ask('secret.get', get)), 'ok');
  assert.notEqual(heard.length, 0);
});
