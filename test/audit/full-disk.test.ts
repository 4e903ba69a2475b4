import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { type Chain, chainFileName, openChain } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { HushError } from '../../protocol/errors.ts';
import { eventsIn, got, key, linesIn, sealAt, secretOf, vaultId } from './fixtures.ts';

/** A real file system of 128 KiB, or undefined (and the test skipped) where it cannot be mounted. */
function smallDisk(t: TestContext): string | undefined {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'hush-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=128k,mode=700', 'tmpfs', folder]);
  if (status !== 0) {
    rmdirSync(folder);
    t.skip('needs the right to mount');
    return undefined;
  }
  t.after(() => {
    execFileSync('umount', ['-l', folder]);
    rmdirSync(folder);
  });
  return folder;
}

/** Takes all the space but for `pages` pages of 4 KiB. */
function fill(disk: string, pages: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail - pages) * bsize));
}

const isFull = (error: unknown): boolean =>
  error instanceof HushError &&
  error.code === 'UNAVAILABLE' &&
  error.message === 'the audit cannot be written: no space left on device' &&
  error.hint.includes('free some space');

const appendAndFlush = (chain: Chain, count: number): void => {
  for (let number = 0; number < count; number += 1) chain.append(got(number));
  chain.flush();
};

describe('B2, B10: a full disk', () => {
  test('refuses the flush, keeps the chain whole, and the chain goes on when there is space', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const chain = openChain(disk, 'p');
    const file = join(disk, chainFileName);
    appendAndFlush(chain, 3);
    fill(disk, 1);
    const before = { head: chain.head(), lines: linesIn(disk) };
    for (const count of [40, 60]) {
      assert.throws(() => {
        appendAndFlush(chain, count);
      }, isFull);
    }
    assert.throws(() => {
      for (let number = 0; number < 50; number += 1) chain.append(got(number));
      chain.seal(sealAt(1), key);
      chain.flush();
    }, isFull);
    assert.deepEqual({ head: chain.head(), lines: linesIn(disk) }, before);
    assert.deepEqual((await verifyChain(file)).bad, undefined);
    rmSync(join(disk, 'ballast'));
    appendAndFlush(chain, 2);
    await chain.sync();
    assert.deepEqual(eventsIn(disk).slice(before.lines.length), ['audit.lost', 'secret.get', 'secret.get']);
    const marker = JSON.parse(linesIn(disk).at(-3) ?? '') as Record<string, unknown>;
    assert.deepEqual(marker['detail'], { records: 40 + 60 + 51 });
    await chain.close();
    const { bad, tornBytes, head } = await verifyChain(file);
    assert.deepEqual([bad, tornBytes, head], [undefined, 0, chain.head()]);
  });

  test('drops no record of a change that was committed: it comes right after what tells of the others', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const chain = openChain(disk, 'p');
    fill(disk, 0);
    const change = (commit: number): void => {
      for (let number = 0; number < 20; number += 1) chain.append(got(number));
      chain.append({ ...got(commit), event: 'secret.set', commit });
      chain.seal(sealAt(commit), key);
    };
    for (const commit of [1, 2]) {
      change(commit);
      assert.throws(chain.flush, isFull);
    }
    rmSync(join(disk, 'ballast'));
    chain.append(got(1));
    chain.seal(sealAt(2), key);
    chain.flush();
    const told = ['audit.lost', 'secret.set', 'secret.set', 'secret.get', 'audit.seal'];
    assert.deepEqual(eventsIn(disk), ['chain.start', ...told]);
    const commits = linesIn(disk).map((line) => (JSON.parse(line) as Record<string, unknown>)['commit']);
    assert.deepEqual(commits.slice(2, 4), [1, 2]);
    chain.append(got(1));
    await chain.close();
    assert.deepEqual(eventsIn(disk), ['chain.start', ...told, 'secret.get'], 'and only once');
    const { bad, lost } = await verifyChain(join(disk, chainFileName), { seals: { vaultId, secretOf } });
    assert.deepEqual([bad, lost], [undefined, 2 * 21]);
  });

  test('keeps a bounded number of such records, and counts the others', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const chain = openChain(disk, 'p');
    fill(disk, 0);
    for (let turn = 0; turn < 3; turn += 1) {
      for (let number = 0; number < 400; number += 1) chain.append({ ...got(number), commit: number });
      assert.throws(chain.flush, isFull);
    }
    rmSync(join(disk, 'ballast'));
    assert.throws(chain.flush, isFull, 'a disk of 128 KiB has no room for a thousand');
    for (let turn = 0; turn < 2; turn += 1) assert.throws(chain.flush, isFull);
    execFileSync('mount', ['-o', 'remount,size=2m', disk]);
    chain.flush();
    const { bad, lost, records } = await verifyChain(join(disk, chainFileName));
    assert.deepEqual([bad, lost, records], [undefined, 200, 1 + 1 + 1000]);
    await chain.close();
  });

  test('is told by close if the lost records cannot be told any more', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const chain = openChain(disk, 'p');
    fill(disk, 0);
    assert.throws(() => {
      appendAndFlush(chain, 100);
    }, isFull);
    for (let number = 0; number < 20; number += 1) chain.append(got(number));
    await assert.rejects(chain.close(), isFull);
    assert.throws(chain.flush, /closed/);
    assert.deepEqual(eventsIn(disk), ['chain.start']);
  });

  test('lets no new chain begin, and leaves nothing of it that would stop a later one', async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    fill(disk, 0);
    assert.throws(() => openChain(disk, 'p'), { code: 'UNAVAILABLE', message: /no space left/ });
    rmSync(join(disk, 'ballast'));
    const chain = openChain(disk, 'p');
    assert.equal(chain.head().seq, 1);
    await chain.close();
  });
});
