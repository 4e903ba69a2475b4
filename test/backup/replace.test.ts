import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { lockHome } from '../../daemon/backup/lock-home.ts';
import type { OpenBothParts } from '../../daemon/backup/open-both.ts';
import { openBackup } from '../../daemon/backup/reader.ts';
import { replaceProfile, type Replaced } from '../../daemon/backup/replace.ts';
import type { ProfilePaths } from '../../daemon/home/paths.ts';
import type { ExchangeNames } from '../../daemon/profiles/exchange.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { HushError } from '../../protocol/errors.ts';
import { fixtureHome } from '../fixtures/homes.ts';
import { makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';
import { backupOfClosedHome } from './closed-home.ts';
import { folderFor, restore, take, textAt, valueOf, withProof } from './files.ts';

const place = { keyring: 'default', namespace: 'mail', key: 'password' } as const;
const other = 'another horse battery staple';

/**
 * Runs a daemon on the home while `use` works with the unlocked profile. With `isOlder` the unlock must first say
 * ROLLBACK, and its id is then taken.
 */
async function served(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient, taken: string | undefined) => Promise<void>,
  { passphrase, isOlder = false }: { readonly passphrase?: string; readonly isOlder?: boolean } = {},
): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect({ deadlineMs: 30_000 });
  try {
    const taken = isOlder ? await rollbackOf(client, passphrase) : undefined;
    const accepted = taken === undefined ? {} : { acceptRollback: taken };
    await client.unlock([passphraseCredential(passphrase)], accepted);
    await use(client, taken);
  } finally {
    client.close();
    await daemon.stop();
  }
}

/** The id that an unlock refuses with ROLLBACK by. */
async function rollbackOf(client: HushClient, passphrase?: string): Promise<string> {
  let id = '';
  await assert.rejects(client.unlock([passphraseCredential(passphrase)]), (error) => {
    assert.ok(error instanceof HushError);
    assert.equal(error.code, 'ROLLBACK', error.message);
    id = /--accept-rollback (\S+)/.exec(error.hint)?.[1] ?? '';
    return id !== '';
  });
  return id;
}

/** Unlocks, and takes what is found to be older by its id. */
async function unlockTaking(client: HushClient): Promise<void> {
  try {
    await client.unlock([passphraseCredential()]);
  } catch (error) {
    assert.ok(error instanceof HushError && /ROLLBACK|INTEGRITY/.test(error.code), String(error));
    const id = /--accept-rollback (\S+)/.exec(error.hint)?.[1];
    assert.ok(id !== undefined, error.hint);
    await client.unlock([passphraseCredential()], { acceptRollback: id });
  }
}

/** Puts a backup over the profile as `hush backup restore --replace` does. */
async function replace(
  home: TestHome,
  path: string,
  {
    name = 'default',
    passphrases = [undefined],
    askPast,
    exchange,
    leavesOut = false,
  }: {
    readonly name?: string;
    readonly passphrases?: readonly (string | undefined)[];
    readonly askPast?: OpenBothParts['askPast'];
    readonly exchange?: ExchangeNames;
    readonly leavesOut?: boolean;
  } = {},
): Promise<Replaced> {
  const backup = await openBackup(path);
  try {
    const credentials = passphrases.map((text) => passphraseCredential(text));
    return await withProof(credentials, (proof) =>
      replaceProfile({
        paths: home.paths,
        name: parseProfileName(name),
        backup,
        proof: { ...proof, askPast },
        leavesOut,
        ...(exchange === undefined ? {} : { exchange }),
      }),
    );
  } finally {
    await backup.close();
  }
}

/** A home with a past: `before` is what the backup at `path` shows, `after` came later. */
async function withPast(
  t: TestContext,
  before: (client: HushClient) => Promise<void>,
  after: (client: HushClient) => Promise<void>,
): Promise<{ readonly home: TestHome; readonly path: string }> {
  const home = makeHome(t);
  await home.init();
  const path = join(folderFor(t), 'backup');
  await served(t, home, async (client) => {
    await before(client);
    await take(client, path);
    await after(client);
  });
  return { home, path };
}

const encrypt = async (client: HushClient, tenant?: string) =>
  (
    await client.call('crypto.encrypt', {
      ...place,
      ...(tenant === undefined ? {} : { tenant }),
      plaintext: valueOf('sealed'),
    })
  ).handle;

type Handle = Awaited<ReturnType<typeof encrypt>>;

