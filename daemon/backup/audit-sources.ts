import { constants } from 'node:fs';
import { basename, dirname } from 'node:path';

import { chainFiles } from '../audit/segments.ts';
import { lastStub } from '../audit/stub-file.ts';
import { holdFile, type HeldFile } from '../home/held-file.ts';
import { openSafeFile } from '../home/safety.ts';
import type { Source } from './stream.ts';

/** The files of a profile's audit as they are now, to be read while the audit goes on. */
export interface AuditSources {
  readonly sources: readonly Source[];
  /** Further calls do nothing. */
  release(): void;
}

/**
 * The files of the chain that is written to `newest`. Those that are written to are held open; the other segments never
 * change, and are opened one at a time when they are read. Throws UNAVAILABLE.
 */
export function auditSources(newest: string): AuditSources {
  const { stubs, segments } = chainFiles(dirname(newest));
  const stubbed = stubs === undefined ? 0 : (lastStub(stubs)?.segment ?? 0);
  const held: HeldFile[] = [];
  const hold = (path: string): HeldFile => {
    const file = holdFile(openSafeFile(path, constants.O_RDONLY), 'the audit');
    held.push(file);
    return file;
  };
  const release = (): void => {
    for (const file of held.splice(0)) file.release();
  };
  const sourceOf = (path: string, size: number, read: Source['read']): Source => ({
    part: 'audit',
    name: basename(path),
    size,
    read,
  });
  const sourceHeld = (path: string): Source => {
    const file = hold(path);
    return sourceOf(path, file.size(), file.read);
  };
  try {
    const older = segments.filter(({ path, number }) => path !== newest && number > stubbed);
    return {
      sources: [
        ...(stubs === undefined ? [] : [sourceHeld(stubs)]),
        ...older.map(({ path, bytes }) => sourceOf(path, bytes, readerOf(path, hold))),
        sourceHeld(newest),
      ],
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** Reads a file that is opened when its beginning is asked for, and closed when its end was read. */
function readerOf(path: string, hold: (path: string) => HeldFile): Source['read'] {
  let file: HeldFile | undefined;
  return async (bytes, offset) => {
    const open = (file ??= hold(path));
    await open.read(bytes, offset);
    if (offset + bytes.length < open.size()) return;
    open.release();
    file = undefined;
  };
}
