import type { Command, CommanderError } from 'commander';
import { HushError } from '../protocol/errors.ts';
import { commands } from './commands.ts';
import { packageVersion } from './package.ts';

/**
 * The error that stands for a command line that commander refused. `name` is what was typed of the command, as in
 * `hush help NAME`.
 * Commander's own texts repeat what was typed, which may hold a value typed by mistake: that part is left out.
 */
export function usageError(error: CommanderError, name: string): HushError {
  if (error.code === 'commander.excessArguments' && name === 'set') {
    return new HushError(
      'BAD_REQUEST',
      'a value never stands on the command line, where others can read it',
      {
        hint: 'pipe it in, or leave it away and type it at the hidden prompt',
      },
    );
  }
  return badUsage(sentenceOf(error), name);
}

/** What is typed for a command, without `hush`: `slot add`. */
export function wordsOf(command: Command): string {
  const own = command.name().replace(/^hush /, '');
  return command.parent === null ? own : `${wordsOf(command.parent)} ${own}`;
}

/** A BAD_REQUEST error for a command line that cannot be carried out. */
export function badUsage(message: string, name: string): HushError {
  return new HushError('BAD_REQUEST', message, { hint: `hush help ${name}` });
}

/** The error for a first word that is no command. */
export function unknownCommand(word: string): HushError {
  const close = closest(word);
  return new HushError('BAD_REQUEST', `there is no command '${word.slice(0, 40)}'`, {
    hint: close === undefined ? 'hush help' : `hush ${close}`,
  });
}

/** The text of `hush help`. */
export function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length)) + 2;
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`);
  return [
    `hush ${packageVersion()}: keeps secrets in hushd, a daemon on this host`,
    '',
    'Usage: hush COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...lines,
    `  ${'help'.padEnd(width)}show this, or the help of one command: hush help COMMAND`,
    '',
    'Options of every command:',
    '  -p, --profile NAME  the profile (else HUSH_PROFILE, else default)',
    '  --json              print facts and errors as one line of JSON',
    '  --quiet             print no notes and no progress: standard error has errors alone',
    '  --no-input          never ask: what would have to be asked is an error',
    '  --client-key FILE   the key file of an enrolled client to be (else HUSH_CLIENT_KEY_FILE)',
    '  -h, --help          show the help of the command',
    '',
    'The first five minutes:',
    '  hush init',
    "  printf '%s' 'value' | hush set global/name",
    '  hush get global/name --reveal',
    '',
  ].join('\n');
}

function sentenceOf(error: CommanderError): string {
  const [quoted = ''] = /'[^']*'/.exec(error.message) ?? [];
  switch (error.code) {
    case 'commander.unknownOption':
      return `there is no option ${quoted.replace(/^'(--[^=']*|-.).*$/s, "'$1'")}`;
    case 'commander.missingArgument':
      return `${quoted.slice(1, -1).toUpperCase()} is missing`;
    case 'commander.optionMissingArgument':
      return `option ${quoted} needs a value`;
    case 'commander.excessArguments':
      return 'there are too many arguments';
    case 'commander.invalidArgument':
      return sentenceOfChoices(error);
    case 'commander.unknownCommand':
    case 'commander.help':
      return 'one of its subcommands is needed';
    default:
      return error.message.replace(/^error: /, '');
  }
}

/** What may be given where commander knows it; what was given is not repeated. */
function sentenceOfChoices({ message }: CommanderError): string {
  const [, what = 'an argument', choices] =
    /(?:option|for argument) '([^' ]*).*Allowed choices are (.*)\.$/s.exec(message) ?? [];
  return choices === undefined
    ? 'an argument is not one of those that there are'
    : `${what} is one of ${choices}`;
}

function closest(word: string): string | undefined {
  const names = Object.keys(commands);
  return names.find((name) => name.startsWith(word)) ?? names.find((name) => distanceOne(name, word));
}

/** Whether one typed character too many, too few, or wrong, or two swapped, make the difference. */
function distanceOne(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  const swapped = restA.slice(1, 2) + restA.slice(0, 1) + restA.slice(2);
  return (
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    swapped === restB
  );
}
