import type { Define } from '../commands.ts';
import { withDaemonAlone } from '../daemon.ts';
import { loadSpawn, loadStreams, startChild } from '../environment/child.ts';
import { inheritedFrom } from '../environment/inherited.ts';
import { createMasking, tooShort } from '../environment/masking.ts';
import { addVariableOptions, selectionOf, type VariableOptions } from '../environment/options.ts';
import { reportProblems } from '../environment/problems.ts';
import { environmentFault, textOfValue } from '../environment/value-text.ts';
import { resolveVariables, type Variables, type VariableSources } from '../environment/variables.ts';
import type { Output } from '../output.ts';
import { badUsage } from '../usage.ts';

interface RunOptions extends VariableOptions {
  readonly pristine?: true;
  readonly watch?: true;
  readonly interval: string;
  readonly masking: boolean;
}

export const define: Define = (command, { output, finish }) => {
  addVariableOptions(command)
    .argument('<command...>', 'the command, after --')
    .option('--pristine', 'let the command inherit nothing but PATH, HOME and the like')
    .option('--watch', 'start the command again when a value that it was given changes')
    .option('--interval <seconds>', 'how often --watch looks', '10')
    .option('--no-masking', 'let the command have the terminal, and show values that it prints')
    .passThroughOptions()
    .addHelpText('after', examples)
    .action(async (words: readonly string[], options: RunOptions) => {
      const seconds = secondsOf(options.interval);
      const { variables: inherited, damaged } = inheritedFrom(process.env, options.pristine === true);
      for (const name of damaged) await output.note(`${name} is not valid UTF-8, and not passed on`);
      const sources: VariableSources = {
        selection: selectionOf(options, process.env, 'run'),
        envFiles: options.envFile ?? [],
        inherited,
        faultOf: environmentFault,
      };
      const read = (meanwhile: readonly (() => void)[] = []): Promise<Variables> =>
        withDaemonAlone((daemon) => {
          oneATurn(meanwhile);
          return resolveVariables(daemon, sources);
        });
      // The first while the daemon looks for names, the second while it reads values.
      let current = await read([loadStreams, loadSpawn]);
      if (current.problems.length > 0) {
        finish(reportProblems(current.problems, 'the command was not started', output.json));
        return;
      }
      await tellOf(current, options, output);
      for (;;) {
        const again = options.watch ? await import('../environment/restart.ts') : undefined;
        const ended = await runOnce(current, words, inherited, options.masking, (child) =>
          again === undefined
            ? Promise.resolve(undefined)
            : again.renewed({ current, sources, seconds, read, child, output }),
        );
        if (ended.next === undefined) {
          finish(ended.code);
          return;
        }
        current = ended.next;
      }
    });
};

const examples = `
Every secret of the scope becomes a variable: global/db-url is DB_URL. Nothing starts where one cannot be read.

Examples:
  hush run -- npm start
  hush run --only 'db-*' --map api.key=TOKEN -- ./server
  hush run --references-only --env-file .env -- docker compose up`;

/** Does one thing in each turn of the event loop; what is asked of the daemon before leaves before. */
function oneATurn([first, ...rest]: readonly (() => void)[]): void {
  if (first === undefined) return;
  setImmediate(() => {
    first();
    oneATurn(rest);
  });
}

/** One life of the child with these variables; they are wiped in the end. */
async function runOnce(
  variables: Variables,
  command: readonly string[],
  inherited: ReadonlyMap<string, string>,
  masked: boolean,
  whileRunning: (child: ReturnType<typeof startChild>) => Promise<Variables | undefined>,
): Promise<{ readonly code: number; readonly next: Variables | undefined }> {
  const masking = masked && variables.used.length > 0 ? createMasking(variables.used) : undefined;
  try {
    const own = [...variables.values].map(([name, value]): [string, string] => [name, textOfValue(value)]);
    const env = Object.fromEntries([...inherited, ...own]);
    const child = startChild({ command, env, masker: masking?.open });
    const [code, next] = await Promise.all([child.ended, whileRunning(child)]);
    return { code, next };
  } finally {
    masking?.wipe();
    variables.wipe();
  }
}

async function tellOf(
  { unmatched, used }: Variables,
  { masking, referencesOnly, scope = 'global' }: RunOptions,
  output: Output,
): Promise<void> {
  if (used.length + unmatched.length === 0 && !referencesOnly)
    await output.note(`there is no secret in ${scope}: the command gets none`);
  for (const pattern of unmatched) await output.note(`no secret matches ${pattern}`);
  const short = masking ? tooShort(used) : [];
  if (short.length > 0)
    await output.note(`not masked in the output, for they are shorter than 4 bytes: ${short.join(', ')}`);
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds > 0) return seconds;
  throw badUsage('the value of --interval is not a number of seconds', 'run');
}
