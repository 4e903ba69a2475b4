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

/**
 * The alphabet of a name, or the characters themselves: 2 to 95 different ones of ASCII that can be typed. Throws
 * BAD_REQUEST.
 */
export function alphabetOf(text: string): string {
  const named = Object.hasOwn(alphabets, text) ? alphabets[text] : undefined;
  if (named !== undefined) return named;
  if (!printableAscii.test(text)) throw malformed('an alphabet is characters of ASCII that can be typed');
  if (new Set(text).size !== text.length) throw malformed('a character stands twice in the alphabet');
  if (text.length < 2) throw malformed('an alphabet has two characters at least');
  return text;
}

const malformed = (message: string): HushError =>
  new HushError('BAD_REQUEST', message, {
    hint: `name one (${Object.keys(alphabets).join(', ')}), or write different characters`,
  });

/** How many bits it takes to guess so many characters of an alphabet. */
export function bitsOf(length: number, alphabet: string): number {
  return Math.floor(length * Math.log2(alphabet.length));
}
