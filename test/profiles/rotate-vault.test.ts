import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import OriginalSqlcipher from '@signalapp/sqlcipher';

import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { secretsOf } from '../faults/keys.ts';
import {
  keyCredential,
  makeHome,
  passphraseCredential,
  startDaemon,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';

const patient = { deadlineMs: 60_000 };
const key = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const place = { keyring: 'default', namespace: 'n', key: 'k' };
const rotate = (client: HushClient) => client.call('keys.rotateVault', {}, patient);
const filesIn = (home: TestHome): string[] => readdirSync(home.profile().folder).sort();

interface Scene {
  readonly home: TestHome;
  readonly daemon: TestDaemon;
  readonly client: HushClient;
}

/** A profile with a passphrase and a key, unlocked, with so many secrets. */
async function scene(t: TestContext, secrets: number): Promise<Scene> {
  const home = makeHome(t);
  await home.init('default', [passphraseCredential(), keyCredential(key)]);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect(patient);
  await client.unlock([keyCredential(key)]);
  for (let from = 0; from < secrets; from += 500) {
    const outcomes = await client.batch(
      Array.from({ length: Math.min(500, secrets - from) }, (_, at) => ({
        op: 'secret.set' as const,
        params: { path: `global/s${from + at}`, value: bytesOf(`value ${from + at} `.repeat(10)) },
      })),
    );
    for (const { error } of outcomes) if (error !== undefined) throw error;
  }
  return { home, daemon, client };
}

async function text(client: HushClient, path: string): Promise<string> {
  return Buffer.from((await client.get(path)).value).toString();
}

/** What `unlock` is refused with. */
async function refusal(client: HushClient): Promise<HushError> {
  const error: unknown = await client.unlock([keyCredential(key)]).catch((reason: unknown) => reason);
  assert.ok(error instanceof HushError, 'it was unlocked');
  return error;
}

/** Resolves once a rotation of the vault key is in this phase, or a later one. */
async function reached(
  client: HushClient,
  phases: readonly string[],
  isOver: () => boolean = () => false,
): Promise<void> {
  while (!isOver()) {
    const { phase } = await client.call('keys.vaultRotation', {});
    if (phase !== undefined && phases.includes(phase)) return;
  }
}

/**
 * Rotates until `end` comes in the middle of it, and gives the error of that rotation with the files and the generation
 * of before it. `end` answers how to go on where it came too late.
 */
async function interrupted(
  home: TestHome,
  client: () => HushClient,
  phases: readonly string[],
  end: () => Promise<() => Promise<unknown>>,
): Promise<{ error: HushError; files: string[]; generation: number }> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const files = filesIn(home).filter((name) => !/-(?:wal|shm)$/.test(name));
    const { generation } = readHeaderFile(home.profile().header).body;
    const state = { isOver: false };
    const rotation = rotate(client())
      .catch((error: unknown) => error)
      .finally(() => (state.isOver = true));
    await reached(client(), phases, () => state.isOver);
    const goOn = await end();
    const outcome = await rotation;
    if (outcome instanceof HushError) return { error: outcome, files, generation };
    await goOn();
  }
  return assert.fail('each rotation was over before anything could come in the middle of it');
}

