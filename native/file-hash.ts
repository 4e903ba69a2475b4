import { createHash } from 'node:crypto';
import { fstatSync, read, statfsSync } from 'node:fs';
import { promisify } from 'node:util';
import { versionOf } from './peer-process.ts';

const readAsync = promisify(read);

/** A program larger than this has no hash: reading it would keep a core busy for seconds. */
const mostBytes = 1024n * 1024n * 1024n;
/** Hashed in one go: about half a millisecond. */
const sliceBytes = 512 * 1024;
/** A file system in user space (statfs(2), FUSE_SUPER_MAGIC): it may show each reader other bytes. */
const fuseMagic = 0x65735546;

/**
 * The SHA-256 of an open file in lower-case hex, read in slices so that nothing else waits for long; undefined where
 * the file changes meanwhile, is larger than 1 GiB, cannot be read, or lies on a file system in user space.
 */
export async function hashFile(fd: number): Promise<string | undefined> {
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile() || before.size > mostBytes || statfsSync(`/proc/self/fd/${fd}`).type === fuseMagic) {
      return undefined;
    }
    const hash = createHash('sha256');
    const slice = new Uint8Array(sliceBytes);
    for (let at = 0; at < before.size;) {
      const { bytesRead } = await readAsync(fd, slice, 0, sliceBytes, at);
      if (bytesRead === 0) return undefined;
      hash.update(slice.subarray(0, bytesRead));
      at += bytesRead;
    }
    return versionOf(fstatSync(fd, { bigint: true })) === versionOf(before) ? hash.digest('hex') : undefined;
  } catch {
    return undefined;
  }
}
