import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { z } from 'zod';
import { openBackup } from '../../daemon/backup/reader.ts';
import { cryptoHandle } from '../../protocol/shapes.ts';
import { makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';
import { restore, textAt } from './files.ts';

const facts = z.strictObject({
  passphrase: z.string(),
  id: z.string(),
  checksum: z.string(),
  vaultId: z.string(),
  secrets: z.record(z.string(), z.string()),
  place: z.strictObject({ keyring: z.string(), namespace: z.string(), key: z.string(), tenant: z.string() }),
  handle: cryptoHandle,
  plaintext: z.string(),
});

const folder = new URL('../fixtures/backups/', import.meta.url);

test('a backup that the first release with backups has taken is proved, restored and opens', async (t) => {
  const path = fileURLToPath(new URL('format-1.hushd', folder));
  const expected = facts.parse(JSON.parse(readFileSync(new URL('format-1.json', folder), 'utf8')));
  const backup = await openBackup(path);
  assert.equal(await backup.readAll(), expected.checksum);
  assert.deepEqual([backup.head.manifest.id, backup.head.manifest.vaultId], [expected.id, expected.vaultId]);
  await backup.close();

  const home = makeHome(t);
  await restore(home, path);
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock([passphraseCredential(expected.passphrase)]);
  for (const [name, value] of Object.entries(expected.secrets))
    assert.equal(await textAt(client, name), value);
  const { plaintext } = await client.call('crypto.decrypt', { ...expected.place, handle: expected.handle });
  assert.equal(Buffer.from(plaintext).toString(), expected.plaintext);
  client.close();
  await daemon.stop();
});
