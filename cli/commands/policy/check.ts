import type { Command } from 'commander';
import { dotted, type ReadConfig } from '../../../daemon/config/parse.ts';
import { groupId } from '../../../native/group.ts';
import type { Session } from '../../commands.ts';
import { countText } from '../../format.ts';
import { lint, type PolicyFinding } from '../../policy/lint.ts';
import { enrolledIn, openPolicy, profilesIn, type PolicySource } from '../../policy/source.ts';

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
      const findings = findingsOf(source);
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

function findingsOf(source: PolicySource): readonly PolicyFinding[] {
  const { file, isOwn, inspected } = source;
  const { reading, unsafe } = inspected;
  const modes = unsafe.map(({ path, message, hint }): PolicyFinding => ({
    level: isOwn ? 'error' : 'warning',
    file: path,
    key: '',
    message: `${message.replace(`${path} `, '')}; no daemon would read it: ${hint}`,
  }));
  if ('problems' in reading) {
    const problems = reading.problems.map(({ file: at, line, key, message }): PolicyFinding => ({
      level: 'error',
      file: at,
      ...(line === undefined ? {} : { line }),
      key,
      message,
    }));
    return [...modes, ...problems];
  }
  const around = {
    daemonUid: process.geteuid?.() ?? 0,
    enrolledNames: enrolledIn(process.env),
    profiles: isOwn ? profilesIn(process.env) : undefined,
    now: Date.now(),
  };
  return [...modes, ...groupFaults(reading, file), ...lint(reading, around, file)];
}

/** A group that there is not: the next start would be refused. */
function groupFaults({ config, placeOf }: ReadConfig, file: string): readonly PolicyFinding[] {
  const { socketGroup } = config.transport;
  if (typeof socketGroup !== 'string' || groupId(socketGroup) !== undefined) return [];
  const path = ['transport', 'socket_group'];
  const message = `there is no group ${socketGroup} on this machine: no daemon would start`;
  return [{ level: 'error', ...(placeOf(path) ?? { file }), key: dotted(path), message }];
}

function findingText({ level, file, line, key, message }: PolicyFinding): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return [`${place}:`, `${level}:`, key, message].filter((part) => part !== '').join(' ');
}
