import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { readKeysetFile } from '../../daemon/keys/keyset-file.ts';
import { createHeaderFile, type HeaderFile } from '../../daemon/profiles/header-in-place.ts';
import { createKeysetFile } from '../../daemon/profiles/keyset-in-place.ts';
import { rotateVaultKey } from '../../daemon/profiles/rotate-vault.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { bytesOf, textOf, withCode } from '../keys/fixtures.ts';
import { makeHome, passphraseCredential, startDaemon, type TestHome } from '../support/daemon.ts';
import { inHome, type OpenHome } from '../support/open-home.ts';

const nobody = 65_534;
const path = parseSecretPath('global/a');
const filesIn = (home: TestHome): string[] => readdirSync(home.profile().folder).sort();

/** Runs `use` while files of the folder can be replaced and the folder cannot be opened, which a sync of it takes. */
function withoutSync<Result>(folder: string, use: () => Result): Result {
  const isRoot = process.geteuid?.() === 0;
  const give = (uid: number): void => {
    for (const name of readdirSync(folder)) chownSync(join(folder, name), uid, uid);
    for (let above = folder; above !== tmpdir(); above = dirname(above)) chownSync(above, uid, uid);
  };
  if (isRoot) give(nobody);
  chmodSync(folder, 0o300);
  try {
    if (isRoot) process.seteuid?.(nobody);
    return use();
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(folder, 0o700);
    if (isRoot) give(0);
  }
}

/** Runs `use` on a profile that is open in this process, and whose vault holds one secret. */
async function opened(
  t: TestContext,
  use: (open: OpenHome, home: TestHome, header: HeaderFile) => Promise<void>,
): Promise<TestHome> {
  const home = makeHome(t);
  await home.init();
  await inHome(home, new Date(), (open) =>
    use(open, home, createHeaderFile(home.profile().header, open.header)),
  );
  return home;
}

const unsettled = {
  code: 'UNAVAILABLE',
  message: /^it is not known which (header|key set) is on the disk/,
  hint: /^hush lock, then hush unlock/,
};

describe('a file that was replaced in a folder that cannot be synced', () => {
  test('a header is not built on: the one before goes on, and no other follows', async (t) => {
    await opened(t, ({ keyring }, home, header) => {
      const before = header.body();
      const next = { ...before, generation: 2 };
      const replace = (): void => {
        header.replace(next, keyring.headerBytes(next));
      };
      assert.throws(() => withoutSync(home.profile().folder, replace), unsettled);
      assert.deepEqual(readHeaderFile(home.profile().header).body, next);
      assert.equal(header.body(), before);
      assert.equal(header.isSettled(), false);
      assert.equal(header.isInPlace(), false);
      assert.throws(replace, unsettled);
      return Promise.resolve();
    });
  });

  test('a key set gets no more lines, which the wrong file could lose', async (t) => {
    await opened(t, (_open, home) => {
      const { keyset } = home.profile();
      const file = createKeysetFile(keyset);
      const { lines } = readKeysetFile(keyset);
      assert.throws(
        () =>
          withoutSync(dirname(keyset), () => {
            file.replace(lines.slice(0, -1));
          }),
        unsettled,
      );
      assert.throws(() => {
        file.append(lines, []);
      }, unsettled);
      assert.throws(() => {
        file.replace(lines);
      }, unsettled);
      assert.deepEqual(readKeysetFile(keyset).lines, lines.slice(0, -1));
      return Promise.resolve();
    });
  });

  test('B1: a rotation of the vault key keeps both pairs of files, and nothing is acknowledged before the next unlock', async (t) => {
    const home = await opened(t, async (open, home, header) => {
      const vault = await open.vault();
      vault.set(path, bytesOf('value'));
      const { folder } = home.profile();
      const rotation = rotateVaultKey({
        folder,
        label: 'profiles/default',
        vault,
        keyring: open.keyring,
        header: {
          ...header,
          replace: (next, bytes) => {
            withoutSync(folder, () => {
              header.replace(next, bytes);
            });
          },
        },
        source: open.store,
        arena: open.arena,
        signal: new AbortController().signal,
        told: () => undefined,
        moved: () => assert.fail('it has moved'),
      });
      await assert.rejects(rotation, unsettled);
      assert.throws(() => vault.set(path, bytesOf('lost')), withCode('UNAVAILABLE'));
      const files = filesIn(home);
      for (const name of ['keyset', 'keyset-2', 'vault.db', 'vault-2.db'])
        assert.ok(files.includes(name), name);
      assert.equal(readHeaderFile(home.profile().header).body.files.vault, 'vault-2.db');
    });
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    assert.equal(textOf((await client.get('global/a')).value), 'value');
    assert.deepEqual(
      filesIn(home).filter((name) => !name.endsWith('-wal')),
      ['header', 'keyset-2', 'vault-2.db'],
    );
  });

  test('a rotation whose header was put there by somebody else meanwhile removes nothing that it may name', async (t) => {
    await opened(t, async (open, home, header) => {
      const vault = await open.vault();
      const { folder } = home.profile();
      const other = createHeaderFile(home.profile().header, open.header);
      const next = { ...open.header.body, generation: 2 };
      const rotation = rotateVaultKey({
        folder,
        label: 'profiles/default',
        vault,
        keyring: open.keyring,
        header,
        source: open.store,
        arena: open.arena,
        signal: new AbortController().signal,
        told: ({ phase }) => {
          if (phase === 'switch') other.replace(next, open.keyring.headerBytes(next));
        },
        moved: () => assert.fail('it has moved'),
      });
      await assert.rejects(rotation, { code: 'INTEGRITY' });
      assert.ok(filesIn(home).includes('keyset-2'));
      vault.set(path, bytesOf('goes on'));
    });
  });
});