const decrypt = async (client: HushClient, handle: Handle): Promise<string> =>
  Buffer.from((await client.call('crypto.decrypt', { ...place, handle })).plaintext).toString();

/** How many messages each data key of the first line has sealed at most. */
async function messagesOf(client: HushClient): Promise<Map<string, number>> {
  const { keys } = await client.call('keys.status', {});
  return new Map(keys.map(({ kmsKeyId, messages }) => [kmsKeyId, messages]));
}

async function resealed(client: HushClient): Promise<void> {
  while ((await client.call('keys.resealing', {})).left > 0) await nextTurn();
}

const auditLines = (home: TestHome): string[] =>
  readFileSync(join(home.profile().audit, chainFileName), 'utf8').trimEnd().split('\n');

const setA = (text: string) => async (client: HushClient) => {
  await client.set('global/a', valueOf(text));
};

describe('A7: backup restore --replace', () => {
  test('brings the older rows back, is noticed at the unlock, and taken by its id; what was there is kept', async (t) => {
    const { home, path } = await withPast(t, setA('older'), async (client) => {
      await client.set('global/a', valueOf('newer'));
      await client.set('global/b', valueOf('only newer'));
    });
    const records = auditLines(home).length;
    const { kept, keysOf, slotsOf, unreadable, secrets } = await replace(home, path);
    assert.deepEqual([keysOf, slotsOf, unreadable, secrets], ['profile', 'profile', 0, 1]);
    assert.deepEqual(
      readdirSync(home.paths.profiles).sort(),
      [kept.slice(home.paths.profiles.length + 1), 'default'].sort(),
    );

    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    const id = await rollbackOf(client);
    await daemon.stop();
    await served(
      t,
      home,
      async (next, taken) => {
        assert.equal(taken, id);
        assert.equal(await textAt(next, 'global/a'), 'older');
        await assert.rejects(next.get('global/b'), { code: 'NOT_FOUND' });
        await next.set('global/c', valueOf('after'));
      },
      { isOlder: true },
    );
    await served(t, home, async (client) => {
      assert.equal(await textAt(client, 'global/c'), 'after');
    });
    const audit = auditLines(home);
    assert.ok(audit.length > records);
    assert.match(
      audit.find((line) => line.includes('"event":"backup.restored"')) ?? '',
      /"replaced":"\.replaced-default-/,
    );

    // The state that was replaced is whole: put back by hand it opens.
    rmSync(home.profile().folder, { recursive: true });
    renameSync(kept, home.profile().folder);
    const last = await (await startDaemon(t, home)).connect();
    await unlockTaking(last);
    assert.equal(await textAt(last, 'global/b'), 'only newer');
  });

  test('never drops a data key: what was sealed after the backup opens, and rotation goes on from there', async (t) => {
    let handles: Handle[] = [];
    let messages = new Map<string, number>();
    const { home, path } = await withPast(t, setA('older'), async (client) => {
      await client.call('keys.rotate', {});
      handles = [await encrypt(client), await encrypt(client, 'acme')];
      await client.call('keys.rotate', {});
      handles.push(await encrypt(client));
      messages = await messagesOf(client);
    });
    await replace(home, path);
    await served(
      t,
      home,
      async (client) => {
        const after = await messagesOf(client);
        for (const [kmsKeyId, count] of messages) assert.ok((after.get(kmsKeyId) ?? 0) >= count, kmsKeyId);
        for (const handle of handles) assert.equal(await decrypt(client, handle), 'sealed');
        assert.equal(await textAt(client, 'global/a'), 'older');
        const { version } = await client.call('keys.rotate', {});
        assert.ok(version > 3, String(version));
        await resealed(client);
        assert.equal(await textAt(client, 'global/a'), 'older');
      },
      { isOlder: true },
    );
  });

  test('a tenant that was shredded since stays so, and its key is in no file of the profile', async (t) => {
    let handle: Handle | undefined;
    const { home, path } = await withPast(
      t,
      async (client) => {
        await client.set('global/a', valueOf('older'));
        handle = await encrypt(client, 'acme');
      },
      async (client) => {
        await client.call('keys.shred', { tenant: 'acme' });
      },
    );
    await replace(home, path);
    await served(
      t,
      home,
      async (client) => {
        assert.ok(handle !== undefined);
        await assert.rejects(decrypt(client, handle), { code: 'KEY_DESTROYED' });
        await assert.rejects(encrypt(client, 'acme'), { code: 'KEY_DESTROYED' });
        assert.equal(await textAt(client, 'global/a'), 'older');
      },
      { isOlder: true },
    );
    const entry = readFileSync(home.profile().keyset, 'utf8')
      .split('\n')
      .find((line) => line.includes('"tenant":"acme"'));
    assert.match(entry ?? '', /"wrapped":""/);
  });

  test('secrets under a key that was destroyed since are left out only where that is asked for, and counted', async (t) => {
    const { home, path } = await withPast(
      t,
      async (client) => {
        for (let at = 0; at < 5; at++) await client.set(`global/n${at}`, valueOf('x'));
      },
      async (client) => {
        await client.call('keys.rotate', {});
        await resealed(client);
        await client.call('keys.retire', { version: 1 });
      },
    );
    const header = readFileSync(home.profile().header);
    await assert.rejects(replace(home, path), {
      code: 'CONFLICT',
      message: /^5 of the 5 secrets in the backup would not come back, .*; nothing was changed$/,
      hint: /--replace --yes/,
    });
    assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
    assert.deepEqual(readFileSync(home.profile().header), header);
    const { unreadable, secrets } = await replace(home, path, { leavesOut: true });
    assert.deepEqual([unreadable, secrets], [5, 0]);
    await served(
      t,
      home,
      async (client) => {
        for await (const { path: name } of client.list()) assert.fail(name);
        await client.set('global/n0', valueOf('new'));
        assert.equal(await textAt(client, 'global/n0'), 'new');
      },
      { isOlder: true },
    );
  });

  test('a passphrase that was changed since stays the one that opens it', async (t) => {
    const { home, path } = await withPast(t, setA('older'), async (client) => {
      await client.call('slot.change', {
        credentials: [passphraseCredential()],
        replacement: passphraseCredential(other),
      });
      await client.set('global/a', valueOf('newer'));
    });
    const { slotsOf } = await replace(home, path, { passphrases: [other] });
    assert.equal(slotsOf, 'profile');
    await served(
      t,
      home,
      async (client) => {
        assert.equal(await textAt(client, 'global/a'), 'older');
        await client.lock();
        await assert.rejects(client.unlock([passphraseCredential()]), { code: 'WRONG_PASSPHRASE' });
      },
      { isOlder: true, passphrase: other },
    );
  });

  test('who lost the newer passphrase gets in with the older one, and sees the older header as ROLLBACK', async (t) => {
    let handle: Handle | undefined;
    const { home, path } = await withPast(t, setA('older'), async (client) => {
      await client.call('slot.change', {
        credentials: [passphraseCredential()],
        replacement: passphraseCredential(other),
      });
      await client.call('keys.rotate', {});
      handle = await encrypt(client);
    });
    const { slotsOf, keysOf } = await replace(home, path);
    assert.deepEqual([slotsOf, keysOf], ['backup', 'profile']);
    await served(
      t,
      home,
      async (client) => {
        assert.ok(handle !== undefined);
        assert.equal(await decrypt(client, handle), 'sealed');
        assert.equal(await textAt(client, 'global/a'), 'older');
      },
      { isOlder: true },
    );
    await assert.rejects(replace(home, path, { passphrases: ['neither'] }), { code: 'WRONG_PASSPHRASE' });
  });

  describe('when the vault key was rotated since', () => {
    const rotated = async (client: HushClient): Promise<void> => {
      await client.call('keys.rotateVault', {});
      await client.set('global/a', valueOf('newer'));
    };

    test('the rows go under the vault key that the profile has now', async (t) => {
      let handle: Handle | undefined;
      const { home, path } = await withPast(t, setA('older'), async (client) => {
        await client.call('keys.rotate', {});
        await rotated(client);
        handle = await encrypt(client);
      });
      const { keysOf, slotsOf } = await replace(home, path);
      assert.deepEqual([keysOf, slotsOf], ['profile', 'profile']);
      await served(
        t,
        home,
        async (client) => {
          assert.ok(handle !== undefined);
          assert.equal(await decrypt(client, handle), 'sealed');
          assert.equal(await textAt(client, 'global/a'), 'older');
          await client.call('keys.rotateVault', {});
          assert.equal(await textAt(client, 'global/a'), 'older');
        },
        { isOlder: true },
      );
    });

    test('and the passphrase too, both are needed, and told apart', async (t) => {
      const { home, path } = await withPast(t, setA('older'), async (client) => {
        await client.call('slot.change', {
          credentials: [passphraseCredential()],
          replacement: passphraseCredential(other),
        });
        await rotated(client);
      });
      await assert.rejects(replace(home, path, { passphrases: [other] }), {
        code: 'WRONG_PASSPHRASE',
        message: /opens the profile, and not the backup/,
        hint: /--passphrase-stdin twice/,
      });
      await assert.rejects(replace(home, path), { code: 'WRONG_PASSPHRASE' });
      assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
      let asked = 0;
      const askPast = () => {
        asked++;
        return Promise.resolve([passphraseCredential()]);
      };
      const { kept } = await replace(home, path, { passphrases: [other], askPast });
      assert.equal(asked, 1);
      rmSync(kept, { recursive: true });
      await replace(home, path, { passphrases: [other, undefined] });
      await served(
        t,
        home,
        async (client) => {
          assert.equal(await textAt(client, 'global/a'), 'older');
        },
        { isOlder: true, passphrase: other },
      );
    });

    test('and the header is lost, it is refused: the newer keys would be lost with it', async (t) => {
      const { home, path } = await withPast(t, setA('older'), rotated);
      writeFileSync(home.profile().header, 'broken', { mode: 0o600 });
      await assert.rejects(replace(home, path), {
        code: 'CONFLICT',
        message: /not under the vault key of the backup/,
      });
    });
  });

  test('a newer backup over an older home brings its keys with it', async (t) => {
    const home = makeHome(t);
    await home.init();
    await served(t, home, setA('older'));
    const past = join(folderFor(t), 'past');
    execFileSync('cp', ['-a', home.folder, past]);
    const path = join(folderFor(t), 'backup');
    let handle: Handle | undefined;
    await served(t, home, async (client) => {
      await client.call('keys.rotate', {});
      await client.set('global/a', valueOf('newer'));
      handle = await encrypt(client);
      await take(client, path);
    });
    rmSync(home.folder, { recursive: true });
    renameSync(past, home.folder);
    const { keysOf } = await replace(home, path);
    assert.equal(keysOf, 'backup');
    await served(
      t,
      home,
      async (client) => {
        assert.ok(handle !== undefined);
        assert.equal(await decrypt(client, handle), 'sealed');
        assert.equal(await textAt(client, 'global/a'), 'newer');
      },
      { isOlder: true },
    );
  });

  test('two states that went their own ways are not mixed', async (t) => {
    const { home, path } = await withPast(t, setA('older'), () => Promise.resolve());
    const second = makeHome(t);
    await restore(second, path);
    const branch = join(folderFor(t), 'branch');
    await served(t, second, async (client) => {
      await client.call('keys.rotate', {});
      await take(client, branch);
    });
    await served(t, home, async (client) => {
      await client.call('keys.rotate', {});
    });
    await assert.rejects(replace(home, branch), { code: 'CONFLICT', hint: /-p NAME/ });
    assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
    await restore(home, branch, { name: 'branch' });
  });

  const damages: Record<string, (files: ProfilePaths) => void> = {
    'vault-cut-in-half': ({ vault }) => truncateSync(vault, 8192),
    'vault-gone': ({ vault }) => rmSync(vault),
    'header-broken': ({ header }) => writeFileSync(header, 'broken', { mode: 0o600 }),
    'header-gone': ({ header }) => rmSync(header),
    'key-set-broken': ({ keyset }) => writeFileSync(keyset, 'broken\n', { mode: 0o600 }),
    'key-set-and-vault-broken': ({ keyset, vault }) => {
      writeFileSync(keyset, 'broken\n', { mode: 0o600 });
      truncateSync(vault, 8192);
    },
    'audit-gone': ({ audit }) => rmSync(audit, { recursive: true }),
    'audit-broken': ({ audit }) => writeFileSync(join(audit, chainFileName), 'broken\n', { mode: 0o600 }),
  };
  test('mends a profile when its vault, header, key set or audit is broken or gone', async (t) => {
    const home = makeHome(t);
    const folder = folderFor(t);
    const handles = new Map<string, Handle>();
    for (const profile of Object.keys(damages)) await home.init(profile);
    const past = await startDaemon(t, home);
    for (const profile of Object.keys(damages)) {
      const client = await past.connect({ profile });
      await client.unlock([passphraseCredential()]);
      await setA('older')(client);
      await take(client, join(folder, profile), profile);
      await client.call('keys.rotate', {});
      handles.set(profile, await encrypt(client));
    }
    await past.stop();
    for (const [profile, damage] of Object.entries(damages)) {
      damage(home.profile(profile));
      await replace(home, join(folder, profile), { name: profile });
    }
    const present = await startDaemon(t, home);
    for (const [profile, handle] of handles) {
      const client = await present.connect({ profile });
      await unlockTaking(client);
      assert.equal(await textAt(client, 'global/a'), 'older', profile);
      if (profile !== 'key-set-and-vault-broken')
        assert.equal(await decrypt(client, handle), 'sealed', profile);
      await client.set('global/b', valueOf('after'));
      await client.lock();
      await client.unlock([passphraseCredential()]);
      assert.equal(await textAt(client, 'global/b'), 'after', profile);
    }
  });

  test('a backup of an earlier format goes over the same home in the present one', async (t) => {
    const fixture = fixtureHome(t, 'format-1');
    const path = join(folderFor(t), 'backup');
    await backupOfClosedHome(fixture.home, fixture.key, path);
    const { home, expected } = fixture;
    await served(
      t,
      home,
      async (client) => {
        await client.set('global/later', valueOf('later'));
      },
      { passphrase: expected.passphrase },
    );
    const { secrets } = await replace(home, path, { passphrases: [expected.passphrase] });
    assert.equal(secrets, expected.secrets.length);
    await served(
      t,
      home,
      async (client) => {
        await assert.rejects(client.get('global/later'), { code: 'NOT_FOUND' });
        for (const { path: name, valueBase64 } of expected.secrets)
          assert.equal(Buffer.from((await client.get(name)).value).toString('base64'), valueBase64);
      },
      { isOlder: true, passphrase: expected.passphrase },
    );
  });

  test('is refused for another vault, without a profile, and while a daemon serves the home', async (t) => {
    const { home, path } = await withPast(t, setA('older'), () => Promise.resolve());
    const stranger = makeHome(t);
    await stranger.init();
    await assert.rejects(replace(stranger, path), { code: 'CONFLICT', message: /is another vault/ });
    await assert.rejects(replace(makeHome(t), path), { code: 'NO_SUCH_PROFILE' });
    await served(t, home, async () => {
      await assert.rejects(replace(home, path), { code: 'CONFLICT', message: 'a daemon serves this home' });
    });
    const another = lockHome(home.paths);
    await assert.rejects(replace(home, path), {
      code: 'CONFLICT',
      message: /^a restore works on this home/,
      hint: /^wait/,
    });
    another.release();
    assert.ok(existsSync(home.profile().header));
    assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
  });

  test('works the same where the file system cannot exchange two folders in one step', async (t) => {
    const { home, path } = await withPast(t, setA('older'), setA('newer'));
    const { kept } = await replace(home, path, { exchange: () => false });
    assert.match(kept, /\/\.replaced-default-/);
    await served(
      t,
      home,
      async (client) => {
        assert.equal(await textAt(client, 'global/a'), 'older');
      },
      { isOlder: true },
    );
    const events = auditLines(home).flatMap(
      (line) => /"event":"(backup\.restor[a-z]+)"/.exec(line)?.[1] ?? [],
    );
    assert.deepEqual(events, ['backup.restoring', 'backup.restored']);
  });

  test('a profile that a crash has left between the two names is back when a daemon starts, or a restore tries again', async (t) => {
    const { home, path } = await withPast(t, setA('older'), setA('newer'));
    const { folder } = home.profile();
    const between = join(home.paths.profiles, '.replacing-default-2025-01-02T03-04-05-678Z-0a1b2c');
    renameSync(folder, between);
    await assert.rejects(home.init(), { code: 'CONFLICT', hint: /hush start/ });
    await assert.rejects(restore(home, path), { code: 'CONFLICT', hint: /hush start/ });
    await served(t, home, async (client) => {
      assert.equal(await textAt(client, 'global/a'), 'newer');
    });
    renameSync(folder, between);
    await replace(home, path);
    assert.ok(!existsSync(between) && existsSync(folder));
  });

  test('a deactivated profile stays deactivated', async (t) => {
    const { home, path } = await withPast(t, setA('older'), async (client) => {
      await client.call('profile.deactivate', {});
    });
    await replace(home, path);
    await assert.rejects(
      served(t, home, () => Promise.resolve()),
      { code: 'PROFILE_INACTIVE' },
    );
  });
});
