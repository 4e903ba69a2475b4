import { readRegularFile } from '../../daemon/home/files.ts';
import { HushError } from '../../protocol/errors.ts';
import { keyText } from '../configure/key.ts';
import { inFile, readerOf, textOfFile } from '../configure/documents.ts';
import { formatOf } from '../configure/formats.ts';
import { parseEnvFile } from '../environment/env-file.ts';
import { utf8Of } from '../passphrase.ts';
import type { Found, Harvest } from './candidates.ts';

const mostBytes = 16 * 1024 * 1024;

/**
 * The values in a file: texts as they are, numbers and truth values as they are written. What is null or empty is left
 * out, and so is what is a reference already. Throws BAD_REQUEST, TOO_LARGE, UNAVAILABLE.
 */
export async function harvestFile(path: string): Promise<Harvest> {
  const format = formatOf(path);
  if (format === undefined) {
    throw new HushError('BAD_REQUEST', `${path} has no name of .env, JSON, YAML, TOML, INI or properties`, {
      hint: 'give it the ending of what it is, such as .env',
    });
  }
  const read = await readerOf(format);
  const bytes = readRegularFile(path, mostBytes);
  try {
    const text = textOfFile(path, bytes);
    const problems =
      format === 'env'
        ? parseEnvFile(text).faults.map(({ line, message }) => `line ${line}: ${message}`)
        : [];
    const found: Found[] = [];
    let [references, empty] = [0, 0];
    for (const leaf of inFile(path, () => read(text)).leaves) {
      if (!leaf.text.isWellFormed()) problems.push(`${keyText(leaf.path)} has half a character`);
      else if (leaf.kind === 'text' && leaf.text.startsWith('hush://')) references += 1;
      else if (leaf.kind !== 'other' || /^(?:true|false)$/i.test(leaf.text)) {
        found.push({ steps: leaf.path, value: utf8Of(leaf.text) });
      } else if (/^(?:null|~|\{\}|\[\]|)$/i.test(leaf.text)) empty += 1;
      else problems.push(`${keyText(leaf.path)} is neither text nor a number`);
    }
    return { found, problems, references, empty };
  } finally {
    bytes.fill(0);
  }
}
