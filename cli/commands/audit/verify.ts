import type { Command } from 'commander';
import { HushError } from '../../../protocol/errors.ts';
import { checkpointsIn, type Comparison } from '../../audit/checkpoints.ts';
import { damage } from '../../audit/damage.ts';
import { verifyFiles } from '../../audit/given-files.ts';
import { jsonOfReport, textOfReport } from '../../audit/report.ts';
import { verifyAudit } from '../../audit/verification.ts';
import type { Session } from '../../commands.ts';
import { withDaemonIfRunning } from '../../daemon.ts';
import { profileOf, type ProfileOption } from '../../target.ts';

interface VerifyOptions extends ProfileOption {
  readonly against?: string;
}

/** `hush audit verify`: whether the audit is as it was written. */
export function defineVerify(audit: Command, { output }: Session): void {
  audit
    .command('verify')
    .description("check that a profile's audit and the daemon's own are as they were written")
    .argument('[files...]', 'files of one chain, or its folder, wherever they come from; without a daemon')
    .option('--against <checkpoint>', 'a line of hush audit checkpoint, or a file of such lines')
    .addHelpText(
      'after',
      `
Every record is checked against its hash and the record before it. Where the daemon runs and the profile is open, it
proves the seals with the keys that only it has, and tells what the vault remembers: so a chain that was made anew, or
ends too early, is found too. The exit code is 8 where something is wrong.

Examples:
  hush audit verify -p work --json
  hush audit verify --against checkpoints.txt
  hush audit verify /mnt/copy/audit/profiles/work --against checkpoints.txt`,
    )
    .action(async (files: string[], options: VerifyOptions) => {
      const checkpoints = options.against === undefined ? [] : checkpointsIn(options.against);
      const { env } = process;
      const reports =
        files.length > 0
          ? [await verifyFiles(files, checkpoints)]
          : await ofProfile(profileOf(options, env), checkpoints, env);
      const found = reports.filter(({ bad }) => bad !== undefined);
      const wrong = found.find(({ bad }) => bad?.code === undefined) ?? found[0];
      await output.facts(
        { ok: wrong === undefined, chains: reports.map(jsonOfReport) },
        reports.flatMap(textOfReport),
      );
      if (wrong?.bad !== undefined) throw damage(wrong.chain, wrong.bad);
      if (reports.some((report) => report.checkpoints && isCompared(report.checkpoints))) return;
      if (checkpoints.length > 0)
        throw new HushError('BAD_REQUEST', 'none of the checkpoints is of these audits', {
          hint: 'give those of this profile, or files of their chain',
        });
    });
}

const isCompared = ({ passed, unseen }: Comparison): boolean => passed + unseen > 0;

async function ofProfile(
  profile: ReturnType<typeof profileOf>,
  checkpoints: ReturnType<typeof checkpointsIn>,
  env: NodeJS.ProcessEnv,
): ReturnType<typeof verifyAudit> {
  const parts = { profile, checkpoints, env };
  const reports = await withDaemonIfRunning((daemon) => verifyAudit({ ...parts, daemon }));
  return reports ?? verifyAudit({ ...parts, daemon: undefined });
}
