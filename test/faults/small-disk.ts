import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { callFailed, libc } from '../../native/libc.ts';

/** A small file system of its own, gone when the test ends. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves no room at all. */
  fill(): void;
  /** Gives back all that `fill` took. */
  free(): void;
  /** Turns it read-only under the feet of whoever writes to it, as a file system with an error does. */
  failReadOnly(): void;
  /** Mounts it anew after that; nobody may use it meanwhile. */
  mend(): void;
}

export type DiskKind = 'tmpfs' | 'ext4';

/** Why such a disk cannot be had here, or undefined. */
export function whyNoDisk(kind: DiskKind): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount';
  if (kind === 'tmpfs') return undefined;
  if (spawnSync('mkfs.ext4', ['-V']).status !== 0) return 'there is no mkfs.ext4';
  return spawnSync('losetup', ['--find']).status === 0 ? undefined : 'there is no loop device';
}

/**
 * A disk of `megabytes`, mounted at `place` or in a new folder. The process of the test file moves to a mount namespace
 * of its own, which ends with it.
 */
export function makeDisk(t: TestContext, kind: DiskKind, megabytes: number, place?: string): SmallDisk {
  enterOwnNamespace();
  const folder = place ?? mkdtempSync(join(tmpdir(), 'hushd-disk-'));
  const image = `${folder}.img`;
  const mountImage = (): void => {
    execFileSync('mount', ['-o', 'loop,nodelalloc', image, folder]);
  };
  if (kind === 'ext4') {
    execFileSync('truncate', ['-s', `${megabytes}M`, image]);
    execFileSync('mkfs.ext4', ['-q', '-b', '1024', image]);
    mountImage();
    chmodSync(folder, 0o700);
  } else {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'hushd-test', folder]);
  }
  t.after(() => {
    // What is mounted on another disk of the test goes with that.
    if (place !== undefined) return;
    execFileSync('umount', ['-l', folder]);
    rmdirSync(folder);
    rmSync(image, { force: true });
  });
  const filler = join(folder, 'filler');
  return {
    folder,
    fill() {
      const fd = openSync(filler, 'a');
      for (let size = 1 << 20; size >= 1; size >>= 1) writeWhileRoom(fd, Buffer.alloc(size, 1));
      closeSync(fd);
    },
    free() {
      truncateSync(filler);
    },
    failReadOnly() {
      execFileSync('mount', ['-o', 'remount,abort', folder]);
    },
    mend() {
      execFileSync('umount', [folder]);
      mountImage();
    },
  };
}

const CLONE_NEWNS = 0x20000;
const unshare: (flags: number) => number = libc.func('int unshare(int flags)');

/**
 * Moves this thread, and all that it starts from here on, to a mount namespace of its own (unshare(2)): what is mounted
 * there ends with them, whatever becomes of the test. Node's other threads stay, so use the synchronous fs calls.
 */
function enterOwnNamespace(): void {
  const namespaceOf = (pid: string): string => readlinkSync(`/proc/${pid}/ns/mnt`);
  if (namespaceOf('thread-self') !== namespaceOf(String(process.ppid))) return;
  if (unshare(CLONE_NEWNS) !== 0) throw callFailed('unshare(CLONE_NEWNS)');
  execFileSync('mount', ['--make-rprivate', '/']);
}

function writeWhileRoom(fd: number, bytes: Buffer): void {
  try {
    while (writeSync(fd, bytes) === bytes.length);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
}