describe('the rotation of the vault key', () => {
  test('puts vault and key set into new files under a new header, and everything goes on opening', async (t) => {
    const { home, client, daemon } = await scene(t, 300);
    const before = await secretsOf(home.profile(), keyCredential(key));
    await client.call('keys.rotate', {});
    const handles = [
      (await client.call('crypto.encrypt', { ...place, plaintext: bytesOf('no tenant') })).handle,
      (await client.call('crypto.encrypt', { ...place, tenant: 'acme', plaintext: bytesOf('tenant') }))
        .handle,
    ];
    const { key: digestKey } = await client.call('crypto.digestKey', { keyring: 'default' });

    const told = await rotate(client);
    assert.deepEqual(told, {
      generation: 2,
      keysetGeneration: 2,
      files: { vault: 'vault-2.db', keyset: 'keyset-2' },
      secrets: 300,
      removed: true,
    });
    const check = async (client: HushClient): Promise<void> => {
      assert.equal(await text(client, 'global/s299'), 'value 299 '.repeat(10));
      for (const [at, handle] of handles.entries()) {
        const tenant = at === 1 ? { tenant: 'acme' } : {};
        const { plaintext } = await client.call('crypto.decrypt', { ...place, ...tenant, handle });
        assert.equal(Buffer.from(plaintext).toString(), at === 1 ? 'tenant' : 'no tenant');
      }
      const again = await client.call('crypto.digestKey', { keyring: 'default' });
      assert.deepEqual(again.key, digestKey);
    };
    await check(client);
    await client.set('global/s0', bytesOf('set after'));
    await client.call('crypto.encrypt', { ...place, tenant: 'new after', plaintext: bytesOf('x') });
    await client.call('keys.rotate', {});
    assert.deepEqual(filesIn(home), ['header', 'keyset-2', 'vault-2.db', 'vault-2.db-wal']);

    await client.lock();
    for (const credential of [passphraseCredential(), keyCredential(key)]) {
      await client.unlock([credential]);
      await check(client);
      assert.equal(await text(client, 'global/s0'), 'set after');
      await client.lock();
    }
    assert.equal((await rotate(await unlocked(client))).generation, 3);
    await check(client);
    assert.equal(await daemon.stop(), 0);
    assert.deepEqual(filesIn(home), ['header', 'keyset-3', 'vault-3.db']);

    const after = await secretsOf(home.profile(), keyCredential(key));
    for (const name of ['vault key', 'vault file key', 'key-wrapping key', 'header MAC key']) {
      assert.notDeepEqual(after.all.get(name), before.all.get(name), name);
    }
    for (const [name, bytes] of before.all) {
      if (/^(dek|digest|name-index|audit) /.test(name)) assert.deepEqual(after.all.get(name), bytes, name);
    }
    const audit = join(home.profile().audit, chainFileName);
    const seals = { vaultId: after.vaultId, secretOf: (id: string) => after.auditKeys.get(id) };
    assert.equal((await verifyChain(audit, { seals })).bad, undefined);
    assert.equal(readFileSync(audit, 'utf8').match(/"event":"keys.rotateVault"/g)?.length, 2);

    const read = (fileKey: Uint8Array | undefined): unknown => {
      const db = new OriginalSqlcipher(join(home.profile().folder, 'vault-3.db'));
      db.pragma(`key = "x'${Buffer.from(fileKey ?? []).toString('hex')}'"`);
      try {
        assert.equal(db.pragma('cipher_integrity_check').length, 0);
        return db.prepare('select count(*) from secret', { pluck: true }).get();
      } finally {
        db.close();
      }
    };
    assert.equal(read(after.all.get('vault file key')), 301, 'all secrets, and the one earlier version');
    assert.throws(() => read(before.all.get('vault file key')), 'the key before opens it no more');
  });

  test('seals the new vault key for every slot and group, with nobody present', async (t) => {
    const { home, client } = await scene(t, 3);
    const recovery = { kind: 'recovery' as const, secret: new Uint8Array(32).fill(9) };
    const second = keyCredential(new Uint8Array(32).fill(8));
    const proof = { credentials: [keyCredential(key)] };
    const { id: one } = await client.call('slot.add', { ...proof, added: recovery });
    const { id: other } = await client.call('slot.add', { ...proof, added: second, label: 'second' });
    await client.call('slot.group', { ...proof, slots: [one, other] });
    const old = readFileSync(home.profile().header);
    await rotate(client);
    const changed = { kind: 'passphrase' as const, secret: bytesOf('another passphrase') };
    await client.call('slot.change', { ...proof, replacement: changed });
    for (const credentials of [[recovery, second], [keyCredential(key)], [changed]]) {
      await client.lock();
      await client.unlock(credentials);
      assert.equal(await text(client, 'global/s2'), 'value 2 '.repeat(10));
    }
    await client.lock();
    for (const credentials of [[recovery], [second], [passphraseCredential()]]) {
      await assert.rejects(client.unlock(credentials), { code: /^WRONG_/ });
    }
    // With the old passphrase, under an old header: what it opens is nothing of today.
    writeFileSync(home.profile().header, old);
    await assert.rejects(client.unlock([passphraseCredential()]), { code: 'ROLLBACK' });
  });

  test('serves reads and writes all the while, and loses none of them', async (t) => {
    const { home, daemon, client } = await scene(t, 2000);
    const rotation = rotate(client);
    let ended = false;
    const end = rotation.finally(() => {
      ended = true;
    });
    const worker = await daemon.connect(patient);
    const written = new Map<string, string | undefined>();
    const handles: { handle: Awaited<ReturnType<typeof encrypt>>; tenant: string }[] = [];
    const encrypt = async (tenant: string) =>
      (await worker.call('crypto.encrypt', { ...place, tenant, plaintext: bytesOf(tenant) })).handle;
    const hasEnded = (): boolean => ended;
    for (let round = 0; !hasEnded(); round++) {
      const [changed, removed, added] = [
        `global/s${(round * 37) % 1000}`,
        `global/s${1000 + round}`,
        `global/n${round}`,
      ];
      await worker.set(changed, bytesOf(`changed ${round}`));
      written.set(changed, `changed ${round}`);
      if (round < 900) {
        await worker.delete(removed);
        written.set(removed, undefined);
      }
      await worker.set(added, bytesOf(`added ${round}`));
      written.set(added, `added ${round}`);
      if (round % 50 === 0)
        handles.push({ handle: await encrypt(`tenant${round}`), tenant: `tenant${round}` });
      assert.equal(await text(worker, changed), `changed ${round}`);
    }
    assert.equal((await end).generation, 2);
    assert.ok(written.size > 20, String(written.size));
    const check = async (client: HushClient): Promise<void> => {
      for (const [path, value] of written) {
        if (value === undefined) await assert.rejects(client.get(path), { code: 'NOT_FOUND' });
        else assert.equal(await text(client, path), value);
      }
      for (const { handle, tenant } of handles) {
        const { plaintext } = await client.call('crypto.decrypt', { ...place, tenant, handle });
        assert.equal(Buffer.from(plaintext).toString(), tenant);
      }
      assert.equal(await text(client, 'global/s1999'), 'value 1999 '.repeat(10));
    };
    await check(client);
    await client.lock();
    await check(await unlocked(client));
    assert.deepEqual(
      filesIn(home).filter((name) => !name.endsWith('-wal')),
      ['header', 'keyset-2', 'vault-2.db'],
    );
  });

  test('a second one, or another change of the header, is CONFLICT while one is under way', async (t) => {
    const { client } = await scene(t, 1500);
    const first = rotate(client);
    await reached(client, ['copy', 'check', 'switch']);
    const refused = { code: 'CONFLICT', message: /keys rotate --vault/ };
    await assert.rejects(rotate(client), refused);
    await assert.rejects(client.call('slot.rename', { slot: '0'.repeat(16), label: 'x' }), refused);
    assert.equal((await first).generation, 2);
    assert.deepEqual(await client.call('keys.vaultRotation', {}), { underWay: false });
  });

  for (const phase of ['copy', 'check']) {
    test(`is dropped without a trace when the profile is locked meanwhile: ${phase}`, async (t) => {
      const { home, client } = await scene(t, 1500);
      const phases = phase === 'copy' ? ['copy', 'check'] : ['check', 'switch'];
      const { error, files, generation } = await interrupted(
        home,
        () => client,
        phases,
        async () => {
          await client.lock();
          return () => unlocked(client);
        },
      );
      assert.equal(error.code, 'LOCKED');
      assert.deepEqual(filesIn(home), files);
      await unlocked(client);
      assert.equal(await text(client, 'global/s1499'), 'value 1499 '.repeat(10));
      assert.equal((await rotate(client)).generation, generation + 1);
    });
  }

  test('is dropped when the daemon is told to stop, which does not wait for it', async (t) => {
    const { home, ...first } = await scene(t, 1500);
    let { client, daemon } = first;
    const { files } = await interrupted(
      home,
      () => client,
      ['copy', 'check'],
      async () => {
        assert.equal(await daemon.stop(), 0);
        return async () => {
          daemon = await startDaemon(t, home);
          client = await daemon.connect(patient);
          await unlocked(client);
        };
      },
    );
    assert.deepEqual(filesIn(home), files);
    const next = await (await startDaemon(t, home)).connect(patient);
    await unlocked(next);
    assert.equal(await text(next, 'global/s1499'), 'value 1499 '.repeat(10));
  });

  test('is refused while the profile is locked, and without the right to the keys', async (t) => {
    const { client } = await scene(t, 1);
    await client.lock();
    await assert.rejects(rotate(client), { code: 'LOCKED' });
    await assert.rejects(client.call('keys.vaultRotation', {}), { code: 'LOCKED' });
  });

  test('what a cut-off one has left is removed at the next unlock, and never what the header names', async (t) => {
    const { home, client, daemon } = await scene(t, 10);
    await rotate(client);
    await daemon.stop();
    const { folder } = home.profile();
    const left = [
      'vault.db',
      'vault.db-wal',
      'keyset',
      'vault-3.db',
      'vault-3.db-journal',
      'keyset-3',
      '.keyset-3.tmp',
      '.header.tmp',
    ];
    for (const name of left) writeFileSync(join(folder, name), 'left over', { mode: 0o600 });
    writeFileSync(join(folder, 'notes-of-mine'), 'kept', { mode: 0o600 });
    const next = await (await startDaemon(t, home)).connect(patient);
    await unlocked(next);
    assert.deepEqual(filesIn(home), ['header', 'keyset-2', 'notes-of-mine', 'vault-2.db', 'vault-2.db-wal']);
    assert.equal(await text(next, 'global/s9'), 'value 9 '.repeat(10));
  });
});

