import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Credential, HushClient } from '../../client/index.ts';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  keyCredential,
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
} from '../support/daemon.ts';

const newKey = (): Credential => keyCredential(copyBytes(randomBytes(32)));
const recovery = (): Credential => ({ kind: 'recovery', secret: copyBytes(randomBytes(32)) });
const first = passphraseCredential();
const second = passphraseCredential('another long passphrase');

/** Locks, and unlocks with these; answers the code of the error, or `open`. */
async function reopening(client: HushClient, ...credentials: readonly Credential[]): Promise<string> {
  await client.lock();
  return client.unlock(credentials).then(
    () => 'open',
    (error: unknown) => {
      assert(error instanceof HushError, String(error));
      return error.code;
    },
  );
}

const idOf = async (client: HushClient, label: string): Promise<string> => {
  const { slots } = await client.call('slot.list', {});
  return slots.find((slot) => slot.label === label)?.id ?? assert.fail(`no slot ${label}`);
};

describe('slots', () => {
  test('each one that is added opens alone; one that is removed opens no longer', async (t) => {
    const { client, daemon } = await startUnlocked(t);
    await client.set('global/a', copyBytes(Buffer.from('value')));
    const [key, paper] = [newKey(), recovery()];
    const added = await client.call('slot.add', { credentials: [first], added: key, label: 'server' });
    assert.deepEqual({ ...added, id: '' }, { id: '', kind: 'key', label: 'server' });
    await client.call('slot.add', { credentials: [key], added: paper });
    await client.call('slot.add', { credentials: [paper], added: second });

    const { slots, openers, generation } = await client.call('slot.list', {});
    assert.deepEqual(
      slots.map(({ kind, label, opensAlone, groups }) => [kind, label, opensAlone, groups.length]),
      [
        ['passphrase', 'passphrase', true, 0],
        ['key', 'server', true, 0],
        ['recovery', 'recovery', true, 0],
        ['passphrase', 'passphrase-2', true, 0],
      ],
    );
    assert.deepEqual([openers.length, generation], [4, 4]);
    for (const credential of [first, key, paper, second])
      assert.equal(await reopening(client, credential), 'open');

    await client.call('slot.remove', { slot: added.id });
    assert.equal(await reopening(client, key), 'WRONG_KEY');
    assert.equal(await reopening(client, paper), 'open');
    await daemon.kill();
    const again = await startDaemon(t, daemon.home);
    const later = await again.connect();
    assert.equal(await reopening(later, key), 'WRONG_KEY');
    assert.equal(await reopening(later, second), 'open');
    assert.equal(Buffer.from((await later.get('global/a')).value).toString(), 'value');
  });

  test('a changed passphrase keeps the slot’s id and label, has a new salt, and re-encrypts nothing', async (t) => {
    const { client, home } = await startUnlocked(t);
    await client.set('global/a', copyBytes(Buffer.from('value')));
    const handle = await client.call('crypto.encrypt', {
      keyring: 'default',
      namespace: 'n',
      key: 'k',
      plaintext: copyBytes(Buffer.from('plain')),
    });
    await client.lock();
    const files = () => [home.profile().vault, home.profile().keyset].map((file) => readFileSync(file));
    await client.unlock([first]);
    const saltOf = () => /"salt":"([^"]+)"/.exec(readFileSync(home.profile().header, 'utf8'))?.[1];
    const [before, keyset] = [saltOf(), files()[1]];
    const [slot] = (await client.call('slot.list', {})).slots;
    const changed = await client.call('slot.change', { credentials: [first], replacement: second });
    assert.deepEqual(changed, { id: slot?.id, kind: 'passphrase', label: slot?.label });
    assert.notEqual(saltOf(), before);
    assert.deepEqual(files()[1], keyset);
    assert.equal(await reopening(client, first), 'WRONG_PASSPHRASE');
    assert.equal(await reopening(client, second), 'open');
    assert.equal(Buffer.from((await client.get('global/a')).value).toString(), 'value');
    const { plaintext } = await client.call('crypto.decrypt', {
      ...handle,
      keyring: 'default',
      namespace: 'n',
      key: 'k',
    });
    assert.equal(Buffer.from(plaintext).toString(), 'plain');
  });

  test('a lost passphrase is replaced with the recovery key', async (t) => {
    const { client } = await startUnlocked(t);
    const paper = recovery();
    await client.call('slot.add', { credentials: [first], added: paper });
    assert.equal(await reopening(client, paper), 'open');
    await client.call('slot.change', { credentials: [paper], replacement: second });
    assert.equal(await reopening(client, first), 'WRONG_PASSPHRASE');
    assert.equal(await reopening(client, second), 'open');
  });

  test('the members of a group open together and not alone, until it is ended', async (t) => {
    const { client } = await startUnlocked(t);
    const [key, paper] = [newKey(), recovery()];
    await client.call('slot.add', { credentials: [first], added: key, label: 'server' });
    await client.call('slot.add', { credentials: [first], added: paper, label: 'paper' });
    const [mine, server] = [await idOf(client, 'passphrase'), await idOf(client, 'server')];
    const before = (await client.call('slot.list', {})).generation;
    const { group } = await client.call('slot.group', { credentials: [first], slots: [mine, server] });
    const listed = await client.call('slot.list', {});
    assert.equal(listed.generation, before + 1);
    assert.deepEqual(
      listed.slots.map(({ opensAlone, groups }) => [opensAlone, ...groups]),
      [[false, group], [false, group], [true]],
    );
    assert.equal(await reopening(client, first), 'WRONG_PASSPHRASE');
    assert.equal(await reopening(client, key), 'WRONG_KEY');
    assert.equal(await reopening(client, key, second), 'WRONG_PASSPHRASE');
    assert.equal(await reopening(client, key, first), 'open');
    // The group opens with a member changed, and its id stays.
    await client.call('slot.change', { credentials: [key, first], replacement: second, slot: mine });
    assert.equal((await client.call('slot.list', {})).openers.at(-1)?.id, group);
    assert.equal(await reopening(client, first, key), 'WRONG_PASSPHRASE');
    assert.equal(await reopening(client, second, key), 'open');

    await assert.rejects(client.call('slot.remove', { slot: server }), (error) => {
      assert(error instanceof HushError);
      assert.equal(error.code, 'CONFLICT');
      assert.match(error.hint, new RegExp(`hush slot ungroup ${group}`));
      return true;
    });
    await assert.rejects(client.call('slot.ungroup', { credentials: [second], group }), {
      code: 'WRONG_PASSPHRASE',
    });
    const { alone } = await client.call('slot.ungroup', { credentials: [second, key], group });
    assert.deepEqual(alone, [mine, server]);
    for (const credential of [second, key, paper]) assert.equal(await reopening(client, credential), 'open');
  });

  test('what opens a profile is told while it is locked, to those who may unlock it', async (t) => {
    const { client } = await startUnlocked(t);
    const key = newKey();
    await client.call('slot.add', { credentials: [first], added: key, label: 'server' });
    const opensWith = async () => (await client.status()).profiles[0]?.opensWith;
    const alone = [[{ kind: 'passphrase', label: 'passphrase' }], [{ kind: 'key', label: 'server' }]];
    assert.deepEqual(await opensWith(), alone);
    await client.lock();
    assert.deepEqual(await opensWith(), alone);
    await client.unlock([key]);
    const slots = [await idOf(client, 'passphrase'), await idOf(client, 'server')];
    await client.call('slot.group', { credentials: [key], slots });
    await client.lock();
    assert.deepEqual(await opensWith(), [alone.flat()]);
  });
});

