import { Command, CommanderError } from 'commander';
import { afterCommonOptions } from './common-options.ts';
import { usageError } from './usage.ts';

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
export async function parse({ name, summary, define }: Parsed, words: readonly string[]): Promise<void> {
  const command = bareCommand(name).description(summary);
  define(command);
  addCommonOptions(command);
  try {
    await command.parseAsync(arranged(command, words), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, name);
  }
}

/** The words with a subcommand first: the common options belong to it, and may be typed before it. */
function arranged({ commands }: Command, words: readonly string[]): readonly string[] {
  const at = commands.length === 0 ? 0 : afterCommonOptions(words);
  return [...words.slice(at, at + 1), ...words.slice(0, at), ...words.slice(at + 1)];
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
    .option('--json', 'print facts and errors as one line of JSON');
}
