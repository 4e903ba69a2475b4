import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { mostHeadBytes, parseHead, serialiseHead, type Manifest } from '../../daemon/backup/container.ts';
import { openBackup } from '../../daemon/backup/reader.ts';
import { memorySource, streamOf, type Source } from '../../daemon/backup/stream.ts';
import { unpack } from '../../daemon/backup/unpack.ts';
import { backupMacOf } from '../../daemon/keys/hmac.ts';
import { HushError } from '../../protocol/errors.ts';
import { parseProfileName } from '../../protocol/names.ts';

const folder = mkdtempSync(join(tmpdir(), 'hushd-container-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const macOf = (signed: Uint8Array): Uint8Array => backupMacOf(new Uint8Array(32).fill(7), signed);

const facts: Omit<Manifest, 'files'> = {
  format: 1,
  id: 'c0'.repeat(16),
  vaultId: '00112233445566778899aabbccddeeff',
  profile: parseProfileName('work'),
  createdAt: '2025-01-02T03:04:05.678Z',
  commit: 42,
  header: { generation: 3 },
  keyset: { generation: 1, lines: 5 },
  audit: { seq: 7, hash: 'ab'.repeat(32) },
};

const sourcesOf = (bytes: readonly Uint8Array[]): readonly Source[] =>
  [
    ['header', 'header'],
    ['keyset', 'keyset'],
    ['vault', 'vault.db'],
    ['audit', '0000000001.jsonl'],
  ].map(([part, name], index) =>
    // The names of the parts stand above.
    memorySource(part as Source['part'], name ?? '', bytes[index] ?? new Uint8Array(0)),
  );

/** All bytes of the backup of some files. */
async function bytesOf(files: readonly Uint8Array[]): Promise<Buffer> {
  const stream = await streamOf(sourcesOf(files), facts, macOf);
  const whole = Buffer.from(await stream.read(0, stream.size));
  assert.equal(stream.isComplete(), true);
  return whole;
}

let count = 0;
function fileOf(bytes: Uint8Array): string {
  const path = join(folder, `backup-${count++}`);
  writeFileSync(path, bytes);
  return path;
}

/** Reads a backup as every command does; gives back the files in it. */
async function readBack(bytes: Uint8Array): Promise<Record<string, Buffer>> {
  const path = fileOf(bytes);
  const backup = await openBackup(path).finally(() => {
    rmSync(path);
  });
  const found: Record<string, Buffer> = {};
  try {
    await backup.readAll(({ name }, piece, offset) => {
      const before = found[name] ?? Buffer.alloc(0);
      assert.equal(before.length, offset);
      found[name] = Buffer.concat([before, piece]);
    });
    return found;
  } finally {
    await backup.close();
  }
}

const refused =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof HushError && codes.includes(error.code) && error.hint !== '';

const contents = fc.array(fc.uint8Array({ maxLength: 2000 }), { minLength: 4, maxLength: 4 });
const small = ['header text', 'keyset text', 'vault bytes', 'audit lines'].map((text) => Buffer.from(text));

/** A backup whose manifest is what `change` makes of a right one, with the right checksum at its end. */
async function withManifest(change: (manifest: Record<string, unknown>) => unknown): Promise<Buffer> {
  const whole = await bytesOf(small);
  const head = parseHead(whole);
  const signed = Buffer.from(
    `hushd-backup 1\n${JSON.stringify(change(structuredClone<Record<string, unknown>>(head.manifest)))}\n`,
  );
  const mac = Buffer.from(macOf(signed)).toString('hex');
  const body = Buffer.concat([signed, Buffer.from(`mac ${mac}\n`), whole.subarray(head.length, -74)]);
  const checksum = createHash('sha256').update(body).digest('hex');
  return Buffer.concat([body, Buffer.from(`checksum ${checksum}\n`)]);
}

describe('the file of a backup', () => {
  test('gives back every file that was put in, whatever is in them', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (files) => {
        const found = await readBack(await bytesOf(files));
        for (const [index, name] of ['header', 'keyset', 'vault.db', '0000000001.jsonl'].entries()) {
          assert.deepEqual(found[name] ?? Buffer.alloc(0), Buffer.from(files[index] ?? []));
        }
      }),
      { numRuns: 50 },
    );
  });

  test('ends in the SHA-256 of all bytes before its last line', async () => {
    const whole = await bytesOf(small);
    const checksum = createHash('sha256').update(whole.subarray(0, -74)).digest('hex');
    assert.equal(whole.subarray(-74).toString(), `checksum ${checksum}\n`);
  });

  test('a file that is cut off anywhere is refused by name', async () => {
    const whole = await bytesOf(small);
    for (let length = 0; length < whole.length; length++) {
      await assert.rejects(readBack(whole.subarray(0, length)), refused('DAMAGED'), `${length} bytes`);
    }
  });

  test('a file that goes on behind its end is refused by name', async () => {
    const whole = await bytesOf(small);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (more) => {
        await assert.rejects(readBack(Buffer.concat([whole, more])), refused('DAMAGED'));
      }),
      { numRuns: 30 },
    );
  });

  test('a file with one flipped bit anywhere is refused by name', async () => {
    const whole = await bytesOf(small);
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      await assert.rejects(readBack(changed), refused('DAMAGED', 'NEWER_FORMAT'), `byte ${at}`);
    }
  });

  test('bytes that are no backup at all are refused by name', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.string().map((text) => Buffer.from(`hushd-backup 1\n${text}`)),
          fc.json().map((text) => Buffer.from(`hushd-backup 1\n${text}\nmac ${'0'.repeat(64)}\n`)),
        ),
        async (bytes) => {
          await assert.rejects(readBack(bytes), refused('DAMAGED', 'NEWER_FORMAT'));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a newer format is refused as that', async () => {
    const newer = Buffer.from(
      (await bytesOf(small)).toString('latin1').replace(/^hushd-backup 1/, 'hushd-backup 2'),
    );
    await assert.rejects(readBack(newer), { code: 'NEWER_FORMAT', message: /^the backup has format 2/ });
  });

  test('a manifest that says something else under a right checksum is tampering, if it fits the rules', async () => {
    const files = (manifest: Record<string, unknown>) => manifest['files'] as Record<string, unknown>[];
    const wrongHash = await withManifest((manifest) => {
      Object.assign(files(manifest)[2] ?? {}, { sha256: '0'.repeat(64) });
      return manifest;
    });
    await assert.rejects(readBack(wrongHash), {
      code: 'INTEGRITY',
      message: /^vault\.db in the backup was tampered/,
    });
  });

  const hostile: Record<
    string,
    (manifest: Record<string, unknown>, files: Record<string, unknown>[]) => unknown
  > = {
    'a path upwards': (_, files) => Object.assign(files[2] ?? {}, { name: '../../evil' }),
    'an absolute path': (_, files) => Object.assign(files[2] ?? {}, { name: '/etc/passwd' }),
    'a hidden name': (_, files) => Object.assign(files[2] ?? {}, { name: '.bashrc' }),
    'a name with a slash': (_, files) => Object.assign(files[2] ?? {}, { name: 'a/b' }),
    'a name with a zero byte': (_, files) => Object.assign(files[2] ?? {}, { name: 'a\0b' }),
    'a name with a line end': (_, files) => Object.assign(files[2] ?? {}, { name: 'a\nb' }),
    'the mark of an inactive profile': (_, files) => Object.assign(files[2] ?? {}, { name: 'inactive' }),
    'two files of one name': (_, files) => Object.assign(files[2] ?? {}, { name: 'keyset' }),
    'two vaults': (_, files) => Object.assign(files[1] ?? {}, { part: 'vault' }),
    'no header': (_, files) => files.shift(),
    'a header of another name': (_, files) => Object.assign(files[0] ?? {}, { name: 'head' }),
    'an audit of another name': (_, files) => Object.assign(files[3] ?? {}, { name: 'config.toml' }),
    'a part that there is not': (_, files) => Object.assign(files[3] ?? {}, { part: 'config' }),
    'a size below zero': (_, files) => Object.assign(files[2] ?? {}, { size: -1 }),
    'half a byte': (_, files) => Object.assign(files[2] ?? {}, { size: 11.5 }),
    'a size that no file has': (_, files) => Object.assign(files[2] ?? {}, { size: Number.MAX_SAFE_INTEGER }),
    'a size beyond all numbers': (_, files) => Object.assign(files[2] ?? {}, { size: 1e300 }),
    'a size that is a text': (_, files) => Object.assign(files[2] ?? {}, { size: '11' }),
    'more files than a backup has': (manifest, files) =>
      Object.assign(manifest, { files: Array.from({ length: 5000 }, () => files[3]) }),
    'a profile of no valid name': (manifest) => Object.assign(manifest, { profile: '../default' }),
    'a vault id that is none': (manifest) => Object.assign(manifest, { vaultId: 'x' }),
    'a field too many': (manifest) => Object.assign(manifest, { more: true }),
    'a prototype': () => undefined,
  };
  for (const [name, change] of Object.entries(hostile)) {
    test(`a manifest with ${name} is refused before anything is written`, async () => {
      const bytes = await withManifest((manifest) => {
        change(manifest, manifest['files'] as Record<string, unknown>[]);
        if (name !== 'a prototype') return manifest;
        return JSON.parse(`{"__proto__":{"a":1},${JSON.stringify(manifest).slice(1)}`) as unknown;
      });
      const path = fileOf(bytes);
      const target = mkdtempSync(join(folder, 'target-'));
      await assert.rejects(
        async () => {
          const backup = await openBackup(path);
          await unpack(backup, { profile: target, audit: target });
        },
        refused('DAMAGED', 'INTEGRITY'),
      );
      if (name !== 'a prototype') assert.deepEqual(readdirSync(target), []);
    });
  }

  test('a huge file is refused by its head, without being read', async () => {
    const path = fileOf(await bytesOf(small));
    truncateSync(path, 2 ** 40);
    await assert.rejects(openBackup(path), refused('DAMAGED'));
    const noHead = fileOf(Buffer.from('hushd-backup 1\n{'));
    truncateSync(noHead, 2 ** 40);
    const before = process.memoryUsage().rss;
    await assert.rejects(openBackup(noHead), refused('DAMAGED'));
    assert.ok(process.memoryUsage().rss - before < 32 * mostHeadBytes);
  });

  test('a folder, a pipe and a missing file are refused as what they are', async () => {
    await assert.rejects(openBackup(folder), { code: 'BAD_REQUEST' });
    await assert.rejects(openBackup('/dev/null'), { code: 'BAD_REQUEST' });
    await assert.rejects(openBackup(join(folder, 'missing')), {
      code: 'BAD_REQUEST',
      message: /^there is no file /,
    });
  });

  test('a profile of too many files has no backup', () => {
    const file = (name: string) => ({ part: 'audit' as const, name, size: 0, sha256: '0'.repeat(64) });
    const files = Array.from({ length: 20_000 }, (_, at) => file(`${String(at).padStart(10, '0')}.jsonl`));
    assert.throws(() => serialiseHead({ ...facts, files }, macOf));
  });
});

