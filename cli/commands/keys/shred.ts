import type { Command } from 'commander';
import { HushError } from '../../../protocol/errors.ts';
import { shellWord } from '../../../protocol/shell-word.ts';
import type { Session } from '../../commands.ts';
import { withDaemon } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { keyringOption, tenantOption } from '../../keyring-option.ts';
import { askText, onTerminal } from '../../prompts.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface ShredOptions extends ProfileOption {
  readonly tenant: string;
  readonly keyring?: string;
  readonly yes?: true;
  readonly confirm?: string;
}

/** `hush keys shred`: a tenant's keys are destroyed. */
export function defineShred(keys: Command, { output }: Session): void {
  keys
    .command('shred')
    .description('destroy the keys of one tenant: what was encrypted for it is unreadable, for ever')
    .requiredOption('--tenant <id>', 'the tenant', tenantOption)
    .option(
      '--keyring <name>',
      'in this keyring only (every one that has keys for the tenant)',
      keyringOption,
    )
    .option('--yes', 'confirm that they are to be destroyed; with --confirm it does not ask')
    .option('--confirm <id>', 'the tenant once more')
    .addHelpText(
      'after',
      `
On a terminal it asks for the tenant to be typed. Nothing is encrypted for the tenant any more until
hush keys reopen. Backups from before can still open what they hold: it lists them.

Examples:
  hush keys shred --tenant acme
  hush keys shred --tenant acme --yes --confirm acme`,
    )
    .action(async (options: ShredOptions) => {
      const profile = profileOf(options, process.env);
      const { tenant, keyring } = options;
      await requireConfirmed(options, profile);
      const result = await withDaemon((daemon) =>
        daemon.call('keys.shred', { profile, tenant, ...(keyring === undefined ? {} : { keyring }) }),
      );
      const { keyrings, backups, copies, erased } = result;
      const where = `${keyrings.length === 1 ? 'keyring' : 'keyrings'} ${keyrings.join(', ')}`;
      const told =
        result.keys === 0
          ? `the keys of tenant ${tenant} were destroyed already (${where})`
          : `${countText(result.keys, 'key')} of tenant ${tenant} destroyed (${where})`;
      await output.facts({ profile, ...result }, [
        told,
        ...backups.map(({ id, at }) => `backup ${id} of ${at} may still open it`),
        ...copies.map((copy) => `${copy}, in the home's profiles, may still open it`),
      ]);
      if (backups.length + copies.length > 0) {
        await output.note('destroy these too, or what they hold of the tenant stays readable');
      }
      if (!erased) {
        throw new HushError(
          'UNAVAILABLE',
          'the keys are destroyed, and their old bytes are still on the disk',
          {
            hint: 'make room on the disk, then run the same command again',
          },
        );
      }
    });
}

/** Lets pass what a person has typed, or a script has said twice. Throws BAD_REQUEST. */
async function requireConfirmed({ tenant, yes, confirm }: ShredOptions, profile: string): Promise<void> {
  const what = `this destroys the keys of tenant ${tenant} in profile ${profile}, for ever`;
  const typed = confirm ?? (onTerminal() ? await askText(`${what}\nType the tenant to go on`) : undefined);
  const hint = `hush keys shred --tenant ${shellWord(tenant)} --yes --confirm ${shellWord(tenant)}`;
  if (typed === undefined || (yes === undefined && confirm !== undefined)) {
    throw new HushError('BAD_REQUEST', what, { hint });
  }
  if (typed !== tenant) {
    throw new HushError('BAD_REQUEST', 'that is not the tenant: nothing was destroyed', { hint });
  }
}
