import { Worker } from 'node:worker_threads';

import { HushError, type ErrorCode } from '../../protocol/errors.ts';
import { copyBytes } from '../memory/plain-bytes.ts';
import type { VaultFile } from './sqlcipher.ts';

/** What the thread that checks a file answers. */
export type CheckAnswer =
  { readonly ok: true } | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** The same file as this one in the folder that this module runs from: sources, or what was built from them. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './file-check-thread.ts' : './file-check-thread.js',
  import.meta.url,
);

/**
 * Opens a closed vault file as `openSqlcipherStore` does, all of its pages checked, and closes it: on a thread of its
 * own, since SQLite checks a large file in one go. The key's copy moves to that thread, which wipes it. Throws as
 * `openSqlcipherStore`, and UNAVAILABLE when there can be no thread.
 */
export async function checkVaultFile(file: VaultFile): Promise<void> {
  const key = copyBytes(file.key);
  const answer = await new Promise<CheckAnswer>((resolve, reject) => {
    const thread = new Worker(program, { workerData: { ...file, key }, transferList: [key.buffer] });
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => {
      reject(new Error('the thread ended without an answer'));
    });
  }).catch((error: unknown) => {
    throw new HushError('UNAVAILABLE', `${file.label}: it could not be checked`, { cause: error });
  });
  if (!answer.ok) throw new HushError(answer.code, answer.message);
}