describe('a change of slots that is refused', () => {
  /** Runs the call, which must be refused with the code, and leave the header as it is. */
  async function refused(header: () => Buffer, call: Promise<unknown>, code: string): Promise<void> {
    const before = header();
    await assert.rejects(call, (error) => {
      assert(error instanceof HushError, String(error));
      assert.equal(error.code, code, error.message);
      assert.notEqual(error.hint, '');
      return true;
    });
    assert.deepEqual(header(), before);
  }

  test('has a name and changes nothing: wrong or no credentials, the last opener, what is there already', async (t) => {
    const { client, home } = await startUnlocked(t);
    const header = () => readFileSync(home.profile().header);
    const slot = await idOf(client, 'passphrase');
    const [key, other] = [newKey(), newKey()];
    const add = (credentials: readonly Credential[], added: Credential, label?: string) =>
      client.call('slot.add', { credentials: [...credentials], added, label });

    await refused(header, add([second], key), 'WRONG_PASSPHRASE');
    await refused(header, add([key], key), 'WRONG_KEY');
    await refused(header, add([], key), 'BAD_REQUEST');
    await refused(header, add([first], { kind: 'key', secret: copyBytes(randomBytes(31)) }), 'BAD_REQUEST');
    await refused(header, add([first], first), 'EXISTS');
    await refused(header, add([first], key, 'passphrase'), 'EXISTS');
    await refused(header, add([first], key, slot), 'BAD_REQUEST');
    await refused(header, add([first], key, 'two\nlines'), 'BAD_REQUEST');
    await refused(header, client.call('slot.remove', { slot }), 'CONFLICT');
    await refused(header, client.call('slot.remove', { slot: '0'.repeat(16) }), 'NOT_FOUND');
    await refused(header, client.call('slot.rename', { slot: '0'.repeat(16), label: 'x' }), 'NOT_FOUND');
    await refused(header, client.call('slot.group', { credentials: [first], slots: [slot] }), 'BAD_REQUEST');
    await refused(
      header,
      client.call('slot.group', { credentials: [first], slots: [slot, slot] }),
      'BAD_REQUEST',
    );
    await refused(header, client.call('slot.ungroup', { credentials: [first], group: slot }), 'NOT_FOUND');
    await refused(header, client.call('slot.change', { credentials: [first], replacement: first }), 'EXISTS');
    await refused(
      header,
      client.call('slot.change', { credentials: [first], replacement: key }),
      'BAD_REQUEST',
    );
    await refused(
      header,
      client.call('slot.change', { credentials: [second], replacement: second }),
      'WRONG_PASSPHRASE',
    );

    await add([first], key, 'server');
    await refused(header, add([key], key, 'again'), 'EXISTS');
    await refused(header, add([first], key, 'again'), 'EXISTS');
    const server = await idOf(client, 'server');
    await refused(header, client.call('slot.rename', { slot: server, label: 'passphrase' }), 'EXISTS');
    await refused(
      header,
      client.call('slot.change', { credentials: [first], replacement: key, slot }),
      'BAD_REQUEST',
    );
    await client.call('slot.rename', { slot: server, label: 'host' });
    await client.call('slot.group', { credentials: [first], slots: [slot, server] });
    await refused(
      header,
      client.call('slot.group', { credentials: [first, key], slots: [server, slot] }),
      'EXISTS',
    );
    await refused(header, add([first], other), 'WRONG_PASSPHRASE');
    await client.lock();
    await refused(header, client.call('slot.list', {}), 'LOCKED');
    await refused(header, add([first, key], other), 'LOCKED');
  });

  test('by the limits: eight passphrases', async (t) => {
    const { client, home } = await startUnlocked(t);
    const credentials = [newKey()];
    await client.call('slot.add', { credentials: [first], added: credentials[0] ?? assert.fail() });
    for (let index = 2; index <= 8; index += 1) {
      await client.call('slot.add', { credentials, added: passphraseCredential(`passphrase ${index}`) });
    }
    const before = readFileSync(home.profile().header);
    await assert.rejects(
      client.call('slot.add', { credentials, added: passphraseCredential('one too many') }),
      { code: 'LIMIT_EXCEEDED', limit: 'passphraseSlots' },
    );
    assert.deepEqual(readFileSync(home.profile().header), before);
  });

  test('since another is under way, or the profile was locked meanwhile', async (t) => {
    const { client, home } = await startUnlocked(t);
    const [key, other] = [newKey(), newKey()];
    const one = client.call('slot.add', { credentials: [first], added: key });
    await assert.rejects(client.call('slot.add', { credentials: [first], added: other }), (error) => {
      assert(error instanceof HushError);
      assert.equal(error.code, 'CONFLICT');
      assert.match(error.message, /slot\.add/);
      return true;
    });
    await one;

    const before = readFileSync(home.profile().header);
    const two = client.call('slot.add', { credentials: [first], added: second });
    const locked = client.lock();
    await assert.rejects(two, { code: 'LOCKED' });
    await locked;
    assert.deepEqual(readFileSync(home.profile().header), before);
    assert.equal(await reopening(client, key), 'open');
  });

  test('when the header was edited by hand: INTEGRITY or DAMAGED, and the edit stays as it is', async (t) => {
    const { client, home, daemon } = await startUnlocked(t);
    const { header } = home.profile();
    const slot = await idOf(client, 'passphrase');
    const genuine = readFileSync(header);
    await client.call('slot.rename', { slot, label: 'operator' });
    const newer = readFileSync(header);
    const edits: [Buffer, string][] = [
      [genuine, 'INTEGRITY'],
      [Buffer.from(newer.toString().replace('operator', 'Operator')), 'DAMAGED'],
      [newer.subarray(0, 100), 'DAMAGED'],
    ];
    for (const [bytes, code] of edits) {
      writeFileSync(header, bytes);
      for (const call of [
        () => client.call('slot.rename', { slot, label: 'other' }),
        () => client.call('slot.add', { credentials: [first], added: newKey() }),
      ]) {
        await assert.rejects(call(), (error) => {
          assert(error instanceof HushError, String(error));
          assert.equal(error.code, code);
          return true;
        });
        assert.deepEqual(readFileSync(header), Buffer.from(bytes));
      }
    }
    writeFileSync(header, newer);
    await client.call('slot.rename', { slot, label: 'other' });
    await daemon.stop();
  });
});

