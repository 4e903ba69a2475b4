import { HushError } from '../../protocol/errors.ts';
import { isSameBut, type Document, type Leaf } from './document.ts';
import { isReference } from './reference.ts';

/**
 * The text in which a reference stands in place of one value, and nothing else is another. It is read again: where
 * anything but that value would say something else, it throws BAD_REQUEST.
 */
export function withReference(
  text: string,
  leaf: Leaf,
  reference: string,
  read: (text: string) => Document,
): string {
  const edited = text.slice(0, leaf.start) + leaf.write(reference) + text.slice(leaf.end);
  if (isSameBut(read(text), readable(edited, read), leaf.path, reference)) return edited;
  throw refusal();
}

function readable(edited: string, read: (text: string) => Document): Document {
  try {
    return read(edited);
  } catch (error) {
    if (error instanceof HushError) throw refusal();
    throw error;
  }
}

const refusal = (): HushError =>
  new HushError(
    'BAD_REQUEST',
    'with a reference in place of this value the file would say something else too',
    {
      hint: 'an anchor on the value is used elsewhere, or the format is not plain: hush set, then edit by hand',
    },
  );

/** Throws BAD_REQUEST for a value that cannot be moved. `key` is how it was named. */
export function requireMovable({ kind, text }: Leaf, key: string): void {
  const refuse = (why: string, hint: string): never => {
    throw new HushError('BAD_REQUEST', `${key} ${why}`, { hint });
  };
  if (kind === 'other') {
    refuse(
      'is neither plain text nor a number',
      'a value that is plain text on its line, or in quotes, can be moved',
    );
  }
  if (text.startsWith('hush://') && !isReference(text)) {
    refuse('is a malformed reference', 'write hush://PROFILE/SCOPE/NAME there, or the value itself');
  }
  if (text === '') refuse('is empty: there is nothing to move', 'name another value');
  if (!text.isWellFormed()) {
    refuse('has half of a character (a lone surrogate), which UTF-8 cannot hold', 'mend the value first');
  }
}
