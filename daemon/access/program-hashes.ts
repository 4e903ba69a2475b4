import { closeSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { hashFile } from '../../native/file-hash.ts';
import { openExecutable, type PeerProcess } from '../../native/peer-process.ts';
import type { PeerCredentials } from './identity.ts';

/** The hashes of the programs that peers run. */
export interface ProgramHashes {
  /**
   * The SHA-256 of the program that a process runs, in lower-case hex; undefined where that cannot be told, or the
   * process has come to run something else since it was identified.
   */
  of(peer: PeerCredentials, process: PeerProcess): Promise<string | undefined>;
}

const mostKept = 256;
/** Whether a file was changed is told by its times, and two changes within a tick of the clock have the same. */
const settledMs = 2_000;

/**
 * Hashes of programs, kept for as long as the files do not change. Those that one user's processes ask for are made one
 * after the other: a user with many large programs holds up nobody else.
 */
export function createProgramHashes(): ProgramHashes {
  const kept = new LRUCache<string, string>({ max: mostKept });
  const lastOf = new Map<number, Promise<string | undefined>>();

  const hash = async (fd: number, version: string): Promise<string | undefined> => {
    const changedMs = Number(BigInt(version.slice(version.lastIndexOf(':') + 1)) / 1_000_000n);
    const isSettled = Date.now() - changedMs > settledMs;
    const found = await hashFile(fd);
    if (found !== undefined && isSettled) kept.set(version, found);
    return found;
  };

  return {
    async of(peer, process) {
      const { executable } = process;
      if (executable === undefined) return undefined;
      const fd = openExecutable(peer, process);
      if (fd === undefined) return undefined;
      const known = (): string | undefined => kept.get(executable.version);
      const before = lastOf.get(peer.uid) ?? Promise.resolve(undefined);
      const mine = before.then(() => known() ?? hash(fd, executable.version));
      lastOf.set(peer.uid, mine);
      try {
        return await mine;
      } finally {
        closeSync(fd);
        if (lastOf.get(peer.uid) === mine) lastOf.delete(peer.uid);
      }
    },
  };
}
