import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAgent } from '../../cli/doors/ssh-agent/agent.ts';
import { listKeys } from '../../cli/doors/ssh-agent/keys.ts';
import { listenForClients } from '../../cli/doors/ssh-agent/listener.ts';
import { HushError, type HushClient } from '../../client/index.ts';
import { sshString, sshUint32 } from '../../daemon/signing/wire.ts';
import { concatBytes } from '../../protocol/bytes.ts';
import { keygen } from '../signing/keys.ts';
import { startUnlocked } from '../support/daemon.ts';
import { recordsIn, utf8 } from './facts.ts';
import { enrol } from './noise-wire.ts';

const data = utf8('what is to be signed, and nobody else’s business');
const config = `
[limits]
plaintext_bytes = 1048576
[profiles.default]
approve = ['global/ssh.prod']
[profiles.default.grants.signer]
sign = ['global/ssh.*']
[profiles.default.grants.both]
read = ['global/ssh.prod', 'global/ssh.a']
sign = ['global/ssh.prod']
list = ['global/ssh.prod']
[profiles.default.grants.writer]
write = ['global/ssh.new*']
[profiles.default.grants.boss]
admin = true
`;

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => (error instanceof HushError ? error.code : String(error)),
  );

test('signing', async (t) => {
  const { daemon, client: owner, home } = await startUnlocked(t, config);
  const [signer, both, writer, boss] = await Promise.all(
    ['signer', 'both', 'writer', 'boss'].map(async (name) => {
      const { file } = await enrol(owner, name);
      // So many signatures take longer than a call usually may.
      return daemon.connect({ clientKey: file, deadlineMs: 60_000 });
    }),
  );
  assert.ok(signer && both && writer && boss);
  const rsa = keygen('-t rsa -b 4096');
  await owner.set('global/ssh.a', keygen('-t ed25519').text);
  await owner.set('global/ssh.prod', keygen('-t ed25519').text);
  await owner.set('global/ssh.rsa', rsa.text);
  await owner.set('global/ssh.text', utf8('no key'));
  await owner.set('global/db', utf8('password'));
  const sign = (client: HushClient, path: string) => client.call('ssh.sign', { path, data });
  const listed = async (client: HushClient): Promise<object> => {
    const { keys, unusable } = await client.call('ssh.list', {});
    return { keys: keys.map(({ path }) => path).sort(), unusable: unusable.map(({ path }) => path) };
  };

  await t.test('A8: who may only sign does so, and gets no key, no value and no other name', async () => {
    assert.equal(await codeOf(sign(signer, 'global/ssh.a')), 'ok');
    assert.equal(await codeOf(signer.call('ssh.public', { path: 'global/ssh.a' })), 'ok');
    assert.equal(await codeOf(signer.get('global/ssh.a')), 'ACCESS_DENIED');
    assert.equal(await codeOf(signer.call('secret.list', {})), 'ACCESS_DENIED');
    assert.equal(
      await codeOf(signer.call('secret.copy', { from: 'global/ssh.a', to: 'global/ssh.b' })),
      'ACCESS_DENIED',
    );
    assert.deepEqual(await listed(signer), {
      keys: ['global/ssh.a', 'global/ssh.prod', 'global/ssh.rsa'],
      unusable: ['global/ssh.text'],
    });
    for (const path of ['global/db', 'global/missing']) {
      assert.equal(await codeOf(sign(signer, path)), 'ACCESS_DENIED');
      assert.equal(await codeOf(signer.call('ssh.public', { path })), 'ACCESS_DENIED');
    }
  });

  await t.test('what may be read may be signed with, and is shown as `list` shows it', async () => {
    assert.equal(await codeOf(sign(both, 'global/ssh.a')), 'ok');
    assert.deepEqual(await listed(both), { keys: ['global/ssh.prod'], unusable: [] });
    const { keys, unusable } = await listKeys(both, 'default', ['global/ssh.a', 'global/ssh.rsa']);
    assert.deepEqual(
      [keys, unusable].map((these) => these.map(({ path }) => path)),
      [['global/ssh.a'], ['global/ssh.rsa']],
      'one that is not granted takes none of the others away',
    );
  });

  await t.test('what is no key, is not there, or is too large to sign is refused by name', async () => {
    assert.equal(await codeOf(sign(owner, 'global/ssh.text')), 'BAD_REQUEST');
    assert.equal(await codeOf(sign(owner, 'global/ssh.missing')), 'NOT_FOUND');
    const path = 'global/ssh.a';
    assert.equal(await codeOf(owner.call('ssh.sign', { path, data: new Uint8Array(262_145) })), 'TOO_LARGE');
    assert.equal(await codeOf(owner.call('ssh.sign', { path, data: new Uint8Array(262_144) })), 'ok');
    assert.equal(
      await codeOf(owner.call('ssh.sign', { path, data, algorithm: 'rsa-sha2-512' })),
      'BAD_REQUEST',
    );
  });

  await t.test('a key is made by who may write there, and never in place of another secret', async () => {
    const make = (client: HushClient, path: string) => client.call('ssh.generate', { path, type: 'ed25519' });
    assert.equal(await codeOf(make(writer, 'global/ssh.other')), 'ACCESS_DENIED');
    assert.equal(await codeOf(make(signer, 'global/ssh.new')), 'ACCESS_DENIED');
    const { version, type, comment } = await make(writer, 'global/ssh.new');
    assert.deepEqual([version, type, comment], [1, 'ed25519', 'global/ssh.new']);
    assert.equal(await codeOf(make(writer, 'global/ssh.new')), 'EXISTS');
    assert.equal(await codeOf(writer.get('global/ssh.new')), 'ACCESS_DENIED');
    assert.equal(await codeOf(sign(owner, 'global/ssh.new')), 'ok');
    const rsaPlan = { path: 'global/ssh.new-rsa', type: 'rsa', bits: 2048 } as const;
    const making = codeOf(writer.call('ssh.generate', rsaPlan));
    await owner.set(rsaPlan.path, utf8('set meanwhile'));
    assert.equal(await making, 'EXISTS');
  });

  await t.test('an approval is for one signature, and one to sign is none to read', async () => {
    const path = 'global/ssh.prod';
    const waiting = async (call: Promise<unknown>): Promise<string> => {
      const error: unknown = await call.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof HushError && error.code === 'APPROVAL_PENDING', String(error));
      return error.approval ?? '';
    };
    assert.equal(await codeOf(both.call('ssh.public', { path })), 'ok', 'a public key is public');
    const id = await waiting(sign(both, path));
    const { requests } = await boss.call('approval.list', {});
    assert.deepEqual(
      requests.map((request) => [request.id, request.path, request.right, request.client]),
      [[id, path, 'sign', 'both']],
    );
    const decided = await boss.call('approval.decide', { id, approve: true });
    assert.equal(decided.right, 'sign');
    assert.notEqual(await waiting(both.get(path)), id);
    assert.equal(await codeOf(sign(both, path)), 'ok');
    assert.notEqual(await waiting(sign(both, path)), id);
    const refused = await waiting(sign(signer, path));
    await boss.call('approval.decide', { id: refused, approve: false });
    assert.equal(await codeOf(sign(signer, path)), 'APPROVAL_DENIED');
  });

  await t.test('an approval does not go to a client of the agent that has left', async (sub) => {
    const path = 'global/ssh.prod';
    const { publicKey } = await both.call('ssh.public', { path });
    const told = new EventEmitter();
    const agent = createAgent({
      daemon: () => Promise.resolve(both),
      profile: 'default',
      patterns: [path],
      waitMs: 60_000,
      onRefused: (error) => told.emit('refused', error),
      onWaiting: (error) => told.emit('waiting', error),
    });
    const at = { path: join(home.folder, 'agent.sock') };
    const listener = await listenForClients({ at, answer: agent.answer, onRefused: () => undefined });
    sub.after(() => listener.close());
    const asker = connect(at.path);
    const request = concatBytes(Uint8Array.of(13), sshString(publicKey), sshString(data), sshUint32(0));
    asker.write(concatBytes(sshUint32(request.length), request));
    const [{ approval = '' }] = (await once(told, 'waiting')) as [HushError];
    const refused = once(told, 'refused') as Promise<[HushError]>;
    asker.destroy();
    await boss.call('approval.decide', { id: approval, approve: true });
    assert.equal((await refused)[0].code, 'APPROVAL_PENDING');
    assert.equal(await codeOf(sign(both, path)), 'ok', 'it is there for who still asks');
  });

  await t.test('each signature is on record with its key, and what was signed is not', () => {
    const { audit } = home.profile();
    const records = recordsIn(audit).filter(
      ({ event, client }) => event === 'ssh.sign' && client === 'signer',
    );
    assert.deepEqual(
      records.map(({ key, outcome }) => [key, outcome]),
      [
        ['global/ssh.a', 'ok'],
        ['global/db', 'denied'],
        ['global/missing', 'denied'],
        ['global/ssh.prod', 'denied'],
        ['global/ssh.prod', 'denied'],
      ],
    );
    const text = readFileSync(join(audit, '0000000001.jsonl'), 'latin1');
    for (const form of ['utf8', 'hex', 'base64'] as const)
      assert.ok(!text.includes(Buffer.from(data).toString(form)), form);
  });

  await t.test('A9: signatures with RSA, however many, let others be served in between', async () => {
    const mine = Array.from({ length: 100 }, () => sign(signer, 'global/ssh.rsa'));
    const theirs = both.call('ssh.public', { path: 'global/ssh.a' });
    await Promise.all([...mine, theirs]);
    const events = recordsIn(home.profile().audit).map(({ event, client }) => `${client} ${event}`);
    const place = events.lastIndexOf('both ssh.public');
    const after = events.slice(place).filter((event) => event === 'signer ssh.sign').length;
    assert.ok(after > 50, `${after} of 100 signatures came after the other's request`);
  });

  await t.test('signatures that wait when the profile is locked are not made', async () => {
    const waiting = Array.from({ length: 40 }, () => codeOf(sign(signer, 'global/ssh.rsa')));
    await owner.lock();
    const codes = await Promise.all(waiting);
    assert.deepEqual([...new Set(codes)].sort().slice(0, 1), ['LOCKED']);
    assert.ok(codes.every((code) => code === 'LOCKED' || code === 'ok'));
  });
});