describe('a backup that is read piece by piece', () => {
  const files = [
    Buffer.alloc(300, 1),
    Buffer.alloc(70_000, 2),
    Buffer.alloc(200_000, 3),
    Buffer.alloc(5000, 4),
  ];

  test('is the same whatever the pieces are, also when one is asked for again', async () => {
    const whole = await bytesOf(files);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 150_000 }), fc.boolean()), {
          minLength: 1,
          maxLength: 60,
        }),
        async (pieces) => {
          const stream = await streamOf(sourcesOf(files), facts, macOf);
          assert.equal(stream.size, whole.length);
          const parts: Uint8Array[] = [];
          let offset = 0;
          for (let turn = 0; offset < stream.size; turn++) {
            const [length, again] = pieces[turn % pieces.length] ?? [1, false];
            assert.equal(stream.isComplete(), false);
            const part = await stream.read(offset, length);
            assert.equal(part.length, Math.min(length, stream.size - offset));
            if (again) assert.deepEqual(await stream.read(offset, length), part);
            parts.push(part);
            offset += part.length;
          }
          assert.deepEqual(Buffer.concat(parts), whole);
          assert.equal(stream.isComplete(), true);
          assert.equal((await stream.read(offset, 1)).length, 0);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('may be asked for many pieces in order at once, and for none out of order', async () => {
    const whole = await bytesOf(files);
    const stream = await streamOf(sourcesOf(files), facts, macOf);
    const asked: Promise<Uint8Array>[] = [];
    for (let offset = 0; offset < whole.length; offset += 10_000) asked.push(stream.read(offset, 10_000));
    assert.deepEqual(Buffer.concat(await Promise.all(asked)), whole);
    const other = await streamOf(sourcesOf(files), facts, macOf);
    await assert.rejects(other.read(1, 10), { code: 'BAD_REQUEST' });
    await assert.rejects(other.read(whole.length, 10), { code: 'BAD_REQUEST' });
    assert.equal((await other.read(0, 10)).length, 10);
  });

  test('a source that fails ends it with that error', async () => {
    const gone = (): Promise<void> => Promise.reject(new HushError('CONFLICT', 'gone'));
    const sources = sourcesOf(files).map((source) =>
      source.part === 'vault' ? { ...source, read: gone } : source,
    );
    await assert.rejects(streamOf(sources, facts, macOf), { code: 'CONFLICT', message: 'gone' });
  });
});
