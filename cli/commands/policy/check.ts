import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import { countText } from '../../format.ts';
import { checkPolicy } from '../../policy/checking.ts';
import type { PolicyFinding } from '../../policy/lint.ts';
import { openPolicy } from '../../policy/source.ts';

interface CheckOptions {
  readonly strict?: true;
}

/** `hush policy check`: what is wrong with a config, and what may not be meant as it is written. */
export function defineCheck(policy: Command, { output, finish }: Session): void {
  policy
    .command('check')
    .description('look a config over, without a daemon')
    .argument('[file]', 'the config (else the one of this home)')
    .option('--strict', 'let warnings count: exit code 1')
    .addHelpText(
      'after',
      `
Exit code: 0 in order, 1 warnings with --strict, 2 errors.

Examples:
  hush policy check
  hush policy check ./config.toml --strict`,
    )
    .action(async (given: string | undefined, { strict }: CheckOptions) => {
      const source = openPolicy(given, process.env);
      const findings = checkPolicy(source, process.env);
      const errors = findings.filter(({ level }) => level === 'error').length;
      const warnings = findings.length - errors;
      const summary =
        findings.length === 0
          ? `${source.file} is in order`
          : `${countText(errors, 'error')}, ${countText(warnings, 'warning')}`;
      await output.facts({ file: source.file, errors, warnings, findings }, [
        ...findings.map(findingText),
        summary,
      ]);
      if (errors > 0) finish(2);
      else if (warnings > 0 && strict === true) finish(1);
    });
}

function findingText({ level, file, line, key, message }: PolicyFinding): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return [`${place}:`, `${level}:`, key, message].filter((part) => part !== '').join(' ');
}
