import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createProgramHashes } from '../../daemon/access/program-hashes.ts';
import { hashFile } from '../../native/file-hash.ts';
import { readPeerProcess } from '../../native/peer-process.ts';

const uid = process.geteuid?.() ?? -1;
const gid = process.getegid?.() ?? -1;

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-program-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** A process that runs a program until the test ends. */
async function run(t: TestContext, program: string) {
  const child = spawn(program, ['60'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const peer = { pid: child.pid ?? 0, uid, gid };
  const found = readPeerProcess(peer);
  assert.ok(found);
  return { child, peer, process: found };
}

describe('the hash of a program', () => {
  test('is the SHA-256 of the bytes that the process runs', async (t) => {
    const { peer, process: found } = await run(t, '/bin/sleep');
    const hashes = createProgramHashes();
    assert.equal(await hashes.of(peer, found), sha256('/bin/sleep'));
    assert.equal(await hashes.of(peer, found), sha256('/bin/sleep'));
  });

  test('A12: is that of the old bytes where the file was replaced meanwhile', async (t) => {
    const program = join(makeFolder(t), 'program');
    copyFileSync('/bin/sleep', program);
    const before = sha256(program);
    const { peer, process: found } = await run(t, program);
    rmSync(program);
    copyFileSync('/bin/cat', program);
    const now = readPeerProcess(peer);
    assert.ok(now);
    assert.equal(await createProgramHashes().of(peer, now), before);
    assert.equal(await createProgramHashes().of(peer, found), undefined, 'it is not what was looked at');
  });

  test('A12: is none once the process has ended, or runs something else, or is another user’s', async (t) => {
    const { child, peer, process: found } = await run(t, '/bin/sleep');
    const hashes = createProgramHashes();
    const other = { path: '/bin/cat', version: '1:2:3:4:5' };
    assert.equal(await hashes.of(peer, { ...found, executable: other }), undefined);
    assert.equal(await hashes.of({ ...peer, uid: uid + 1 }, found), undefined);
    assert.equal(await hashes.of(peer, { ...found, startTime: found.startTime - 1 }), undefined);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await hashes.of(peer, found), undefined);
  });

  test('A12: is made anew for a file that was changed, even within a tick of the clock', async (t) => {
    const folder = makeFolder(t);
    const program = join(folder, 'program');
    const hashes = createProgramHashes();
    for (const source of ['/bin/sleep', '/bin/sleep', '/bin/sleep']) {
      writeFileSync(program, Buffer.concat([readFileSync(source), Buffer.from(String(Math.random()))]), {
        mode: 0o755,
      });
      const { child, peer, process: found } = await run(t, program);
      assert.equal(await hashes.of(peer, found), sha256(program));
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
});

describe('hashing an open file', () => {
  test('gives nothing for a folder, a closed descriptor, and more than 1 GiB', async (t) => {
    const folder = makeFolder(t);
    const path = join(folder, 'large');
    const fd = openSync(path, 'w+');
    ftruncateSync(fd, 1024 * 1024 * 1024 + 1);
    assert.equal(await hashFile(fd), undefined);
    ftruncateSync(fd, 1_000_000);
    assert.equal(await hashFile(fd), sha256(path));
    closeSync(fd);
    assert.equal(await hashFile(fd), undefined);
    const open = openSync(folder, 'r');
    assert.equal(await hashFile(open), undefined);
    closeSync(open);
  });

  test('gives nothing for a file that changes meanwhile', async (t) => {
    const path = join(makeFolder(t), 'growing');
    writeFileSync(path, new Uint8Array(4_000_000));
    const fd = openSync(path, 'r');
    const hashing = hashFile(fd);
    writeFileSync(path, new Uint8Array(4_000_001));
    assert.equal(await hashing, undefined);
    closeSync(fd);
  });
});
