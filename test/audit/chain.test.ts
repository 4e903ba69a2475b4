import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chainFileName, openChain } from '../../daemon/audit/chain.ts';
import { noHash, recordLine } from '../../daemon/audit/records.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import {
  eventsIn,
  got,
  key,
  linesIn,
  newFolder,
  putLines,
  sealAt,
  secretOf,
  vaultId,
  who,
  withChain,
  writeChain,
} from './fixtures.ts';

describe('a chain', () => {
  test('begins with chain.start, in a file of mode 0600 in a folder of mode 0700', async (t) => {
    const folder = join(newFolder(t), 'audit', 'profiles', 'p');
    await withChain(folder, (chain) => {
      assert.equal(chain.file, join(folder, chainFileName));
      assert.equal(chain.head().seq, 1);
      assert.deepEqual(chain.syncedHead(), chain.head());
    });
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, chainFileName)).mode & 0o777, 0o600);
    const first = JSON.parse(linesIn(folder)[0] ?? '') as Record<string, unknown>;
    assert.deepEqual([first['event'], first['seq'], first['prev']], ['chain.start', 1, noHash]);
    assert.deepEqual(first['detail'], { chain: 'p', format: 1 });
  });

  test('writes nothing before flush, and all of it then', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, (chain) => {
      for (let number = 1; number <= 1_000; number += 1) chain.append(got(number));
      assert.deepEqual([linesIn(folder).length, chain.head().seq, chain.unsealed()], [1, 1, 1_000]);
      chain.flush();
      assert.deepEqual([linesIn(folder).length, chain.head().seq, chain.unsealed()], [1_001, 1_001, 1_000]);
    });
    assert.equal((await verifyChain(join(folder, chainFileName))).bad, undefined);
  });

  test('goes on after it was closed, without a new start', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 3);
    await writeChain(folder, 2);
    assert.deepEqual(eventsIn(folder), ['chain.start', ...Array<string>(5).fill('secret.get')]);
    const { records, bad, head } = await verifyChain(join(folder, chainFileName));
    assert.deepEqual([records, bad], [6, undefined]);
    await withChain(folder, (chain) => {
      assert.deepEqual(chain.head(), head);
    });
  });

  test('has a synced head that follows sync, and callers at the same time all find theirs synced', async (t) => {
    await withChain(newFolder(t), async (chain) => {
      const waits: Promise<void>[] = [];
      for (let number = 1; number <= 20; number += 1) {
        chain.append(got(number));
        chain.flush();
        const { seq } = chain.head();
        waits.push(
          chain.sync().then(() => {
            assert.ok(chain.syncedHead().seq >= seq);
          }),
        );
      }
      assert.equal(chain.syncedHead().seq, 1);
      await Promise.all(waits);
      assert.deepEqual(chain.syncedHead(), chain.head());
    });
  });

  test('refuses to write once it is closed, and has nothing left to sync', async (t) => {
    const chain = openChain(newFolder(t), 'p');
    chain.append(got(1));
    chain.flush();
    await Promise.all([chain.sync(), chain.close(), chain.sync()]);
    await chain.close();
    await chain.sync();
    assert.deepEqual(chain.syncedHead(), chain.head());
    chain.append(got(2));
    assert.throws(chain.flush, { code: 'UNAVAILABLE' });
  });

  test('carries records of any length', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, (chain) => {
      for (let number = 1; number <= 1_000; number += 1)
        chain.append({ ...got(number), key: '\u0001'.repeat(600) });
      chain.flush();
    });
    assert.equal((await verifyChain(join(folder, chainFileName))).records, 1_001);
    await writeChain(folder, 1);
  });
});

