import { HushError } from '../../protocol/errors.ts';
import { parseReference } from '../../protocol/names.ts';

/** Whether the text is a reference to a secret, and nothing else. */
export function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    return false;
  }
}
