import { resolve } from 'node:path';
import type { Command } from 'commander';
import { pathsOf } from '../../../daemon/home/paths.ts';
import { createNewFile } from '../../backup/new-file.ts';
import { requireOutside } from '../../backup/outside.ts';
import { createProgress } from '../../backup/progress.ts';
import { takeBackup } from '../../backup/take.ts';
import type { Session } from '../../commands.ts';
import { fileOption } from '../../credentials.ts';
import { withDaemon } from '../../daemon.ts';
import { sizeText } from '../../format.ts';
import { ifInterrupted } from '../../interrupted.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface CreateOptions extends ProfileOption {
  readonly force?: true;
}

/** `hush backup create`: the daemon gives a whole profile, still sealed, and this writes it into a file. */
export function defineCreate(backup: Command, { output }: Session): void {
  backup
    .command('create')
    .description('copy a whole profile, still sealed, into a file, while the daemon goes on serving')
    .argument('<file>', '', fileOption('FILE', 'backup create'))
    .option('--force', 'replace the file, if there is one')
    .addHelpText(
      'after',
      `
The file holds the header, the key set, the vault and the audit of the profile as of one moment, and is
written under its name only once it is whole. It opens with what opens the profile now: keep that too.

Examples:
  hush backup create /mnt/backup/default.hushd
  hush backup create work.hushd -p work --force`,
    )
    .action(async (given: string, options: CreateOptions) => {
      const profile = profileOf(options, process.env);
      const path = resolve(given);
      requireOutside(path, pathsOf(process.env));
      const progress = createProgress('written', output);
      const taken = await withDaemon(async (daemon) => {
        const file = createNewFile(path, { force: options.force === true });
        try {
          return await ifInterrupted(file.discard, () => takeBackup(daemon, profile, file, progress.show));
        } finally {
          progress.clear();
          file.discard();
        }
      });
      const { id, size, createdAt } = taken;
      await output.facts({ profile, file: path, ...taken }, [
        `profile ${profile} is backed up in ${path}: ${sizeText(size)}, as of ${createdAt}, id ${id}`,
      ]);
    });
}
