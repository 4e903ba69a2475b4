import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterCommonOptions } from './common-options.ts';
import { badUsage, usageError, wordsOf } from './usage.ts';

/** A command as the parser sees it. */
export interface Parsed {
  readonly name: string;
  readonly summary: string;
  readonly define: (command: Command) => void;
}

/**
 * Reads the words after a command's name, and runs its action. Throws BAD_REQUEST for words that it does not take,
 * and what the action throws.
 */
export async function parse(parsed: Parsed, words: readonly string[]): Promise<void> {
  const { name } = parsed;
  const command = commandOf(parsed);
  const line = arranged(command, words);
  try {
    if (isUnknown(command, line)) throw badUsage('there is no such subcommand', name);
    await command.parseAsync(line, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, wordsOf(subcommandOf(command, line) ?? command));
  }
}

/** The command with its own options, arguments and subcommands, and the common options. */
export function commandOf({ name, summary, define }: Parsed): Command {
  const command = bareCommand(name).description(summary);
  define(command);
  addCommonOptions(command);
  return command;
}

/** The words with a subcommand first: the common options belong to it, and may be typed before it. */
function arranged({ commands }: Command, words: readonly string[]): readonly string[] {
  const at = commands.length === 0 ? 0 : afterCommonOptions(words);
  return [...words.slice(at, at + 1), ...words.slice(0, at), ...words.slice(at + 1)];
}

const subcommandOf = ({ commands }: Command, [word]: readonly string[]): Command | undefined =>
  commands.find((one) => one.name() === word);

/** Whether the first word should name a subcommand, and does not. */
function isUnknown(command: Command, line: readonly string[]): boolean {
  const [word = '-'] = line;
  return command.commands.length > 0 && !word.startsWith('-') && subcommandOf(command, line) === undefined;
}

/** A command whose errors are thrown and never printed by commander itself. */
function bareCommand(name: string): Command {
  return new Command(`hush ${name}`)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .helpCommand(false)
    .showSuggestionAfterError(false);
}

function addCommonOptions(command: Command): void {
  if (command.commands.length > 0) {
    command.commands.forEach(addCommonOptions);
    return;
  }
  command
    .option('-p, --profile <name>', 'the profile (else HUSH_PROFILE, else default)')
    .option('--json', 'print facts and errors as one line of JSON')
    .option('--quiet', 'print no notes and no progress: standard error has errors alone')
    .option('--no-input', 'never ask: what would have to be asked is an error')
    .option('--client-key <file>', 'the key file of an enrolled client to be (else HUSH_CLIENT_KEY_FILE)')
    .hook('preAction', (_command, action) => {
      const { clientKey } = action.opts<{ readonly clientKey?: string }>();
      // Whatever connects on behalf of this command line finds it there, as it finds the socket and the profile.
      if (clientKey !== undefined) process.env['HUSH_CLIENT_KEY_FILE'] = resolve(clientKey);
    });
}
