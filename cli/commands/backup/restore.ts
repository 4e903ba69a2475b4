import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  replaceProfile,
  requireReplaceable,
  type Replaced,
  type ReplaceRequest,
} from '../../../daemon/backup/replace.ts';
import { restoreProfile, type Restored, type RestoreRequest } from '../../../daemon/backup/restore.ts';
import { pathsOf, profilePathsOf } from '../../../daemon/home/paths.ts';
import type { Header } from '../../../daemon/keys/header.ts';
import { presentHeader } from '../../../daemon/profiles/unopened.ts';
import type { KeptAudit } from '../../../daemon/backup/kept-audit.ts';
import { HushError } from '../../../protocol/errors.ts';
import { parseProfileName } from '../../../protocol/names.ts';
import { factsOf } from '../../backup/facts.ts';
import {
  addOpenOptions,
  askPastPassphrase,
  isToBeOpened,
  withBackup,
  withProofParts,
  type OpenOptions,
} from '../../backup/options.ts';
import { createProgress } from '../../backup/progress.ts';
import type { Session } from '../../commands.ts';
import { fileOption } from '../../credentials.ts';
import { withDaemonIfRunning } from '../../daemon.ts';
import { countText } from '../../format.ts';
import { ifInterrupted } from '../../interrupted.ts';
import { shellWord } from '../../../protocol/shell-word.ts';
import { proofHelp, type ProofOptions } from '../../proof.ts';
import { mayGoAhead, onTerminal } from '../../prompts.ts';
import type { ProfileOption } from '../../target.ts';

interface RestoreOptions extends ProfileOption, OpenOptions {
  readonly replace?: true;
  readonly yes?: true;
}

type Request = Omit<RestoreRequest, 'proof'>;

/** `hush backup restore`: a backup becomes a profile again. */
export function defineRestore(backup: Command, { output, finish }: Session): void {
  const command = backup.command('restore');
  const proofOf = addOpenOptions(command);
  command
    .description('make a profile out of a backup, or put its secrets back into the profile')
    .argument('<file>', '', fileOption('FILE', 'backup restore'))
    .option('--replace', 'over a later state of the same vault, which is kept aside; its keys stay in use')
    .option('-y, --yes', 'do not ask, and go ahead without secrets whose keys were destroyed since')
    .addHelpText('after', `${proofHelp}${examples}`)
    .action(async (given: string, options: RestoreOptions) => {
      const path = resolve(given);
      const proof = proofOf();
      const progress = createProgress('restored', output);
      const paths = pathsOf(process.env);
      await withBackup(path, async (file, header) => {
        const name = parseProfileName(options.profile ?? file.head.manifest.profile);
        const request: Request = {
          paths,
          name,
          backup: file,
          progress: (done) => {
            progress.show(done, file.size);
          },
        };
        const facts = { ...factsOf(file), profile: name, file: path };
        const from = `${path}, as of ${facts.createdAt}, vault ${facts.vaultId}`;
        const isThere = existsSync(profilePathsOf(paths, name).folder);
        if (options.replace) {
          requireReplaceable(paths, name);
          const question = `Put the state of ${facts.createdAt} in place of profile ${name}?`;
          if (!(await mayGoAhead(question, options.yes))) {
            finish(1);
            return output.note('the profile stays as it is');
          }
          const { audit, ...replaced } = await ifInterrupted(progress.clear, () =>
            putOver({ ...request, leavesOut: options.yes === true }, header, proof),
          ).finally(progress.clear);
          await output.facts({ ...facts, replaced: true, ...replaced }, [
            `profile ${name} is restored from ${from}`,
            `what was there before is kept in ${replaced.kept}`,
          ]);
          await tellOfAudit(audit);
          return tellOfReplaced(name, facts.commit, replaced);
        }
        if (!isThere) await refuseIfServed(name);
        const {
          proof: found,
          audit,
          revived,
        } = await ifInterrupted(progress.clear, () => restored(request, header, options, proof)).finally(
          progress.clear,
        );
        await output.facts({ ...facts, replaced: false, opened: found !== undefined, ...found, revived }, [
          `profile ${name} is restored from ${from}`,
        ]);
        for (const { event, key = '', time } of revived) {
          await output.note(
            `the audit tells of ${[event, key].join(' ').trim()} at ${time}: what that destroyed is back with the backup, destroy it again`,
          );
        }
        await tellOfAudit(audit);
        if (audit.stayed) {
          await output.note(
            'the audit of this vault was still here: where it knows of later changes the next unlock says ROLLBACK with an id',
          );
        }
        await output.note(`next: hush start && hush unlock -p ${name}`);
      });
    });

  async function tellOfAudit({ aside }: KeptAudit): Promise<void> {
    if (aside === undefined) return;
    await output.note(`an audit of this name was here, of another vault or damaged: it is kept in ${aside}`);
  }

  async function tellOfReplaced(
    name: string,
    commit: number,
    result: Omit<Replaced, 'audit'>,
  ): Promise<void> {
    const { unreadable, slotsOf, keysOf, replacedCommit, kept } = result;
    if (unreadable > 0) {
      const were = unreadable === 1 ? 'its key was' : 'their keys were';
      await output.note(
        `${countText(unreadable, 'secret')} of the backup did not come back: ${were} destroyed since`,
      );
    }
    if (slotsOf === 'backup')
      await output.note('what opens the profile now is what opened it when the backup was taken');
    if (keysOf === 'backup') await output.note('its data keys are those of the backup');
    if (replacedCommit !== commit) {
      await output.note(
        'the next unlock says ROLLBACK with an id, since this is an older state; take it by that id:',
      );
    }
    await output.note(
      replacedCommit === commit
        ? `next: hush start && hush unlock -p ${name}`
        : `next: hush start && hush unlock -p ${name} --accept-rollback ID`,
    );
    await output.note(
      unreadable > 0
        ? `what was stored until now is in that folder alone: do not remove it before you have all of it again`
        : `once all is well: rm -r ${shellWord(kept)}`,
    );
  }
}

