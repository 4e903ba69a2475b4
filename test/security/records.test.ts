import assert from 'node:assert/strict';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { verifyChain } from '../../daemon/audit/verify.ts';
import {
  homeAt,
  keyCredential,
  passphraseCredential,
  startDaemon,
  startUnlocked,
} from '../support/daemon.ts';
import { smallFolder } from '../stores/files.ts';
import { recordsIn, textOf, utf8, type AuditRecord } from './facts.ts';
import { otherProgram, skippedUnlessRoot, wireAs } from './peers.ts';
import { codeOf, greet, greetedWire, requestFrame, within } from './wire.ts';

const profile = 'default';
const place = { keyring: 'default', namespace: 'n', key: 'k' };

test('the audit', async (t) => {
  const exe = otherProgram(t);
  const toml = `[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = ['global/a']\n`;
  const { daemon, home, client } = await startUnlocked(t, toml);
  const owner = await greetedWire(t, daemon.socket);

  await t.test(
    'has one record of each outcome and each denial, there before the caller hears of it',
    async () => {
      const app = await greet(await wireAs(t, daemon.socket, { exe }));
      const value = utf8('a value that stands in no record');
      const sealed = await client.call('crypto.encrypt', { ...place, plaintext: value });
      const get = { profile, path: 'global/a' };
      const rows = [
        [owner, 'secret.set', { ...get, value }, 'ok', 'global/a'],
        [owner, 'secret.get', get, 'ok', 'global/a'],
        [owner, 'secret.get', get, 'ok', 'global/a'],
        [app, 'secret.get', get, 'ok', 'global/a'],
        [app, 'secret.get', { profile, path: 'global/b' }, 'ACCESS_DENIED', 'global/b'],
        [app, 'secret.set', { ...get, value }, 'ACCESS_DENIED', 'global/a'],
        [owner, 'secret.get', { profile, path: 'global/b' }, 'NOT_FOUND', 'global/b'],
        [owner, 'secret.get', { profile, path: 'no name' }, 'INVALID_NAME', 'no name'],
        [owner, 'secret.list', { profile }, 'ok', undefined],
        [owner, 'crypto.decrypt', { profile, ...place, handle: sealed.handle }, 'ok', 'default/n/k'],
        [
          owner,
          'crypto.decrypt',
          { profile, ...place, key: 'other', handle: sealed.handle },
          'INTEGRITY',
          'default/n/other',
        ],
        [owner, 'crypto.digestKey', { profile, keyring: 'default' }, 'ok', 'default'],
        [owner, 'secret.delete', get, 'ok', 'global/a'],
        [owner, 'unlock', { profile, credentials: [passphraseCredential('wrong')] }, 'ok', undefined],
        [owner, 'lock', { profile }, 'ok', undefined],
        [owner, 'secret.get', get, 'LOCKED', 'global/a'],
        [
          owner,
          'unlock',
          { profile, credentials: [passphraseCredential('wrong')] },
          'WRONG_PASSPHRASE',
          undefined,
        ],
        [owner, 'unlock', { profile, credentials: [passphraseCredential()] }, 'ok', undefined],
      ] as const;
      const own = (records: readonly AuditRecord[]): readonly AuditRecord[] =>
        records.filter(({ event }) => event !== 'audit.seal');
      let before = own(recordsIn(home.profile().audit)).length;
      for (const [who, op, params, code, key] of rows) {
        const answer = await who.ask(op, params);
        assert.equal(codeOf(answer), code, `${op}: ${answer.error?.message}`);
        const records = own(recordsIn(home.profile().audit));
        assert.equal(records.length, ++before, `${op} left one record`);
        const last = records.at(-1);
        assert.ok(last);
        const isDenial = !['ok', 'NOT_FOUND', 'INTEGRITY', 'WRONG_PASSPHRASE'].includes(code);
        const outcome = code === 'ok' ? 'ok' : isDenial ? 'denied' : 'failed';
        const expected = {
          event: op,
          outcome,
          code: code === 'ok' ? undefined : code,
          key,
          profile,
          client: who === app ? 'app' : 'owner',
        };
        const { event, client: by } = last;
        assert.deepEqual(
          { event, outcome: last.outcome, code: last.code, key: last.key, profile: last.profile, client: by },
          expected,
        );
        assert.equal(last.uid, process.getuid?.());
        assert.equal(
          last.commit !== undefined,
          code === 'ok' && ['secret.set', 'secret.delete'].includes(op),
        );
      }
      const file = join(home.profile().audit, '0000000001.jsonl');
      assert.doesNotMatch(readFileSync(file, 'latin1'), /stands in no record|correct horse/);
      assert.equal((await verifyChain(file)).bad, undefined);
    },
  );

  await t.test(
    'has a record of each item of a batch, and of what could not be read as a request',
    async () => {
      await client.set('global/a', utf8('x'));
      const item = (op: string, params: object) => ({ op, params: { profile, ...params } });
      const items = [
        item('secret.get', { path: 'global/a' }),
        item('secret.get', { path: 'global/b' }),
        item('secret.set', { path: 'global/c', value: utf8('x') }),
        item('lock', {}),
        item('secret.get', { path: 7 }),
      ];
      const from = recordsIn(home.profile().audit).length;
      const daemonFrom = recordsIn(home.paths.daemonAudit).length;
      assert.equal(codeOf(await owner.ask('batch', { items })), 'ok');
      assert.equal(codeOf(await owner.ask('secret.peek', {})), 'BAD_REQUEST');
      const told = (records: readonly AuditRecord[]) =>
        records
          .filter(({ event }) => event !== 'audit.seal')
          .map(({ event, outcome, code }) => [event, outcome, code ?? '']);
      assert.deepEqual(told(recordsIn(home.profile().audit).slice(from)), [
        ['secret.get', 'ok', ''],
        ['secret.get', 'failed', 'NOT_FOUND'],
        ['secret.set', 'ok', ''],
      ]);
      assert.deepEqual(told(recordsIn(home.paths.daemonAudit).slice(daemonFrom)), [
        ['request', 'denied', 'BAD_REQUEST'],
        ['request', 'denied', 'BAD_REQUEST'],
        ['request', 'denied', 'BAD_REQUEST'],
      ]);
    },
  );

  await t.test('survives the deletion of a profile in the same breath as requests for it', async () => {
    await home.init('doomed');
    await client.call('unlock', { profile: 'doomed', credentials: [passphraseCredential()] });
    await client.call('secret.set', { profile: 'doomed', path: 'global/a', value: utf8('x') });
    await client.set('global/a', utf8('x'));
    const doomed = { profile: 'doomed', path: 'global/a' };
    owner.write(
      Buffer.concat([
        requestFrame(1, 'secret.get', doomed),
        requestFrame(2, 'secret.set', { ...doomed, value: utf8('y') }),
        requestFrame(3, 'profile.delete', { profile: 'doomed' }),
        requestFrame(4, 'secret.get', doomed),
        requestFrame(5, 'secret.set', { profile, path: 'global/a', value: utf8('y') }),
      ]),
    );
    const codes = new Map<unknown, string>();
    for (let count = 0; count < 5; count++) {
      const answer = await owner.next();
      codes.set(answer?.id, codeOf(answer));
    }
    assert.deepEqual(
      [3, 4, 5].map((id) => codes.get(id)),
      ['ok', 'NO_SUCH_PROFILE', 'ok'],
    );
    await client.set('global/a', utf8('z'));
    assert.equal(textOf((await client.get('global/a')).value), 'z');
    const { profiles } = await client.status();
    assert.deepEqual(
      profiles.map(({ name }) => name),
      ['default'],
    );
  });
});

