import type { Command } from 'commander';
import { commandNamed, type Session } from './commands.ts';
import { afterCommonOptions, profileNamed } from './common-options.ts';
import { createOutput, outliveReaders, reportError, type Output } from './output.ts';
import { packageVersion } from './package.ts';
import { plainAction } from './plain-line.ts';
import { overview, unknownCommand } from './usage.ts';

/** Runs one command line, given without program and script; tells of its error, and gives the exit code. */
export async function run(words: readonly string[]): Promise<number> {
  const line = arrange(words);
  let exitCode = 0;
  const finish = (code: number): void => void (exitCode = code);
  try {
    await runCommand(line.name, line.rest, { output: createOutput(line.json), finish });
    return exitCode;
  } catch (error) {
    return reportError(error, line.json, profileNamed(line.rest));
  }
}

/** A command line cut into the command's name and what follows; options before the name are put behind it. */
export interface Line {
  readonly name: string;
  readonly rest: readonly string[];
  readonly json: boolean;
}

/** Cuts a command line. `hush -p work list` is `hush list -p work`. */
export function arrange(words: readonly string[]): Line {
  const at = afterCommonOptions(words);
  const rest = [...words.slice(0, at), ...words.slice(at + 1)];
  const end = rest.indexOf('--');
  return {
    name: words[at] ?? 'help',
    rest,
    json: rest.slice(0, end < 0 ? rest.length : end).includes('--json'),
  };
}

async function runCommand(name: string, rest: readonly string[], session: Session): Promise<void> {
  const { output } = session;
  if (name === '--version' || name === '-V') return version(output);
  if (name === '--help' || name === '-h') return help([], session);
  if (name === 'help') return help(rest, session);
  if (name === '__complete') return completions(rest, output);
  const entry = commandNamed(name);
  if (entry === undefined) throw unknownCommand(name);
  const { define } = await entry.load();
  const onto = (command: Command): void => define(command, session);
  const act = entry.isQuick ? plainAction(onto, rest) : undefined;
  if (act !== undefined) return act();
  if (entry.outlivesReaders === undefined) outliveReaders();
  const { parse } = await import('./parse.ts');
  await parse({ name, summary: entry.summary, define: onto }, rest);
}

function version(output: Output): Promise<void> {
  const facts = { version: packageVersion(), node: process.versions.node };
  return output.facts(facts, [`hush ${facts.version}`]);
}

/** What the scripts of `hush completion` ask. */
async function completions(words: readonly string[], output: Output): Promise<void> {
  const { complete } = await import('./completion/complete.ts');
  await output.facts({}, await complete(words, process.env));
}

function help(words: readonly string[], session: Session): Promise<void> {
  const [name, ...rest] = words.filter((word) => !word.startsWith('-'));
  if (name !== undefined && name !== 'help') return runCommand(name, [...rest, '--help'], session);
  return session.output.bytes(Buffer.from(overview()));
}
