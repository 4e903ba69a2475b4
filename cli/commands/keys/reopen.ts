import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import { withDaemon } from '../../daemon.ts';
import { keyringOption, tenantOption } from '../../keyring-option.ts';
import { mayGoAhead } from '../../prompts.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface ReopenOptions extends ProfileOption {
  readonly tenant: string;
  readonly keyring?: string;
  readonly yes?: true;
}

/** `hush keys reopen`: a shredded tenant gets a new key. */
export function defineReopen(keys: Command, { output, finish }: Session): void {
  keys
    .command('reopen')
    .description('make a new key for a tenant whose keys were destroyed; what they sealed stays unreadable')
    .requiredOption('--tenant <id>', 'the tenant', tenantOption)
    .option(
      '--keyring <name>',
      'in this keyring only (every one where its keys were destroyed)',
      keyringOption,
    )
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nOn a terminal it asks first.\n\nExamples:\n  hush keys reopen --tenant acme')
    .action(async (options: ReopenOptions) => {
      const profile = profileOf(options, process.env);
      const { tenant, keyring, yes } = options;
      if (!(await mayGoAhead(`Make a new key for tenant ${tenant} in profile ${profile}?`, yes))) {
        finish(1);
        return output.note('the tenant stays as it is');
      }
      const result = await withDaemon((daemon) =>
        daemon.call('keys.reopen', { profile, tenant, ...(keyring === undefined ? {} : { keyring }) }),
      );
      const lines = result.keys.map(
        (key) => `tenant ${tenant} has a new key in keyring ${key.keyring}: ${key.kmsKeyId}`,
      );
      await output.facts(
        { profile, ...result },
        lines.length > 0 ? lines : [`tenant ${tenant} has a key already`],
      );
    });
}
