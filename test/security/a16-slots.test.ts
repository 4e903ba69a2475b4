import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Credential } from '../../client/index.ts';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { scanMemory, type Secret } from '../faults/image.ts';
import { secretsOf } from '../faults/keys.ts';
import { keyCredential, makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';

const skip = process.getuid?.() === 0 ? false : 'only root can read the memory of another process';
const random = () => copyBytes(randomBytes(32));
const randomPassphrase = (): Credential => passphraseCredential(randomBytes(24).toString('base64'));

test(
  'A16: changes of slots leave no passphrase, key or vault key in the daemon after lock',
  { skip },
  async (t) => {
    const home = makeHome(t);
    const old = randomPassphrase();
    const [fresh, third, wrong] = [randomPassphrase(), randomPassphrase(), randomPassphrase()];
    const key = keyCredential(random());
    const paper: Credential = { kind: 'recovery', secret: random() };
    const given = Object.entries({ old, fresh, third, wrong, key, paper }).map(
      ([name, { secret }]): Secret => ({ name, bytes: copyBytes(secret) }),
    );
    await home.init('default', [passphraseCredential(Buffer.from(old.secret).toString())]);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect({ deadlineMs: 60_000 });
    await client.unlock([old]);
    await client.call('slot.add', { credentials: [old], added: key, label: 'server' });
    await client.call('slot.add', { credentials: [key], added: paper, label: 'paper' });
    await assert.rejects(client.call('slot.add', { credentials: [wrong], added: third }), {
      code: 'WRONG_PASSPHRASE',
    });
    await client.call('slot.change', { credentials: [paper], replacement: fresh });
    const { slots } = await client.call('slot.list', {});
    const [mine = '', server = ''] = slots.map(({ id }) => id);
    const { group } = await client.call('slot.group', { credentials: [fresh], slots: [mine, server] });
    await client.call('slot.ungroup', { credentials: [key, fresh], group });
    const { all } = await secretsOf(home.profile(), key);
    const keys = [...all].map(([name, bytes]): Secret => ({ name, bytes }));

    const open = scanMemory(daemon.pid, given);
    assert.deepEqual(open.found, [], 'what was given is gone as soon as it is done');

    const adding = assert.rejects(client.call('slot.add', { credentials: [key], added: third }), {
      code: 'LOCKED',
    });
    await client.lockAll();
    await adding;
    const { found, bytes } = scanMemory(daemon.pid, [...given, ...keys]);
    assert.deepEqual(found, []);
    assert.ok(bytes > 32 * 1024 * 1024, 'the whole process was looked through');
  },
);
