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
  const command = commandOf(parsed);
  const { innermost, line, word } = meant(command, words);
  const isGroup = innermost.commands.length > 0;
  try {
    if (isGroup && word !== undefined && !word.startsWith('-')) {
      throw badUsage('there is no such subcommand', wordsOf(innermost));
    }
    await command.parseAsync(line, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, wordsOf(innermost));
  }
}

/** The command with its own options, arguments and subcommands, and the common options. */
export function commandOf({ name, summary, define }: Parsed): Command {
  const command = bareCommand(name).description(summary);
  define(command);
  addCommonOptions(command);
  return command;
}

interface Meant {
  /** The innermost command that the words name. */
  readonly innermost: Command;
  /** The words with the names of subcommands first: common options belong to the innermost, and may be typed before it. */
  readonly line: readonly string[];
  /** The first word behind those names and the common options. */
  readonly word: string | undefined;
}

function meant(command: Command, words: readonly string[]): Meant {
  const names: string[] = [];
  let innermost = command;
  for (let rest = words; ;) {
    const at = innermost.commands.length === 0 ? 0 : afterCommonOptions(rest);
    const [word] = rest.slice(at);
    const next = innermost.commands.find((one) => one.name() === word);
    // A group takes no common option: its subcommands do.
    if (next === undefined) return { innermost, line: [...names, ...rest.slice(at)], word };
    names.push(next.name());
    innermost = next;
    rest = [...rest.slice(0, at), ...rest.slice(at + 1)];
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
