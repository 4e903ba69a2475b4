import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Command } from 'commander';
import { commands } from '../../cli/commands.ts';
import { createOutput } from '../../cli/output.ts';
import { commandOf } from '../../cli/parse.ts';
import { wordsOf } from '../../cli/usage.ts';
import { errorTable, HushError } from '../../protocol/errors.ts';

const root = new URL('../../', import.meta.url);
const session = { output: createOutput(false), finish: () => undefined };

/** Every command and subcommand. */
async function everyCommand(): Promise<readonly Command[]> {
  const withSubcommands = (command: Command): readonly Command[] => [
    command,
    ...command.commands.flatMap(withSubcommands),
  ];
  const loaded = await Promise.all(
    Object.entries(commands).map(async ([name, { summary, load }]) => {
      const { define } = await load();
      return commandOf({ name, summary, define: (bare) => define(bare, session) });
    }),
  );
  return loaded.flatMap(withSubcommands);
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (more) => void (text += more) });
  command.outputHelp();
  return text;
}

describe('the help of every command', () => {
  test('shows examples of that very command, and says what each option and argument is', async () => {
    const lacking = (await everyCommand()).flatMap((command) => {
      const words = wordsOf(command);
      const help = helpOf(command);
      const [, examples = ''] = help.split(/^Examples:$/m);
      const faults = [
        ...(examples.includes(`hush ${words}`) ? [] : ['no example of it']),
        ...(command.description() === '' ? ['no description'] : []),
        ...command.options.filter(({ description }) => description === '').map(({ flags }) => flags),
      ];
      return faults.map((fault) => `${words}: ${fault}`);
    });
    assert.deepEqual(lacking, []);
  });

  test('shows no default that is empty or in a unit of its own', async () => {
    const wrong = (await everyCommand()).filter((command) => /\(default: (?!")/.test(helpOf(command)));
    assert.deepEqual(wrong.map(wordsOf), []);
  });

  test('names only commands and options that there are', async () => {
    const all = await everyCommand();
    const unknown = all.flatMap((command) => unknownIn(helpOf(command).split(/^Examples:$/m)[1] ?? '', all));
    assert.deepEqual(unknown, []);
  });
});

describe('the documents', () => {
  test('name only commands and options that there are', async () => {
    const all = await everyCommand();
    const pages = ['README.md', ...readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`)];
    for (const page of pages.filter((name) => name.endsWith('.md'))) {
      const text = readFileSync(new URL(page, root), 'utf8');
      const blocks = [...text.matchAll(/^```(?:console|sh|yaml|crontab|ini)?\n(.*?)^```$/gms)];
      const spans = [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/`([^`\n]+)`/g)];
      const said = [...blocks, ...spans].map(([, code]) => code).join('\n');
      assert.deepEqual(unknownIn(said, all), [], page);
    }
  });
});

/** The command lines in a text that name a command or an option that there is not. */
function unknownIn(text: string, all: readonly Command[]): readonly string[] {
  const byWords = new Map(all.map((command) => [wordsOf(command), command]));
  const lines = text.matchAll(/(?<![-\w])hush ([a-z]+)(?: ([a-z]+))?([^|&\n)`]*)/g);
  return [...lines].flatMap(([line, one = '', two = '', rest = '']) => {
    if (one === 'help') return [];
    const meant = byWords.get(`${one} ${two}`) ?? byWords.get(one);
    if (meant === undefined) return [line];
    // What follows a double dash belongs to another program, and what follows a hash is a comment.
    const [own = ''] = rest.split(/ -- | > | # /);
    const options = [...own.matchAll(/(?<=\s)--[a-z][a-z-]*/g)].map(([option]) => option);
    const known = new Set(meant.options.map(({ long }) => long));
    return meant.commands.length > 0
      ? []
      : options
          .filter((option) => !known.has(option) && option !== '--help')
          .map((option) => `${line}: ${option}`);
  });
}

describe('every error', () => {
  test('has a hint by its code alone', () => {
    for (const code of Object.keys(errorTable)) {
      assert.ok(isCode(code) && new HushError(code).hint !== '', code);
    }
  });
});

const isCode = (code: string): code is keyof typeof errorTable => Object.hasOwn(errorTable, code);
