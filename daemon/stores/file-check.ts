import { lstatSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { HushError, type ErrorCode } from '../../protocol/errors.ts';
import { wipe } from '../memory/plain-bytes.ts';
import type { SqlcipherStore } from './sqlcipher-store.ts';
import { openCheckedStore, openSqlcipherStore, type VaultFile } from './sqlcipher.ts';

/** What the thread that checks a file answers. */
export type CheckAnswer =
  { readonly ok: true } | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** The same file as this one in the folder that this module runs from: sources, or what was built from them. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './file-check-thread.ts' : './file-check-thread.js',
  import.meta.url,
);

/** To check a file of so many bytes takes some ten milliseconds, less than to start a thread. */
const quicklyChecked = 2 * 1024 * 1024;

/**
 * As `openSqlcipherStore`, except that the pages of a large file are checked on a thread of their own: others are served
 * meanwhile. Throws as that, UNAVAILABLE.
 */
export async function openVaultFile(file: VaultFile): Promise<SqlcipherStore> {
  const size = [file.path, `${file.path}-wal`].reduce(
    (sum, path) => sum + (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  if (size <= quicklyChecked) return openSqlcipherStore(file);
  await checkVaultFile(file);
  return openCheckedStore(file);
}

/**
 * Opens a closed vault file as `openSqlcipherStore` does, all of its pages checked, and closes it: on a thread of its
 * own, since SQLite checks a large file in one go. Throws as `openSqlcipherStore`, UNAVAILABLE when there can be no
 * thread, and the signal's reason at once when it ends the check: the thread then ends with the call that it is in.
 */
export async function checkVaultFile(file: VaultFile, signal?: AbortSignal): Promise<void> {
  // Shared, so that it can be wiped from here even where the thread is ended in the middle of its work.
  const key = new Uint8Array(new SharedArrayBuffer(file.key.length));
  let thread: Worker | undefined;
  try {
    signal?.throwIfAborted();
    key.set(file.key);
    thread = new Worker(program, { workerData: { ...file, key } });
    const answer = await answerOf(thread, signal);
    if (!answer.ok) throw new HushError(answer.code, answer.message);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof HushError) throw error;
    throw new HushError('UNAVAILABLE', `${file.label}: it could not be checked`, { cause: error });
  } finally {
    wipe(key);
    void thread?.terminate();
  }
}

function answerOf(thread: Worker, signal: AbortSignal | undefined): Promise<CheckAnswer> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      reject(new Error('the thread ended without an answer'));
    };
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', end);
    signal?.addEventListener('abort', end);
  });
}