describe('Argon2id', () => {
  const costOf = async (client: HushClient) => (await client.call('slot.list', {})).slots[0]?.argon2;

  test('is raised in place at the next unlock when the config asks for more, and never lowered', async (t) => {
    const { client, home, daemon } = await startUnlocked(t, '[kdf]\nmemory_mib = 19\npasses = 2\n');
    const start = await client.call('slot.list', {});
    assert.deepEqual(await costOf(client), { memoryKiB: 19 * 1024, passes: 2 });
    const reload = async (toml: string) => {
      const logged = daemon.logged('config.reload');
      home.configure(toml);
      daemon.signal('SIGHUP');
      await logged;
    };
    await reload('[kdf]\nmemory_mib = 24\npasses = 3\n');
    assert.equal(await reopening(client, second), 'WRONG_PASSPHRASE');
    assert.equal(await reopening(client, first), 'open');
    await daemon.logged('"slot.raised"');
    assert.deepEqual(await costOf(client), { memoryKiB: 24 * 1024, passes: 3 });
    const raised = await client.call('slot.list', {});
    assert.equal(raised.generation, start.generation + 1);
    assert.equal(raised.slots[0]?.id, start.slots[0]?.id);
    const record = readFileSync(`${home.profile().audit}/0000000001.jsonl`, 'utf8')
      .split('\n')
      .find((line) => line.includes('slot.raised'));
    assert.match(record ?? '', /"memoryKiB":24576/);

    assert.equal(await reopening(client, first), 'open');
    assert.equal((await client.call('slot.list', {})).generation, raised.generation);
    const added = await client.call('slot.add', { credentials: [first], added: second });
    assert.deepEqual((await client.call('slot.list', {})).slots.find(({ id }) => id === added.id)?.argon2, {
      memoryKiB: 24 * 1024,
      passes: 3,
    });
  });
});