async function unlocked(client: HushClient): Promise<HushClient> {
  await client.unlock([keyCredential(key)]);
  return client;
}

describe('A7: files of before a rotation of the vault key, put back', () => {
  /** A home after a rotation, stopped, and its folder before that and after it. */
  async function rotatedHome(t: TestContext): Promise<{ home: TestHome; before: string; after: string }> {
    const { home, client, daemon } = await scene(t, 5);
    const { folder } = home.profile();
    const [before, after] = ['before', 'after'].map((name) => join(home.folder, '..', name));
    assert.ok(before !== undefined && after !== undefined);
    await client.lock();
    cpSync(folder, before, { recursive: true });
    await rotate(await unlocked(client));
    await client.set('global/s0', bytesOf('newer'));
    await daemon.stop();
    cpSync(folder, after, { recursive: true });
    return { home, before, after };
  }

  test('all of them are ROLLBACK; taken on purpose, they leave the newer ones where they are', async (t) => {
    const { home, before, after } = await rotatedHome(t);
    const { folder } = home.profile();
    for (const name of readdirSync(before)) cpSync(join(before, name), join(folder, name));
    const client = await (await startDaemon(t, home)).connect(patient);
    const error = await refusal(client);
    assert.equal(error.code, 'ROLLBACK');
    assert.ok(existsSync(join(folder, 'vault-2.db')), 'what is refused removes nothing');
    const id = /--accept-rollback (\S+)/.exec(error.hint)?.[1];
    assert.ok(id !== undefined);
    await client.unlock([keyCredential(key)], { acceptRollback: id });
    assert.equal(await text(client, 'global/s0'), 'value 0 '.repeat(10));
    assert.deepEqual(readFileSync(join(folder, 'vault-2.db')), readFileSync(join(after, 'vault-2.db')));
  });

  test('the header alone is ROLLBACK, for the vault that it names is gone', async (t) => {
    const { home, before, after } = await rotatedHome(t);
    const { folder, header } = home.profile();
    cpSync(join(before, 'header'), header);
    const client = await (await startDaemon(t, home)).connect(patient);
    assert.equal((await refusal(client)).code, 'ROLLBACK');
    assert.ok(existsSync(join(folder, 'vault-2.db')));
    cpSync(join(after, 'header'), header);
    await unlocked(client);
    assert.equal(await text(client, 'global/s0'), 'newer');
  });

  test('the vault or the key set under the new name does not open', async (t) => {
    const { home, before, after } = await rotatedHome(t);
    const { folder } = home.profile();
    for (const [from, to, codes] of [
      ['vault.db', 'vault-2.db', ['DAMAGED', 'INTEGRITY']],
      ['keyset', 'keyset-2', ['INTEGRITY', 'ROLLBACK']],
    ] as const) {
      rmSync(folder, { recursive: true });
      mkdirSync(folder, { mode: 0o700 });
      for (const name of readdirSync(after)) cpSync(join(after, name), join(folder, name));
      cpSync(join(before, from), join(folder, to));
      const daemon = await startDaemon(t, home);
      const { code } = await refusal(await daemon.connect(patient));
      assert.ok(
        codes.some((expected) => expected === code),
        `${to}: ${code}`,
      );
      await daemon.stop();
    }
  });
});
