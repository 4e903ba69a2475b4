import { HushError } from '../protocol/errors.ts';

const digits = '0123456789';
const lower = 'abcdefghijklmnopqrstuvwxyz';
const upper = lower.toUpperCase();
const alnum = `${upper}${lower}${digits}`;
const ascii = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 }, (_, index) => 0x21 + index));

/** What generated values are made of, by name. */
export const alphabets: Readonly<Record<string, string>> = {
  /** No character that a shell, a URL or a config file gives a meaning to. */
  alnum,
  alpha: `${upper}${lower}`,
  lower: `${lower}${digits}`,
  digits,
  hex: '0123456789abcdef',
  base64url: `${alnum}-_`,
  /** Letters and digits without those that are mistaken for others: 0 O 1 I l. */
  readable: alnum.replaceAll(/[0O1Il]/g, ''),
  /** Every character of ASCII that can be seen. */
  ascii,
};

/** The alphabet that is meant where none is named. */
export const defaultAlphabet = 'alnum';

const printableAscii = /^[\x20-\x7e]+$/;
const word = /^[A-Za-z]{2,}[0-9]*$/;

/**
 * The alphabet of a name, or the characters themselves: 2 to 95 different ones of ASCII that can be typed. A word is the
 * letters in it only where they stand in their order: `base64` would else be six characters. Throws BAD_REQUEST.
 */
export function alphabetOf(text: string): string {
  const named = Object.hasOwn(alphabets, text) ? alphabets[text] : undefined;
  if (named !== undefined) return named;
  if (!printableAscii.test(text)) throw malformed('an alphabet is characters of ASCII that can be typed');
  if (new Set(text).size !== text.length) throw malformed('a character stands twice in the alphabet');
  if (text.length < 2) throw malformed('an alphabet has two characters at least');
  if (word.test(text) && !isInOrder(text)) throw malformed('there is no alphabet of that name');
  return text;
}

const isInOrder = (text: string): boolean =>
  Array.from(text.matchAll(/[a-z]+|[A-Z]+|[0-9]+/g)).every(
    ([run]) => run === Array.from(run).sort().join(''),
  );

const malformed = (message: string): HushError =>
  new HushError('BAD_REQUEST', message, {
    hint: `name one (${Object.keys(alphabets).join(', ')}), or write different characters, letters in their order`,
  });

/** How many bits it takes to guess so many characters of an alphabet. */
export function bitsOf(length: number, alphabet: string): number {
  return Math.floor(length * Math.log2(alphabet.length));
}
