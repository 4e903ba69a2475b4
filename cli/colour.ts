const codes = { red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** The colours of `hush`: red for what is wrong, yellow for what may be, green for what is well, cyan for what to type. */
export type Colour = keyof typeof codes;

/** Gives a text that was made printable a colour, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** Paints nothing. */
export const plain: Paint = (_colour, text) => text;

/** How to paint on a stream: only where it is a terminal that knows colours, and nobody has set NO_COLOR (no-color.org). */
export function paintFor(
  { isTTY }: Pick<NodeJS.WriteStream, 'isTTY'>,
  env: NodeJS.ProcessEnv = process.env,
): Paint {
  if (!isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return plain;
  return (colour, text) => `\x1b[${codes[colour]}m${text}\x1b[39m`;
}
