/** The common options that are asked about where no parsed command line is at hand. */
export type Switch = '--json' | '--quiet' | '--no-input';

/** Whether an option stands on a command line, by default that of this process; what follows a double dash is no option. */
export function isGiven(name: Switch, words: readonly string[] = process.argv.slice(2)): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? words.length : end).includes(name);
}
