import { Command, CommanderError } from 'commander';
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
    await command.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, name);
  }
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