describe('opening a chain', () => {
  test('A14: refuses a link, a loose mode and a loose folder', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 1);
    const file = join(folder, chainFileName);
    chmodSync(file, 0o640);
    assert.throws(() => openChain(folder, 'p'), { code: 'UNSAFE_MODE' });
    chmodSync(file, 0o600);
    chmodSync(folder, 0o750);
    assert.throws(() => openChain(folder, 'p'), { code: 'UNSAFE_MODE' });
    const other = newFolder(t);
    symlinkSync(file, join(other, chainFileName));
    assert.throws(() => openChain(other, 'p'), { code: 'UNSAFE_MODE' });
  });

  test('refuses a newer format by name and writes nothing', (t) => {
    const folder = newFolder(t);
    const { text } = recordLine(
      { event: 'chain.start', who, outcome: 'ok', detail: { chain: 'p', format: 2 } },
      { seq: 0, hash: noHash },
      { time: '2030-01-01T00:00:00.000Z', mono: 1 },
    );
    const file = join(folder, chainFileName);
    writeFileSync(file, `${text}{"torn`, { mode: 0o600 });
    assert.throws(() => openChain(folder, 'p'), { code: 'NEWER_FORMAT' });
    assert.equal(readFileSync(file, 'latin1'), `${text}{"torn`);
  });

  test('refuses a changed first or last record, and names the file and what to do', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 3);
    const lines = linesIn(folder);
    for (const index of [0, 3]) {
      putLines(
        folder,
        lines.map((line, at) => (at === index ? line.replace('"gid":', '"gid":1') : line)),
      );
      assert.throws(() => openChain(folder, 'p'), {
        code: 'INTEGRITY',
        message: new RegExp(`^${join(folder, chainFileName)}: the hash does not fit`),
        hint: /^restore it from a backup, or begin a new one and keep this: mv /,
      });
    }
  });

  test('refuses a file that begins in the middle of a chain', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 3);
    putLines(folder, linesIn(folder).slice(1));
    assert.throws(() => openChain(folder, 'p'), { code: 'INTEGRITY' });
  });

  test('after a cut at any byte goes on with a marker, and the chain verifies', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 4, 2);
    const file = join(folder, chainFileName);
    const whole = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), async (length) => {
        writeFileSync(file, whole);
        truncateSync(file, length);
        const kept = whole.subarray(0, length).toString('latin1').split('\n').slice(0, -1);
        const torn = length - kept.join('\n').length - (kept.length > 0 ? 1 : 0);
        assert.equal((await verifyChain(file)).tornBytes, torn);
        await withChain(folder, (chain) => {
          chain.append(got(9));
        });
        const events = eventsIn(folder).slice(kept.length);
        assert.deepEqual(events, [
          ...(kept.length === 0 ? ['chain.start'] : []),
          ...(torn > 0 ? ['audit.repaired'] : []),
          'secret.get',
        ]);
        assert.deepEqual(linesIn(folder).slice(0, kept.length), kept);
        const { bad, tornBytes } = await verifyChain(file, { seals: { vaultId, secretOf } });
        assert.deepEqual([bad, tornBytes], [undefined, 0]);
      }),
      { numRuns: 150 },
    );
  });

  test('counts the bytes that it cut off in the marker', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 1);
    writeFileSync(join(folder, chainFileName), '{"seq":3', { flag: 'a' });
    await withChain(folder, () => undefined);
    const marker = JSON.parse(linesIn(folder).at(-1) ?? '') as Record<string, unknown>;
    assert.deepEqual([marker['event'], marker['detail']], ['audit.repaired', { droppedBytes: 8 }]);
  });

  test('finds the last record behind many torn bytes', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 2);
    writeFileSync(join(folder, chainFileName), Buffer.alloc(300_000), { flag: 'a' });
    await withChain(folder, (chain) => {
      assert.equal(chain.head().seq, 4);
    });
  });
});

describe('the newest seal', () => {
  test('is what the last seal said, however many records came after it', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 2, 1);
    await withChain(folder, async (chain) => {
      const daemon = { seq: 9, hash: 'cd'.repeat(32) };
      chain.seal({ vaultId, commit: 41, generation: 3, daemon }, key);
      assert.equal(chain.unsealed(), 0);
      chain.flush();
      const sealed = chain.head();
      for (let number = 0; number < 5_000; number += 1) chain.append(got(number));
      assert.deepEqual(await chain.lastSeal(vaultId, secretOf), {
        vaultId,
        commit: 41,
        generation: 3,
        daemon,
        ...sealed,
      });
      assert.equal(chain.unsealed(), 5_000);
    });
  });

  test('is undefined where nothing was ever sealed', async (t) => {
    await withChain(newFolder(t), async (chain) => {
      assert.equal(await chain.lastSeal(vaultId, secretOf), undefined);
    });
  });

  test('of another key, another vault or with another commit is refused', async (t) => {
    const folder = newFolder(t);
    await withChain(folder, async (chain) => {
      chain.seal(sealAt(5), key);
      await assert.rejects(
        chain.lastSeal(vaultId, () => undefined),
        { code: 'INTEGRITY' },
      );
      await assert.rejects(
        chain.lastSeal(vaultId, () => new Uint8Array(32)),
        { code: 'INTEGRITY', message: /forged/ },
      );
      await assert.rejects(chain.lastSeal('f'.repeat(32), secretOf), {
        code: 'INTEGRITY',
        message: /another vault/,
      });
    });
    const lines = linesIn(folder);
    const forged = JSON.parse(lines[1] ?? '') as Record<string, unknown>;
    const { text } = recordLine(
      {
        event: 'audit.seal',
        who,
        outcome: 'ok',
        commit: 4,
        detail: forged['detail'] as Record<string, string | number>,
      },
      { seq: 1, hash: String(forged['prev']) },
      { time: String(forged['time']), mono: 1 },
    );
    putLines(folder, [lines[0] ?? '', text.trimEnd()]);
    await withChain(folder, async (chain) => {
      await assert.rejects(chain.lastSeal(vaultId, secretOf), { code: 'INTEGRITY', message: /forged/ });
    });
  });

  test('A5: is not found behind records that were removed or rewritten', async (t) => {
    const folder = newFolder(t);
    await writeChain(folder, 6, 3);
    const lines = linesIn(folder);
    putLines(folder, [...lines.slice(0, 6), ...lines.slice(7)]);
    await withChain(folder, async (chain) => {
      chain.append(got(1));
      assert.equal((await chain.lastSeal(vaultId, secretOf))?.commit, 6);
    });
    putLines(folder, [...lines.slice(0, 4), ...lines.slice(6, 8)]);
    await withChain(folder, async (chain) => {
      await assert.rejects(chain.lastSeal(vaultId, secretOf), { code: 'INTEGRITY' });
    });
  });
});
