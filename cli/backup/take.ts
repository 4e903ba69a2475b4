import { openBackup } from '../../daemon/backup/reader.ts';
import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { Daemon } from '../daemon.ts';
import type { NewFile } from './new-file.ts';

/** A backup that was taken: what the daemon told of it, and the checksum of its file in hex. */
export interface TakenBackup extends ResultOf<'backup.begin'> {
  readonly checksum: string;
}

/** The daemon reads and hashes the whole profile before it answers. */
const beginDeadlineMs = 600_000;

/**
 * Takes a backup of a profile into a file, reads that again from its beginning to its end, and keeps it; `progress` is
 * told the bytes written so far. The vault remembers the backup. Throws what the daemon refuses with, DAMAGED when the
 * file is not what was written, EXISTS, UNAVAILABLE; nothing has the file's name then.
 */
export async function takeBackup(
  daemon: Daemon,
  profile: string,
  file: NewFile,
  progress: (done: number, size: number) => void,
): Promise<TakenBackup> {
  const begun = await daemon.call('backup.begin', { profile }, { deadlineMs: beginDeadlineMs });
  const { id, size } = begun;
  let kept = false;
  try {
    for (let offset = 0; offset < size;) {
      const { data } = await daemon.call('backup.read', { profile, id, offset });
      if (data.length === 0) throw new HushError('UNAVAILABLE', 'the daemon gave nothing of the backup');
      file.write(data);
      offset += data.length;
      progress(offset, size);
    }
    file.sync();
    const checksum = await checksumOf(file.temporary);
    file.keep();
    kept = true;
    return { ...begun, checksum };
  } finally {
    await endBackup(daemon, profile, id, kept);
  }
}

async function checksumOf(path: string): Promise<string> {
  const backup = await openBackup(path);
  try {
    return await backup.readAll();
  } finally {
    await backup.close();
  }
}

/** Tells the daemon that it is over; where it failed, that failure is what is told. */
async function endBackup(daemon: Daemon, profile: string, id: string, kept: boolean): Promise<void> {
  try {
    await daemon.call('backup.end', { profile, id, kept });
  } catch (error) {
    if (kept) throw error;
  }
}