test('the audit lets no value go whose record cannot be written, and service returns when it can', async (t) => {
  if (skippedUnlessRoot(t)) return;
  const key = new Uint8Array(new ArrayBuffer(32)).fill(8);
  const home = homeAt(join(smallFolder(t, '4m'), 'home'));
  await home.init('default', [keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock([keyCredential(key)]);
  await client.set('global/a', utf8('value'));
  assert.equal(textOf((await client.get('global/a')).value), 'value', 'it is in the cache now');
  const ballast = join(home.folder, 'ballast');
  const { bavail, bsize } = statfsSync(home.folder);
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 4096)));
  // The audit file may have room left in its last page: it is full after some records.
  const codes = new Set<string>();
  for (let turn = 0; turn < 200 && !codes.has('UNAVAILABLE'); turn++) {
    const code = await client.get('global/a').then(
      () => 'ok',
      (error: unknown) => String(within(error, 'code')),
    );
    codes.add(code);
  }
  assert.ok(codes.has('UNAVAILABLE'), [...codes].join());
  await assert.rejects(client.get('global/a'), { code: 'UNAVAILABLE', message: /audit/ });
  await assert.rejects(client.set('global/b', utf8('x')), { code: 'UNAVAILABLE' });
  assert.equal((await client.status()).profiles.length, 1, 'status is answered all the same');
  rmSync(ballast);
  assert.equal(textOf((await client.get('global/a')).value), 'value');
  await client.set('global/b', utf8('x'));
  const file = join(home.profile().audit, '0000000001.jsonl');
  assert.equal((await verifyChain(file)).bad, undefined);
  assert.ok(
    recordsIn(home.profile().audit).some(({ event }) => event === 'audit.lost'),
    'what was left out is told',
  );
  assert.equal(await daemon.stop(), 0);
});
