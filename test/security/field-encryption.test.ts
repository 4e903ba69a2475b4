import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { programPath } from '../support/programs.ts';
import { passphraseCredential, startUnlocked } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';
import { enrol, enrolledWire, startRelay, type Way } from './noise-wire.ts';
import { codeOf, greetedWire, within } from './wire.ts';

const path = 'global/a';
const secret = 'the value that no relay may see';
const place = { keyring: 'default', namespace: 'mail', key: 'smtp' };
const hush = programPath('hush');

test('with field encryption no value is in the messages, whatever else is', async (t) => {
  const { daemon, client: owner, home } = await startUnlocked(t);
  await owner.set(path, utf8(secret));

  await t.test('in no request and in no reply, however deep in it', async () => {
    const relay = await startRelay(t, daemon.socket);
    const client = await daemon.connect({ socket: relay.path, fieldEncryption: true });
    assert.equal(textOf((await client.get(path)).value), secret);
    await client.set('global/b', utf8(secret));
    await client.set('global/empty', new Uint8Array(0));
    assert.equal((await client.get('global/empty')).value.byteLength, 0);
    const { handle } = await client.call('crypto.encrypt', { ...place, plaintext: utf8(secret) });
    assert.equal(textOf((await client.call('crypto.decrypt', { ...place, handle })).plaintext), secret);
    const results = await client.batch([
      { op: 'secret.get', params: { path } },
      { op: 'secret.set', params: { path: 'global/c', value: utf8(secret) } },
      { op: 'secret.get', params: { path: 'global/c' } },
    ]);
    assert.equal(textOf(results[2].ok?.value), secret);
    await client.unlock([passphraseCredential(secret)]);
    const many = await Promise.all(Array.from({ length: 50 }, () => client.get(path)));
    assert.ok(many.every(({ value }) => textOf(value) === secret));
    client.close();
    for (const way of ['toDaemon', 'toClient'] as const) assert.ok(!relay.seen(way).includes(secret), way);
    assert.ok(relay.seen('toDaemon').includes(path), 'names and operations are not hidden by it');
  });

  await t.test('a value that was changed on the way ends the connection', async () => {
    for (const way of ['toDaemon', 'toClient'] as const) {
      const state = { armed: false };
      const relay = await startRelay(t, daemon.socket, (piece, _at, its: Way) => {
        // Behind the name of the field come its type and length, and then nonce, ciphertext and tag.
        const at = piece.indexOf('value\xc4', 'latin1') + 20;
        if (state.armed && its === way && at >= 20) piece[at] = (piece[at] ?? 0) ^ 1;
        return piece;
      });
      const client = await daemon.connect({ socket: relay.path, fieldEncryption: true });
      await client.set('global/d', utf8('before'));
      state.armed = true;
      const asked = way === 'toDaemon' ? client.set('global/d', utf8('after')) : client.get('global/d');
      await assert.rejects(asked, { code: 'UNIDENTIFIED' });
      assert.equal(textOf((await owner.get('global/d')).value), 'before');
    }
  });

  await t.test(
    'where the config asks for it, clients of ours take part by themselves, and others are refused by name',
    async () => {
      const held = await greetedWire(t, daemon.socket);
      assert.equal(codeOf(await held.ask('status', {})), 'ok');
      home.configure('[transport]\nfield_encryption = true\n');
      daemon.signal('SIGHUP');
      await daemon.logged('"generation":2');
      for (const wire of [held, await greetedWire(t, daemon.socket)]) {
        for (const [op, params] of [
          ['secret.get', { profile: 'default', path }],
          ['status', {}],
          ['batch', { items: [{ op: 'secret.get', params: { profile: 'default', path } }] }],
        ] as const) {
          const refused = await wire.ask(op, params);
          assert.equal(codeOf(refused), 'ACCESS_DENIED', op);
          assert.match(refused.error?.message ?? '', /field encryption/);
          assert.match(refused.error?.hint ?? '', /fieldEncryption/);
        }
      }
      const client = await daemon.connect();
      assert.equal(textOf((await client.get(path)).value), secret);
      const printed = spawnSync(process.execPath, [hush, 'get', path, '--reveal'], {
        env: home.env,
        encoding: 'utf8',
      });
      assert.equal(printed.stdout, secret, printed.stderr);
      const app = await enrol(client, 'app');
      const { wire } = await enrolledWire(t, daemon.socket, app);
      const status = await wire.ask('status', {});
      assert.equal(
        codeOf(status),
        'ok',
        'the daemon has asked in its hello, so it is agreed on in the handshake',
      );
    },
  );

  await t.test('where it is asked of one client, of that one alone', async () => {
    home.configure(
      "[clients.app]\nenrolled = true\nfield_encryption = true\n[profiles.default.grants.app]\nread = ['global/*']\n",
    );
    daemon.signal('SIGHUP');
    await daemon.logged('"generation":3');
    const operator = await daemon.connect();
    await operator.call('client.remove', { name: 'app' });
    const app = await enrol(operator, 'app');
    const without = await daemon.connect({ clientKey: app.file });
    await assert.rejects(without.get(path), { code: 'ACCESS_DENIED', message: /field encryption/ });
    const relay = await startRelay(t, daemon.socket);
    const client = await daemon.connect({ socket: relay.path, clientKey: app.file, fieldEncryption: true });
    assert.equal(textOf((await client.get(path)).value), secret);
    const { wire } = await enrolledWire(t, daemon.socket, app);
    assert.equal(
      within(await wire.ask('secret.get', { profile: 'default', path }), 'error', 'code'),
      'ACCESS_DENIED',
    );
    const plain = await greetedWire(t, daemon.socket);
    assert.equal(codeOf(await plain.ask('secret.get', { profile: 'default', path })), 'ok');
  });
});
