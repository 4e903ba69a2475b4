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
import type { OpenBothParts } from '../../daemon/backup/open-both.ts';
import { openBackup } from '../../daemon/backup/reader.ts';
import { replaceProfile, type Replaced } from '../../daemon/backup/replace.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { HushError } from '../../protocol/errors.ts';
import { fixtureHome } from '../fixtures/homes.ts';
import { makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';
import { backupOfClosedHome } from './closed-home.ts';
import { folderFor, restore, take, textAt, valueOf, withProof } from './files.ts';

const place = { keyring: 'default', namespace: 'mail', key: 'password' } as const;
const other = 'another horse battery staple';

/** Runs a daemon on the home while `use` works with the unlocked profile. */
async function served(
  t: TestContext,
  home: TestHome,
  use: (client: HushClient) => Promise<void>,
  options: { readonly passphrase?: string; readonly acceptRollback?: string } = {},
): Promise<void> {
  const { passphrase, acceptRollback } = options;
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect({ deadlineMs: 30_000 });
  try {
    await client.unlock(
      [passphraseCredential(passphrase)],
      acceptRollback === undefined ? {} : { acceptRollback },
    );
    await use(client);
  } finally {
    client.close();
    await daemon.stop();
  }
}

/** The id that an unlock refuses with ROLLBACK by. */
async function rollbackOf(t: TestContext, home: TestHome, passphrase?: string): Promise<string> {
  let id = '';
  await assert.rejects(
    served(t, home, () => Promise.resolve(), passphrase === undefined ? {} : { passphrase }),
    (error) => {
      assert.ok(error instanceof HushError);
      assert.equal(error.code, 'ROLLBACK', error.message);
      id = /--accept-rollback (\S+)/.exec(error.hint)?.[1] ?? '';
      return id !== '';
    },
  );
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
    passphrases = [undefined],
    askPast,
  }: {
    readonly passphrases?: readonly (string | undefined)[];
    readonly askPast?: OpenBothParts['askPast'];
  } = {},
): Promise<Replaced> {
  const backup = await openBackup(path);
  try {
    const credentials = passphrases.map((text) => passphraseCredential(text));
    return await withProof(credentials, (proof) =>
      replaceProfile({
        paths: home.paths,
        name: parseProfileName('default'),
        backup,
        proof: { ...proof, askPast },
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

    const id = await rollbackOf(t, home);
    assert.equal(await rollbackOf(t, home), id);
    await served(
      t,
      home,
      async (client) => {
        assert.equal(await textAt(client, 'global/a'), 'older');
        await assert.rejects(client.get('global/b'), { code: 'NOT_FOUND' });
        await client.set('global/c', valueOf('after'));
      },
      { acceptRollback: id },
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
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await unlockTaking(client);
    assert.equal(await textAt(client, 'global/b'), 'only newer');
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
        assert.equal(version, 4);
        await resealed(client);
        assert.equal(await textAt(client, 'global/a'), 'older');
      },
      { acceptRollback: await rollbackOf(t, home) },
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
      { acceptRollback: await rollbackOf(t, home) },
    );
    const entry = readFileSync(home.profile().keyset, 'utf8')
      .split('\n')
      .find((line) => line.includes('"tenant":"acme"'));
    assert.match(entry ?? '', /"wrapped":""/);
  });

  test('secrets under a key that was destroyed since are left out and counted', async (t) => {
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
    const { unreadable, secrets } = await replace(home, path);
    assert.deepEqual([unreadable, secrets], [5, 0]);
    await served(
      t,
      home,
      async (client) => {
        for await (const { path: name } of client.list()) assert.fail(name);
        await client.set('global/n0', valueOf('new'));
        assert.equal(await textAt(client, 'global/n0'), 'new');
      },
      { acceptRollback: await rollbackOf(t, home) },
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
    const id = await rollbackOf(t, home, other);
    await assert.rejects(
      served(t, home, () => Promise.resolve()),
      { code: 'WRONG_PASSPHRASE' },
    );
    await served(
      t,
      home,
      async (client) => {
        assert.equal(await textAt(client, 'global/a'), 'older');
      },
      { acceptRollback: id, passphrase: other },
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
      { acceptRollback: await rollbackOf(t, home) },
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
        { acceptRollback: await rollbackOf(t, home) },
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
        { acceptRollback: await rollbackOf(t, home, other), passphrase: other },
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
    const id = await rollbackOf(t, home);
    await served(
      t,
      home,
      async (client) => {
        assert.ok(handle !== undefined);
        assert.equal(await decrypt(client, handle), 'sealed');
        assert.equal(await textAt(client, 'global/a'), 'newer');
      },
      { acceptRollback: id },
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

  const damages: Record<string, (home: TestHome) => void> = {
    'its vault is cut in half': (home) => truncateSync(home.profile().vault, 8192),
    'its vault is gone': (home) => rmSync(home.profile().vault),
    'its header is broken': (home) => writeFileSync(home.profile().header, 'broken', { mode: 0o600 }),
    'its header is gone': (home) => rmSync(home.profile().header),
    'its key set is broken': (home) => writeFileSync(home.profile().keyset, 'broken\n', { mode: 0o600 }),
    'its key set and vault are broken': (home) => {
      writeFileSync(home.profile().keyset, 'broken\n', { mode: 0o600 });
      truncateSync(home.profile().vault, 8192);
    },
    'its audit is gone': (home) => rmSync(home.profile().audit, { recursive: true }),
    'its audit is broken': (home) =>
      writeFileSync(join(home.profile().audit, chainFileName), 'broken\n', { mode: 0o600 }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`mends a profile when ${what}`, async (t) => {
      let handle: Handle | undefined;
      const { home, path } = await withPast(t, setA('older'), async (client) => {
        await client.call('keys.rotate', {});
        handle = await encrypt(client);
      });
      damage(home);
      await replace(home, path);
      const daemon = await startDaemon(t, home);
      const client = await daemon.connect();
      await unlockTaking(client);
      assert.equal(await textAt(client, 'global/a'), 'older');
      assert.ok(handle !== undefined);
      if (what !== 'its key set and vault are broken') assert.equal(await decrypt(client, handle), 'sealed');
      await client.set('global/b', valueOf('after'));
      await client.lock();
      await client.unlock([passphraseCredential()]);
      assert.equal(await textAt(client, 'global/b'), 'after');
    });
  }

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
    const id = await rollbackOf(t, home, expected.passphrase);
    await served(
      t,
      home,
      async (client) => {
        await assert.rejects(client.get('global/later'), { code: 'NOT_FOUND' });
        for (const { path: name, valueBase64 } of expected.secrets)
          assert.equal(Buffer.from((await client.get(name)).value).toString('base64'), valueBase64);
      },
      { acceptRollback: id, passphrase: expected.passphrase },
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
    assert.ok(existsSync(home.profile().header));
    assert.deepEqual(readdirSync(home.paths.profiles), ['default']);
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
