import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { HushError, type HushClient } from '../../client/index.ts';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { assertOpens, fixtureHome, fixtureNames, type FixtureHome } from '../fixtures/homes.ts';
import { secretsOf } from '../faults/keys.ts';
import { startDaemon, type TestHome } from '../support/daemon.ts';
import { withRawFile } from '../vault/raw-file.ts';

const backupsOf = (home: TestHome): string => join(home.profile().folder, 'backups');
const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** All files below a folder, by their paths in it. */
function filesBelow(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), hashOf(path)]),
  );
}

/** Runs a daemon on the home for as long as `use` takes. */
async function served(
  t: TestContext,
  { home }: FixtureHome,
  use: (client: HushClient) => Promise<void>,
): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await use(client);
  client.close();
  assert.equal(await daemon.stop(), 0);
}

function auditEvents(home: TestHome): string[] {
  const lines = readFileSync(join(home.profile().audit, chainFileName), 'utf8').trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { event: string }).event);
}

describe('a home of an earlier format', () => {
  for (const name of fixtureNames) {
    test(`${name}: is brought up to date at its first unlock, by key or passphrase, and all of it opens`, async (t) => {
      for (const kind of ['key', 'passphrase'] as const) {
        const fixture = fixtureHome(t, name);
        await served(t, fixture, async (client) => {
          const { vaultId } = await client.unlock([fixture[kind]]);
          assert.equal(vaultId, fixture.expected.vaultId);
          await assertOpens(client, fixture.expected);
          await client.set('global/later', new TextEncoder().encode('written after'));
        });
        await served(t, fixture, async (client) => {
          await client.unlock([fixture[kind]]);
          assert.equal(Buffer.from((await client.get('global/later')).value).toString(), 'written after');
          await client.delete('global/later');
          await assertOpens(client, fixture.expected);
          await client.call('keys.rotateVault', {});
          await assertOpens(client, fixture.expected);
        });
        assert.equal(readdirSync(backupsOf(fixture.home)).length, 1);
        const events = auditEvents(fixture.home);
        assert.equal(events.filter((event) => event === 'vault.backup').length, 1);
        assert.equal(events.filter((event) => event === 'vault.migrated').length, 1);
      }
    });
  }

  test('leaves a backup in folders of mode 0700 and files of mode 0600, which is the home as it was', async (t) => {
    const umask = process.umask(0);
    t.after(() => process.umask(umask));
    const fixture = fixtureHome(t, 'format-1');
    const { folder } = fixture.home.profile();
    const before = filesBelow(folder);
    await served(t, fixture, async (client) => {
      await client.unlock([fixture.key]);
      await client.delete('global/empty');
    });
    const [name = '', ...more] = readdirSync(backupsOf(fixture.home));
    assert.deepEqual(more, []);
    assert.match(name, /^format-1-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/);
    const backup = join(backupsOf(fixture.home), name);
    assert.deepEqual(filesBelow(backup), before);
    for (const path of [backupsOf(fixture.home), backup]) assert.equal(lstatSync(path).mode & 0o777, 0o700);
    for (const file of readdirSync(backup)) assert.equal(lstatSync(join(backup, file)).mode & 0o777, 0o600);

    // The backup put back is a profile of its own right: refused as a rollback until it is taken on purpose.
    for (const file of readdirSync(folder)) if (file !== 'backups') rmSync(join(folder, file));
    for (const file of readdirSync(backup)) cpSync(join(backup, file), join(folder, file));
    await served(t, fixture, async (client) => {
      const refusal: unknown = await client.unlock([fixture.key]).catch((error: unknown) => error);
      assert.ok(refusal instanceof HushError, 'it was unlocked');
      assert.equal(refusal.code, 'ROLLBACK');
      const id = /--accept-rollback (\S+)/.exec(refusal.hint)?.[1];
      assert.ok(id !== undefined, refusal.hint);
      await client.unlock([fixture.key], { acceptRollback: id });
      await assertOpens(client, fixture.expected);
    });
    assert.equal(readdirSync(backupsOf(fixture.home)).length, 1, 'the same state is not backed up twice');
  });

  test('uses a backup of this very state that an attempt before has left, and clears unfinished ones away', async (t) => {
    const fixture = fixtureHome(t, 'format-1');
    const { folder } = fixture.home.profile();
    const backups = backupsOf(fixture.home);
    const kept = join(backups, 'format-1-2025-01-02T03-04-05-678Z');
    const unfinished = join(backups, '.unfinished-0123456789abcdef');
    mkdirSync(backups, { mode: 0o700 });
    for (const path of [kept, unfinished]) {
      mkdirSync(path, { mode: 0o700 });
      for (const file of ['header', 'keyset', 'vault.db']) cpSync(join(folder, file), join(path, file));
    }
    await served(t, fixture, async (client) => {
      await client.unlock([fixture.key]);
      await assertOpens(client, fixture.expected);
    });
    assert.deepEqual(readdirSync(backups), ['format-1-2025-01-02T03-04-05-678Z']);
  });

  test('makes another backup where the one that is there is of another state, or damaged', async (t) => {
    const fixture = fixtureHome(t, 'format-1');
    const { folder } = fixture.home.profile();
    const backups = backupsOf(fixture.home);
    const kept = join(backups, 'format-1-2025-01-02T03-04-05-678Z');
    mkdirSync(backups, { mode: 0o700 });
    mkdirSync(kept, { mode: 0o700 });
    for (const file of ['header', 'keyset', 'vault.db']) cpSync(join(folder, file), join(kept, file));
    const bytes = readFileSync(join(kept, 'vault.db'));
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    writeFileSync(join(kept, 'vault.db'), bytes);
    await served(t, fixture, async (client) => {
      await client.unlock([fixture.key]);
      await assertOpens(client, fixture.expected);
    });
    assert.equal(readdirSync(backups).length, 2);
  });

  test('is not changed while it was tampered with, damaged, or the credential is wrong', async (t) => {
    const wrongKey = { kind: 'key' as const, secret: new Uint8Array(32) };
    const cases: [code: string, change: (fixture: FixtureHome) => void][] = [
      ['WRONG_KEY', () => undefined],
      [
        'DAMAGED',
        ({ home }) => {
          const bytes = readFileSync(home.profile().vault);
          bytes[9000] = (bytes[9000] ?? 0) ^ 1;
          writeFileSync(home.profile().vault, bytes);
        },
      ],
      [
        'INTEGRITY',
        ({ home }) => {
          const lines = readFileSync(home.profile().keyset, 'utf8').split('\n');
          writeFileSync(home.profile().keyset, [lines[0], lines[2], lines[1], ...lines.slice(3)].join('\n'));
        },
      ],
    ];
    for (const [code, change] of cases) {
      const fixture = fixtureHome(t, 'format-1');
      change(fixture);
      const before = filesBelow(fixture.home.profile().folder);
      await served(t, fixture, async (client) => {
        await assert.rejects(client.unlock([code === 'WRONG_KEY' ? wrongKey : fixture.key]), { code });
      });
      assert.deepEqual(filesBelow(fixture.home.profile().folder), before, code);
      assert.ok(!existsSync(backupsOf(fixture.home)), code);
    }
  });
});

