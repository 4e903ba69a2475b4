import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import { answer, questionText, ruleText, type PolicyAnswer } from '../../policy/answer.ts';
import { enrolledIn, openPolicy, orderly } from '../../policy/source.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface ExplainOptions extends ProfileOption {
  readonly tenant?: string;
  readonly enrolled?: true;
  readonly config?: string;
}

/** `hush policy explain`: what the rules decide, which one does, and which would have to change. */
export function defineExplain(policy: Command, { output }: Session): void {
  policy
    .command('explain')
    .description('say what the config decides, and which rule does, without a daemon')
    .argument('<name>', 'a client, owner, limited, operator:UID, stranger or unidentified')
    .argument('<op>', 'a right (read, write, delete, list, crypto, unlock, …) or an operation (secret.get)')
    .argument('[path]', '<scope>/<name>, for crypto <keyring>/<namespace>/<key>')
    .option('--tenant <id>', 'the tenant of what is encrypted')
    .option('--enrolled', 'as if its handshake had proved an enrolled key')
    .option('--config <file>', 'the config (else the one of this home)')
    .addHelpText(
      'after',
      `
Grants for a time (hush grant) are the daemon's alone, and are not looked at.

Examples:
  hush policy explain shop read global/db-main
  hush policy explain shop crypto default/settings/smtp --tenant acme --json`,
    )
    .action(async (client: string, op: string, path: string | undefined, options: ExplainOptions) => {
      const { tenant, enrolled } = options;
      const question = { client, op, path, tenant, enrolled, profile: profileOf(options, process.env) };
      const reading = orderly(openPolicy(options.config, process.env));
      const names = enrolledIn(process.env) ?? new Set<string>();
      const explanation = answer(question, reading, names, Date.now(), process.geteuid?.());
      await output.facts({ ...question, ...explanation }, [
        `${explanation.decision}: ${questionText(question)}`,
        ...linesOf(explanation),
      ]);
    });
}

function linesOf({ decision, reason, rule, change, approval, needs }: PolicyAnswer): readonly string[] {
  return [
    `because ${reason}`,
    `rule: ${ruleText(rule)}`,
    ...(change === undefined || decision === 'allow' ? [] : [`to change that: ${change}`]),
    ...(needs === undefined ? [] : [`the connection needs ${needs.join(' and ')}`]),
    ...(approval === undefined
      ? []
      : [`each read waits for somebody else's approval: ${ruleText(approval)}`]),
  ];
}
