import { parentPort, workerData } from 'node:worker_threads';

import { HushError } from '../../protocol/errors.ts';
import { wipe } from '../memory/plain-bytes.ts';
import type { CheckAnswer } from './file-check.ts';
import { openSqlcipherStore, type VaultFile } from './sqlcipher.ts';

// `checkVaultFile` starts this file with nothing else.
const file = workerData as VaultFile;

function answer(): CheckAnswer {
  try {
    openSqlcipherStore(file).close();
    return { ok: true };
  } catch (error) {
    if (error instanceof HushError) return { ok: false, code: error.code, message: error.message };
    throw error;
  } finally {
    wipe(file.key);
  }
}

parentPort?.postMessage(answer());