describe('rights', () => {
  test('slots are for those who may administer the profile; lock --all locks what its caller may lock', async (t) => {
    const home = makeHome(t);
    await home.init();
    await home.init('other');
    const uid = process.getuid?.() ?? assert.fail();
    home.configure(
      `[clients.shop]\nuid = ${uid}\n[profiles.default.grants.shop]\nlock = true\nunlock = true\n` +
        '[profiles.other.grants.shop]\nread = ["*"]\n',
    );
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([first]);
    const slot = '0'.repeat(16);
    const credentials = [first];
    for (const call of [
      client.call('slot.list', {}),
      client.call('slot.add', { credentials, added: newKey() }),
      client.call('slot.change', { credentials, replacement: second }),
      client.call('slot.remove', { slot }),
      client.call('slot.rename', { slot, label: 'x' }),
      client.call('slot.group', { credentials, slots: [slot, slot] }),
      client.call('slot.ungroup', { credentials, group: slot }),
    ]) {
      await assert.rejects(call, { code: 'ACCESS_DENIED' });
    }
    const told = (await client.status()).profiles.map(({ name, opensWith }) => [name, opensWith?.length]);
    assert.deepEqual(told, [
      ['default', 1],
      ['other', undefined],
    ]);
    assert.deepEqual(await client.lockAll(), [{ name: 'default', already: false }]);

    const reloaded = daemon.logged('config.reload');
    home.configure(`[clients.shop]\nuid = ${uid}\n[profiles.other.grants.shop]\nread = ["*"]\n`);
    daemon.signal('SIGHUP');
    await reloaded;
    await assert.rejects(client.lockAll(), { code: 'ACCESS_DENIED' });
  });
});

describe('lock --all', () => {
  test('locks every profile at once, ends what unlocks, and is on record in each of them', async (t) => {
    const home = makeHome(t);
    for (const name of ['one', 'three', 'two']) await home.init(name);
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect({ profile: 'one' });
    for (const profile of ['one', 'two']) await client.call('unlock', { profile, credentials: [first] });
    const unlocking = [1, 2].map(() => client.call('unlock', { profile: 'three', credentials: [first] }));
    const ended = Promise.all(unlocking.map((attempt) => assert.rejects(attempt, { code: 'CONFLICT' })));
    const adding = assert.rejects(
      client.call('slot.add', { profile: 'one', credentials: [first], added: second }),
      { code: 'LOCKED' },
    );
    assert.deepEqual(await client.lockAll(), [
      { name: 'one', already: false },
      { name: 'three', already: true },
      { name: 'two', already: false },
    ]);
    await Promise.all([ended, adding]);
    assert.deepEqual(
      (await client.status()).profiles.map(({ state }) => state),
      ['locked', 'locked', 'locked'],
    );
    for (const name of ['one', 'two', 'three']) {
      const audit = readFileSync(`${home.profile(name).audit}/0000000001.jsonl`, 'utf8');
      assert.match(audit, /"event":"lock\.all".*"client":"owner"|"client":"owner".*"event":"lock\.all"/);
    }
    assert.equal(
      (await client.lockAll()).every(({ already }) => already),
      true,
    );
    await client.call('unlock', { profile: 'three', credentials: [first] });
  });
});
