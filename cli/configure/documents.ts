import { HushError } from '../../protocol/errors.ts';
import type { Document } from './document.ts';
import type { Format } from './formats.ts';

const readers: Readonly<Record<Format, () => Promise<(text: string) => Document>>> = {
  toml: async () => (await import('./toml-document.ts')).readToml,
  yaml: async () => (await import('./yaml-document.ts')).readYaml,
  json: async () => (await import('./json-document.ts')).readJson,
  env: async () => (await import('./env-document.ts')).readEnv,
  ini: async () => (await import('./ini-document.ts')).readIni,
  properties: async () => (await import('./ini-document.ts')).readProperties,
};

/**
 * What reads documents of a format; it is loaded only now. The reader throws BAD_REQUEST for a text that is none of that
 * format.
 */
export async function readerOf(format: Format): Promise<(text: string) => Document> {
  const read = await readers[format]();
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new HushError('BAD_REQUEST', 'it is nested too deeply', {
        hint: 'mend the file, then try again',
      });
    }
  };
}

/** The text of a file, its byte order mark included. Throws BAD_REQUEST for what is not UTF-8. */
export function textOfFile(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new HushError('BAD_REQUEST', `${path} is not UTF-8 text`, { hint: 'convert it to UTF-8 first' });
  }
}

/** Runs `read`; what it throws names the file. */
export function inFile<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    throw new HushError(error.code, `${path}: ${error.message}`, { hint: error.hint, cause: error });
  }
}