const examples = `

Without -p the profile has the name that it was backed up under. No daemon is needed; with --replace
none may run.

Examples:
  hush backup restore default.hushd
  hush backup restore default.hushd -p old --open
  hush stop && hush backup restore default.hushd --replace`;

/** A daemon that has a profile open whose files were taken away would write what it knows into the new ones. */
async function refuseIfServed(profile: string): Promise<void> {
  const isServed = await withDaemonIfRunning(async (daemon) => {
    try {
      await daemon.call('secret.list', { profile, limit: 1 });
      return true;
    } catch (error) {
      if (error instanceof HushError) return error.code === 'INTEGRITY';
      throw error;
    }
  });
  if (isServed !== true) return;
  throw new HushError('CONFLICT', `a daemon has the profile ${profile} open`, {
    hint: `hush lock -p ${profile}, then restore`,
  });
}

function restored(
  request: Request,
  header: Header,
  options: OpenOptions,
  proof: ProofOptions,
): Promise<Restored> {
  if (!isToBeOpened(header, options, proof)) return restoreProfile({ ...request, proof: undefined });
  return withProofParts(header, `${request.name} in the backup`, proof, (parts) =>
    restoreProfile({ ...request, proof: parts }),
  );
}

/** Asks for what opens the profile now; what opened it then is asked for only where that is another thing. */
function putOver(
  request: Omit<ReplaceRequest, 'proof'>,
  ofBackup: Header,
  proof: ProofOptions,
): Promise<Replaced> {
  const { paths, name } = request;
  const header = presentHeader(profilePathsOf(paths, name)) ?? ofBackup;
  const askPast = onTerminal() ? () => askPastPassphrase(name) : undefined;
  return withProofParts(header, name, proof, (parts) =>
    replaceProfile({ ...request, proof: { ...parts, askPast } }),
  );
}
