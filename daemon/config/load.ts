import { HushError } from '../../protocol/errors.ts';
import { readSafeFile } from '../home/files.ts';
import type { Config } from './config.ts';
import { parseConfig } from './parse.ts';

const maxConfigBytes = 4 * 1024 * 1024;

/**
 * The config in a file; a missing file means all defaults. Throws UNSAFE_MODE if others can reach the file,
 * BAD_REQUEST for what it says, TOO_LARGE past 4 MiB, UNAVAILABLE if it cannot be read.
 */
export function loadConfig(path: string): Config {
  return parseConfig(textOf(path), path);
}

function textOf(path: string): string {
  const bytes = readSafeFile(path, maxConfigBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new HushError('BAD_REQUEST', `${path}: is not UTF-8 text`, {
      hint: `correct ${path}`,
      cause: error,
    });
  }
}
