import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createNewFile } from '../../cli/backup/new-file.ts';
import type { HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import {
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestHome,
} from '../support/daemon.ts';
import { inHome } from '../support/open-home.ts';
import { untilAnswer } from '../support/poll.ts';
import { folderFor, restore, take, textAt, valueOf } from './files.ts';

const profile = 'default';
/** The smallest frames: a backup of some hundred values then comes in many pieces. */
const manyPieces = '[limits]\nframe_bytes = 70000\nvalue_bytes = 2048\nplaintext_bytes = 2048\n';

/** Makes a vault of more than one piece. */
async function fill(client: HushClient): Promise<void> {
  for (let at = 0; at < 200; at++) await client.set(`global/filler${at}`, valueOf('x'.repeat(2000)));
}

/** Reads a backup to its end, `between` before each piece, and writes it to `path`. */
async function readAll(
  client: HushClient,
  path: string,
  { id, size }: { readonly id: string; readonly size: number },
  between: (piece: number) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const file = createNewFile(path, { force: false });
  for (let offset = 0, piece = 0; offset < size; piece++) {
    await between(piece);
    const { data } = await client.call('backup.read', { profile, id, offset });
    file.write(data);
    offset += data.length;
  }
  file.keep();
}

/** What `use` finds in the home of a restored backup. */
async function inRestored(
  t: TestContext,
  path: string,
  use: (client: HushClient, home: TestHome) => Promise<void>,
): Promise<void> {
  const home = makeHome(t);
  await restore(home, path);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock([passphraseCredential()]);
  await use(client, home);
  client.close();
  assert.equal(await daemon.stop(), 0);
}

const auditOf = (home: TestHome): Record<string, unknown>[] =>
  readFileSync(join(home.profile().audit, chainFileName), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('backup create', () => {
  test('holds exactly what was acknowledged before it began, whatever is written while it is read', async (t) => {
    const { client, home } = await startUnlocked(t, manyPieces);
    await fill(client);
    for (let at = 0; at < 40; at++) await client.set(`global/n${at}`, valueOf(`first ${at}`));
    await client.delete('global/n3');
    const { handle } = await client.call('crypto.encrypt', {
      keyring: 'default',
      namespace: 'mail',
      key: 'password',
      tenant: 'acme',
      plaintext: valueOf('sealed'),
    });
    const path = join(folderFor(t), 'backup');
    const begun = await client.call('backup.begin', { profile });
    let later = 0;
    await readAll(client, path, begun, async (piece) => {
      await client.set(`global/n${piece % 40}`, valueOf(`second ${piece}`));
      await client.set(`global/later${later++}`, valueOf('x'.repeat(2000)));
      if (piece === 2) await client.call('keys.rotate', {});
      if (piece === 3) await client.delete('global/n20');
    });
    assert.ok(later > 6, `${later} pieces`);
    assert.deepEqual(await client.call('backup.end', { profile, id: begun.id, kept: true }), {
      complete: true,
    });
    assert.equal(await textAt(client, 'global/later3'), 'x'.repeat(2000));

    await inRestored(t, path, async (restored) => {
      for (let at = 0; at < 40; at++) {
        if (at === 3) await assert.rejects(restored.get('global/n3'), { code: 'NOT_FOUND' });
        else assert.equal(await textAt(restored, `global/n${at}`), `first ${at}`);
      }
      await assert.rejects(restored.get('global/later0'), { code: 'NOT_FOUND' });
      const place = { keyring: 'default', namespace: 'mail', key: 'password', tenant: 'acme' };
      const { plaintext } = await restored.call('crypto.decrypt', { ...place, handle });
      assert.deepEqual(Buffer.from(plaintext), Buffer.from('sealed'));
      await restored.set('global/n1', valueOf('third'));
      await restored.lock();
      await restored.unlock([passphraseCredential()]);
      assert.equal(await textAt(restored, 'global/n1'), 'third');
    });

    // The vault that was copied goes on as if nothing had been.
    await client.lock();
    await client.unlock([passphraseCredential()]);
    assert.equal(await textAt(client, 'global/later3'), 'x'.repeat(2000));
    assert.deepEqual(readdirSync(home.profile().folder).sort().slice(0, 3), ['header', 'keyset', 'vault.db']);
  });

  test('holds no value and no name, and neither does a file that others can read come of it', async (t) => {
    const { client } = await startUnlocked(t);
    await client.set('ws:needle/haystack-name', valueOf('needle-value'));
    const folder = folderFor(t);
    await take(client, join(folder, 'backup'));
    const bytes = readFileSync(join(folder, 'backup')).toString('latin1');
    assert.ok(!bytes.includes('needle-value'));
    // The audit names secrets in plain text, as it does in the home.
    const vault = bytes.slice(0, bytes.indexOf('{"seq":1,'));
    assert.ok(!vault.includes('haystack-name'));
    assert.equal(lstatSync(join(folder, 'backup')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['backup']);
  });

  test('one at a time a profile; the next may begin when it has ended, or its connection is gone', async (t) => {
    const { client, daemon } = await startUnlocked(t);
    const other = await daemon.connect();
    const { id } = await client.call('backup.begin', { profile });
    await assert.rejects(other.call('backup.begin', { profile }), {
      code: 'CONFLICT',
      message: /a backup of the profile default is under way/,
    });
    assert.deepEqual(await client.call('backup.end', { profile, id, kept: false }), { complete: false });
    await assert.rejects(client.call('backup.read', { profile, id, offset: 0 }), { code: 'NOT_FOUND' });
    await assert.rejects(client.call('backup.end', { profile, id, kept: true }), { code: 'NOT_FOUND' });

    const left = await other.call('backup.begin', { profile });
    other.close();
    for (;;) {
      try {
        await client.call('backup.begin', { profile });
        break;
      } catch (error) {
        assert.ok(error instanceof HushError && error.code === 'CONFLICT');
      }
    }
    await assert.rejects(client.call('backup.read', { profile, id: left.id, offset: 0 }), {
      code: 'NOT_FOUND',
    });
  });

  test('a lock ends it with a named error, and so do destroyed keys and another vault key', async (t) => {
    const { client } = await startUnlocked(t, manyPieces);
    const place = { keyring: 'default', namespace: 'mail', key: 'password', tenant: 'acme' };
    await client.call('crypto.encrypt', { ...place, plaintext: valueOf('x') });
    await fill(client);
    const locked = await client.call('backup.begin', { profile });
    await client.call('backup.read', { profile, id: locked.id, offset: 0 });
    await client.lock();
    await assert.rejects(client.call('backup.read', { profile, id: locked.id, offset: 0 }), {
      code: 'LOCKED',
    });
    await client.unlock([passphraseCredential()]);
    await assert.rejects(client.call('backup.read', { profile, id: locked.id, offset: 0 }), {
      code: 'CONFLICT',
      message: /closed while it was copied/,
    });

    const shredded = await client.call('backup.begin', { profile });
    await client.call('backup.read', { profile, id: shredded.id, offset: 0 });
    await client.call('keys.shred', { tenant: 'acme' });
    await assert.rejects(client.call('backup.read', { profile, id: shredded.id, offset: 0 }), {
      code: 'CONFLICT',
      message: /keys were destroyed/,
    });
    const rotated = await client.call('backup.begin', { profile });
    await client.call('backup.read', { profile, id: rotated.id, offset: 0 });
    await client.call('keys.rotateVault', {});
    await assert.rejects(client.call('backup.read', { profile, id: rotated.id, offset: 0 }), {
      code: 'CONFLICT',
      message: /closed while it was copied/,
    });
    const path = join(folderFor(t), 'backup');
    await take(client, path);
    await inRestored(t, path, async (restored) => {
      assert.equal((await textAt(restored, 'global/filler0')).length, 2000);
    });
  });

  test('takes the right admin, and is refused to everybody else like everything else', async (t) => {
    const { client, home, daemon } = await startUnlocked(t);
    const { id } = await client.call('backup.begin', { profile });
    home.configure('[operators]\nowner = false\n');
    daemon.signal('SIGHUP');
    await daemon.logged('"config.reload"');
    await assert.rejects(client.call('backup.begin', { profile }), { code: 'ACCESS_DENIED' });
    await assert.rejects(client.call('backup.read', { profile, id, offset: 0 }), { code: 'ACCESS_DENIED' });
    await assert.rejects(client.call('backup.end', { profile, id, kept: true }), { code: 'ACCESS_DENIED' });
  });

  test('each step of it is on record', async (t) => {
    const { client, home } = await startUnlocked(t);
    const { id, checksum } = await take(client, join(folderFor(t), 'backup'));
    assert.match(checksum, /^[0-9a-f]{64}$/);
    const steps = auditOf(home).filter(({ event }) => String(event).startsWith('backup.'));
    assert.deepEqual(
      steps.map(({ event, outcome, key, client: who }) => ({ event, outcome, key, who })),
      [
        { event: 'backup.begin', outcome: 'ok', key: undefined, who: 'owner' },
        { event: 'backup.read', outcome: 'ok', key: `backup ${id} at 0`, who: 'owner' },
        { event: 'backup.end', outcome: 'ok', key: `backup ${id} kept`, who: 'owner' },
      ],
    );
  });

  test('the vault remembers it by its id, and a shredded tenant is told of each that may hold its keys', async (t) => {
    const { client, daemon } = await startUnlocked(t);
    const folder = folderFor(t);
    const place = { keyring: 'default', namespace: 'mail', key: 'password', tenant: 'acme' };
    const before = await take(client, join(folder, 'before'));
    await client.call('crypto.encrypt', { ...place, plaintext: valueOf('x') });
    const kept = await take(client, join(folder, 'kept'));
    const unkept = await client.call('backup.begin', { profile });
    await readAll(client, join(folder, 'unkept'), unkept);
    await client.call('backup.end', { profile, id: unkept.id, kept: false });
    const partly = await client.call('backup.begin', { profile });
    await client.call('backup.end', { profile, id: partly.id, kept: true });
    // Nor does anybody have one that ended with its connection.
    const other = await daemon.connect();
    await other.call('backup.begin', { profile });
    other.close();
    const begun = await untilAnswer(
      () => client.call('backup.begin', { profile }).catch(() => undefined),
      (answer) => answer !== undefined,
    );
    await client.call('backup.end', { profile, id: begun?.id ?? '', kept: false });
    await client.lock();
    await client.unlock([passphraseCredential()]);
    const { backups } = await client.call('keys.shred', { tenant: 'acme' });
    assert.deepEqual(
      backups.map(({ id }) => id),
      [kept.id, unkept.id],
    );
    assert.ok(!backups.some(({ id }) => id === before.id));
  });

  test('gives nothing past its end, nothing before it was reached, and nothing under another id', async (t) => {
    const { client } = await startUnlocked(t);
    const { id, size } = await client.call('backup.begin', { profile });
    const read = (offset: number, of = id) => client.call('backup.read', { profile, id: of, offset });
    await assert.rejects(read(1), { code: 'BAD_REQUEST' });
    await assert.rejects(read(size + 1), { code: 'BAD_REQUEST' });
    await assert.rejects(read(2 ** 53 - 1), { code: 'BAD_REQUEST' });
    await assert.rejects(read(0, 'f'.repeat(32)), { code: 'NOT_FOUND' });
    await assert.rejects(read(0, 'x'), { code: 'BAD_REQUEST' });
    assert.equal((await read(0)).data.length, size);
  });

  test('the daemon needs no more memory for a large vault than for a small one', async (t) => {
    const home = makeHome(t);
    await home.init();
    // Not through the daemon: what that leaves behind in its memory is none of the backup's.
    await inHome(home, new Date(), async ({ vault }) => {
      const open = await vault();
      const value = new Uint8Array(2 * 1024 * 1024).fill(7);
      const paths = Array.from({ length: 24 }, (_, at) => parseSecretPath(`global/big${at}`));
      open.setAll(paths.map((path) => ({ path, value })));
    });
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    const resident = async (): Promise<number> => (await client.status()).rssBytes;
    const before = await resident();
    const { id, size } = await client.call('backup.begin', { profile });
    const samples: number[] = [];
    await readAll(client, join(folderFor(t), 'large'), { id, size }, async (piece) => {
      if (piece % 10 === 0) samples.push(await resident());
    });
    // What was used and can be again comes and goes; what is held of the backup is in all of the last ones.
    const held = Math.min(...samples.slice(-5)) - before;
    t.diagnostic(`${held} of ${size} bytes are held`);
    assert.ok(size > 50_000_000 && held < (size * 2) / 3, `${held} of ${size} bytes`);
  });

  test('a daemon that is killed leaves no file, and its profile as it was', async (t) => {
    const { client, daemon, home } = await startUnlocked(t, manyPieces);
    await fill(client);
    const folder = folderFor(t);
    const path = join(folder, 'backup');
    const begun = await client.call('backup.begin', { profile });
    await client.call('backup.read', { profile, id: begun.id, offset: 0 });
    await client.set('global/meanwhile', valueOf('kept'));
    await client.call('backup.end', { profile, id: begun.id, kept: false });
    const taking = take(client, path);
    const killed = daemon.kill();
    await assert.rejects(taking, HushError);
    await killed;
    assert.deepEqual(readdirSync(folder), []);
    const next = await startDaemon(t, home);
    const again = await next.connect();
    await again.unlock([passphraseCredential()]);
    assert.equal(await textAt(again, 'global/meanwhile'), 'kept');
    await take(again, path);
    assert.ok(existsSync(path));
  });
});

describe('the file that a backup is written to', () => {
  test('is never overwritten unless that is asked for, and then in one step', (t) => {
    const folder = folderFor(t);
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    assert.throws(() => createNewFile(path, { force: false }), { code: 'EXISTS', hint: /--force/ });
    const replaced = createNewFile(path, { force: true });
    replaced.write(Buffer.from('new'));
    assert.equal(readFileSync(path, 'utf8'), 'old');
    replaced.keep();
    assert.equal(readFileSync(path, 'utf8'), 'new');
    replaced.discard();
    assert.deepEqual(readdirSync(folder), ['file']);
    assert.throws(() => createNewFile(folder, { force: true }), { code: 'EXISTS' });
  });

  test('what came of that name meanwhile stays', (t) => {
    const folder = folderFor(t);
    const path = join(folder, 'file');
    const file = createNewFile(path, { force: false });
    file.write(Buffer.from('new'));
    writeFileSync(path, 'other');
    assert.throws(() => file.keep(), { code: 'EXISTS' });
    file.discard();
    assert.equal(readFileSync(path, 'utf8'), 'other');
    assert.deepEqual(readdirSync(folder), ['file']);
  });

  test('a folder that is not there is named', (t) => {
    assert.throws(() => createNewFile(join(folderFor(t), 'no', 'file'), { force: false }), {
      code: 'UNAVAILABLE',
      message: /there is no folder/,
    });
  });
});
