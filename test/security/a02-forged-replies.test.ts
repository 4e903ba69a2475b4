import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startUnlocked } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';
import { enrol, enrolledWire } from './noise-wire.ts';
import { codeOf, frameOf, greetedWire, pack, requestFrame } from './wire.ts';

const profile = 'default';

test('A2: a reply', async (t) => {
  const { daemon, client } = await startUnlocked(
    t,
    `[profiles.default.grants.app]\nread = ['global/*']\nwrite = ['global/*']\n`,
  );

  await t.test(
    'A2: goes to the connection that asked, also where all connections use the same ids',
    async () => {
      const askers = await Promise.all(Array.from({ length: 8 }, () => greetedWire(t, daemon.socket)));
      for (const index of askers.keys()) await client.set(`global/of-${index}`, utf8(`value of ${index}`));
      const ids = Array.from({ length: 50 }, (_, id) => id);
      for (const id of ids) {
        for (const [index, asker] of askers.entries()) {
          const write = id % 5 === 0;
          const value = write ? { value: utf8(`value of ${index}`) } : {};
          asker.write(
            requestFrame(id, write ? 'secret.set' : 'secret.get', {
              profile,
              path: `global/of-${index}`,
              ...value,
            }),
          );
        }
      }
      for (const [index, asker] of askers.entries()) {
        const answered = new Set<number | null>();
        while (answered.size < ids.length) {
          const answer = await asker.next();
          assert.ok(answer?.ok, answer?.error?.message);
          answered.add(answer.id);
          if (answer.ok['value'] !== undefined) assert.equal(textOf(answer.ok['value']), `value of ${index}`);
        }
        assert.deepEqual(
          [...answered].sort((a, b) => Number(a) - Number(b)),
          ids,
        );
      }
    },
  );

  await t.test(
    'A2: cannot be sent by a client: what looks like one ends its own connection and reaches nobody',
    async () => {
      await client.set('global/a', utf8('the true value'));
      const victim = await greetedWire(t, daemon.socket);
      const forgeries: readonly object[] = [
        { id: 1, ok: { value: utf8('forged'), version: 1, createdAt: '', updatedAt: '' } },
        { id: 1, error: { code: 'NOT_FOUND', message: 'forged', hint: 'forged' } },
        { id: null, error: { code: 'LIMIT_EXCEEDED', message: 'forged', hint: 'forged' } },
        { id: 1, op: 'secret.get', params: { profile, path: 'global/a' }, ok: { value: utf8('forged') } },
      ];
      for (const forgery of forgeries) {
        const mallory = await greetedWire(t, daemon.socket);
        victim.write(requestFrame(1, 'secret.get', { profile, path: 'global/a' }));
        mallory.write(frameOf(pack(forgery)));
        const refused = await mallory.next();
        assert.equal(codeOf(refused), 'BAD_REQUEST');
        assert.equal(refused?.id, null);
        assert.equal(await mallory.next(), undefined);
        const answer = await victim.next();
        assert.equal(answer?.id, 1);
        assert.equal(textOf(answer.ok?.['value']), 'the true value');
      }
      const last = await victim.ask('status', {});
      assert.equal(codeOf(last), 'ok', 'nothing but its own replies has reached the victim');
    },
  );

  await t.test(
    'A2: of an enrolled client cannot be made by others, nor by itself for another of its connections',
    async () => {
      await client.set('global/a', utf8('the true value'));
      const app = await enrol(client, 'app');
      const get = { profile, path: 'global/a' };
      const victim = await enrolledWire(t, daemon.socket, app);
      assert.equal(textOf((await victim.wire.ask('secret.get', get)).ok?.['value']), 'the true value');

      const forger = await enrolledWire(t, daemon.socket, app);
      const reply = pack({ id: 1, ok: { value: utf8('forged'), version: 1, createdAt: '', updatedAt: '' } });
      forger.wire.write(frameOf(reply));
      assert.equal(codeOf(await forger.wire.next()), 'BAD_REQUEST');
      await forger.wire.ended;

      // What was sealed for one connection is no record of another one.
      const other = await enrolledWire(t, daemon.socket, app);
      const set = requestFrame(1, 'secret.set', { ...get, value: utf8('forged') });
      other.greeted.socket.write(forger.greeted.records(forger.transport, set));
      assert.equal(await other.wire.next(), undefined);

      assert.equal(textOf((await victim.wire.ask('secret.get', get)).ok?.['value']), 'the true value');
      assert.equal(
        codeOf(await victim.wire.ask('status', {})),
        'ok',
        'nothing but its own replies has reached it',
      );
    },
  );
});
