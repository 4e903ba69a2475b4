import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { parseHead } from '../../daemon/backup/container.ts';
import { memorySource, streamOf } from '../../daemon/backup/stream.ts';
import { backupMacOf } from '../../daemon/keys/hmac.ts';
import { bytesOfHex, hex, vector } from '../support/vectors.ts';

test('the vector of a backup on the page is what is written and read', async () => {
  const { macKey, manifest, mac, files, checksum, size } = vector('backup', {
    macKey: hex,
    manifest: z.string(),
    mac: hex,
    files: z.array(z.strictObject({ name: z.string(), bytes: hex })),
    checksum: hex,
    size: z.number(),
  });
  const written = Buffer.concat([
    Buffer.from(`hushd-backup 1\n${manifest}\nmac ${mac}\n`),
    ...files.map(({ bytes }) => bytesOfHex(bytes)),
    Buffer.from(`checksum ${checksum}\n`),
  ]);
  assert.equal(written.length, size);
  const { manifest: read } = parseHead(written);
  assert.equal(JSON.stringify(read), manifest);
  const { files: listed, ...facts } = read;
  const sources = listed.map(({ part, name }, index) =>
    memorySource(part, name, bytesOfHex(files[index]?.bytes ?? '')),
  );
  const stream = await streamOf(sources, facts, (signed) => backupMacOf(bytesOfHex(macKey), signed));
  assert.deepEqual(Buffer.from(await stream.read(0, stream.size)), written);
});