describe('a home of a newer format', () => {
  const rewrite = (path: string, change: (text: string) => string): void => {
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  };
  const cases: [what: string, names: RegExp, change: (fixture: FixtureHome) => Promise<void> | void][] = [
    [
      'header',
      /the header has format 9/,
      ({ home }) => {
        rewrite(home.profile().header, (text) => text.replace(/^hushd-header \d+/, 'hushd-header 9'));
      },
    ],
    [
      'key set',
      /the key set has format 9/,
      ({ home }) => {
        rewrite(home.profile().keyset, (text) => text.replace(/^hushd-keyset \d+/, 'hushd-keyset 9'));
      },
    ],
    [
      'vault',
      /profiles\/default\/vault\.db has format 9/,
      async ({ home, key }) => {
        const { vault: path } = home.profile();
        const secrets = await secretsOf(home.profile(), key);
        const fileKey = secrets.all.get('vault file key');
        assert.ok(fileKey);
        withRawFile({ path, label: 'vault.db', key: fileKey }, (db) => db.pragma('user_version = 9'));
      },
    ],
    [
      'audit',
      /profiles\/default\/0000000001\.jsonl.*newer/,
      ({ home }) => {
        const file = join(home.profile().audit, chainFileName);
        const first = JSON.stringify({
          seq: 1,
          time: '2030-01-02T03:04:05.678Z',
          mono: 1,
          event: 'chain.start',
          client: 'daemon',
          uid: 0,
          gid: 0,
          pid: 1,
          outcome: 'ok',
          detail: { chain: 'default', format: 9 },
          prev: '0'.repeat(64),
        }).slice(0, -1);
        writeFileSync(file, `${first},"hash":"${createHash('sha256').update(first).digest('hex')}"}\n`);
      },
    ],
  ];

  for (const [what, names, change] of cases) {
    test(`is refused by its name before a byte of it changes: ${what}`, async (t) => {
      const fixture = fixtureHome(t, 'format-1-killed');
      await change(fixture);
      const { folder, audit } = fixture.home.profile();
      const before = { ...filesBelow(folder), ...(what === 'audit' ? filesBelow(audit) : {}) };
      await served(t, fixture, async (client) => {
        await assert.rejects(client.unlock([fixture.key]), (error) => {
          assert.ok(error instanceof Error && 'code' in error);
          assert.equal(error.code, 'NEWER_FORMAT');
          assert.match(error.message, names);
          return true;
        });
      });
      assert.deepEqual({ ...filesBelow(folder), ...(what === 'audit' ? filesBelow(audit) : {}) }, before);
    });
  }
});
