/**
 * Characters that steer a terminal or hide text: controls, formatting such as bidi marks, line separators, half surrogates.
 * Made when it is first asked for: most commands print nothing by it, and the tables take Node 0.6 ms.
 */
const unprintable = (): RegExp => /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const hexOf = (character: string): string => (character.codePointAt(0) ?? 0).toString(16);

/**
 * The text as one line that is safe on a terminal: each character that steers it stands as `\x1b` or `\u{202e}`.
 * Names that hushd accepts pass unchanged.
 */
export function printable(text: string): string {
  return text.replaceAll(unprintable(), (character) => {
    if (character === '\n') return '\\n';
    const hex = hexOf(character);
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
}

/** JSON of one line in which the characters that steer a terminal are escaped too, so that it parses to the same value. */
export function printableJson(value: unknown): string {
  return printableJsonText(JSON.stringify(value));
}

/** JSON text of one line with such characters escaped; it parses to the same value. */
export function printableJsonText(json: string): string {
  return json.replaceAll(unprintable(), (character) =>
    Array.from({ length: character.length }, (_, unit) => character.charCodeAt(unit))
      .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
