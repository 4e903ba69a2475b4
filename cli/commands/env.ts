import { isatty } from 'node:tty';
import type { Define } from '../commands.ts';
import { withDaemon } from '../daemon.ts';
import { addVariableOptions, selectionOf, type VariableOptions } from '../environment/options.ts';
import { reportProblems } from '../environment/problems.ts';
import { resolveVariables } from '../environment/variables.ts';
import { dotenv, json, shell } from '../environment/written.ts';
import { badUsage } from '../usage.ts';

interface EnvOptions extends VariableOptions {
  readonly format: string;
  readonly output?: string;
  readonly reveal?: true;
}

const formats: ReadonlyMap<string, typeof shell> = new Map(Object.entries({ shell, dotenv, json }));

export const define: Define = (command, { output, finish }) => {
  addVariableOptions(command)
    .option('--format <format>', 'shell, dotenv or json', 'shell')
    .option('-o, --output <file>', 'write to a file of mode 0600')
    .option('--reveal', 'show values at a terminal')
    .addHelpText('after', examples)
    .action(async (options: EnvOptions) => {
      const format = formats.get(output.json ? 'json' : options.format);
      if (format === undefined) throw badUsage('--format is shell, dotenv or json', 'env');
      if (options.output === undefined && !options.reveal && isatty(1))
        throw badUsage('values are not shown at a terminal without --reveal', 'env');
      const variables = await withDaemon((daemon) =>
        resolveVariables(daemon, {
          selection: selectionOf(options, process.env, 'env'),
          envFiles: options.envFile ?? [],
          inherited: new Map(),
          faultOf: format.fault,
        }),
      );
      if (variables.problems.length > 0) {
        finish(reportProblems(variables.problems, 'nothing was written', output.json));
        return;
      }
      for (const pattern of variables.unmatched) await output.note(`no secret matches ${pattern}`);
      const written = format.write(variables.values);
      try {
        if (options.output === undefined) await output.bytes(written);
        else {
          const { writeValueFile } = await import('../value-file.ts');
          await output.note(`written to ${await writeValueFile(options.output, written)}`);
        }
      } finally {
        written.fill(0);
        variables.wipe();
      }
    });
};

const examples = `
What is written reads back with the same bytes; a value for which that cannot be is refused by its name.

Examples:
  eval "$(hush env)"
  hush env --format dotenv --only 'db-*' -o .env
  hush env --format json | jq -r .DB_URL`;
