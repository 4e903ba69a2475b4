import type { Command } from 'commander';
import { HushError } from '../../../protocol/errors.ts';
import { parseProfileName } from '../../../protocol/names.ts';
import type { Session } from '../../commands.ts';
import { countText } from '../../format.ts';
import { answer, questionText, ruleText } from '../../policy/answer.ts';
import { enrolledIn, openPolicy, orderly } from '../../policy/source.ts';
import { readTable } from '../../policy/table.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface TestOptions extends ProfileOption {
  readonly config?: string;
}

/** `hush policy test`: whether a config decides as a table says that it should. */
export function defineTest(policy: Command, { output, finish }: Session): void {
  policy
    .command('test')
    .description('compare the decisions of a config with those that a table expects, without a daemon')
    .argument('<file>', 'the table, in TOML, or in JSON if its name ends in .json')
    .option('--config <file>', 'the config (else the one of this home)')
    .addHelpText(
      'after',
      `
The table is a list called expect. Each entry has client, op and decision (allow or deny), and where it matters
profile, path, tenant, enrolled (true or false) and at (a moment):

  [[expect]]
  client = 'shop'
  op = 'read'
  path = 'global/db-main'
  decision = 'allow'

Exit code: 0 all as expected, 1 some are not, 2 the table or the config is not in order.

Examples:
  hush policy test expected.toml
  hush policy test expected.json --config ./config.toml`,
    )
    .action(async (file: string, options: TestOptions) => {
      const fallback = profileOf(options, process.env);
      const expectations = readTable(file);
      const reading = orderly(openPolicy(options.config, process.env));
      const names = enrolledIn(process.env) ?? new Set<string>();
      const now = Date.now();
      const differing = expectations.flatMap(({ decision: expected, at, profile, ...others }, index) => {
        return inCase(`${file}: number ${index + 1}`, () => {
          const named = profile === undefined ? fallback : parseProfileName(profile);
          const question = { ...others, profile: named };
          const explanation = answer(question, reading, names, at ?? now, process.geteuid?.());
          if (explanation.decision === expected) return [];
          return [{ number: index + 1, ...question, expected, ...explanation }];
        });
      });
      const count = countText(expectations.length, 'decision');
      await output.facts({ decisions: expectations.length, differing }, [
        ...differing.map(
          ({ number, expected, decision, reason, rule, ...question }) =>
            `number ${number}: ${questionText(question)}: expected ${expected}, is ${decision}: ${reason} (${ruleText(rule)})`,
        ),
        differing.length === 0
          ? `${count}, all as expected`
          : `${count}, ${differing.length} not as expected`,
      ]);
      if (differing.length > 0) finish(1);
    });
}

/** What `look` makes of one case; its errors name the table and the case. */
function inCase<Result>(place: string, look: () => Result): Result {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof HushError)) throw error;
    throw new HushError(error.code, `${place}: ${error.message}`, { hint: error.hint, cause: error });
  }
}
