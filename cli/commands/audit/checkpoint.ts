import type { Command } from 'commander';
import { checkpointLine, parseCheckpoint } from '../../../daemon/audit/checkpoint.ts';
import { verifyParts } from '../../../daemon/audit/verify.ts';
import { chainNameOf, localSource, type ChainOwner } from '../../audit/chain-source.ts';
import { damage } from '../../audit/damage.ts';
import { addOwnerOption, ownerFacts, ownerOf, type OwnerOptions } from '../../audit/owner.ts';
import type { Session } from '../../commands.ts';
import { withDaemon, withDaemonIfRunning } from '../../daemon.ts';

/** `hush audit checkpoint`: where the audit stands, in one line to be kept elsewhere. */
export function defineCheckpoint(audit: Command, { output }: Session): void {
  const command = audit
    .command('checkpoint')
    .description('print one line that says where the audit stands, to be kept elsewhere');
  addOwnerOption(command);
  command
    .addHelpText(
      'after',
      `
Whoever changes or shortens the audit later cannot change what is kept on another machine, or on paper:
hush audit verify --against tells. While the profile is unlocked the line has a MAC, which proves that this vault's
daemon made it.

Examples:
  hush audit checkpoint >> checkpoints.txt
  hush audit verify --against checkpoints.txt`,
    )
    .action(async (options: OwnerOptions) => {
      const owner = ownerOf(options, process.env);
      const line = await checkpointOf(owner);
      const { seq, hash, start, time, proof } = parseCheckpoint(line);
      const facts = { ...ownerFacts(owner), seq, hash, start, time, proved: proof !== undefined };
      await output.facts({ ...facts, checkpoint: line }, [line]);
      if (proof === undefined) {
        await output.note(
          'it has no MAC, since no profile is open: it is worth what the place is worth where it is kept',
        );
      }
    });
}

/** From the daemon, which has a key; else from the files. */
async function checkpointOf(owner: ChainOwner): Promise<string> {
  const whose = owner === undefined ? {} : { profile: owner };
  const made = await withDaemonIfRunning((daemon) => daemon.call('audit.checkpoint', whose));
  if (made !== undefined) return made.line;
  const parts = await localSource(owner, process.env)?.parts();
  // Without files either it is the missing daemon that is to be told of.
  if (parts === undefined || parts.length === 0)
    return (await withDaemon((daemon) => daemon.call('audit.checkpoint', whose))).line;
  const { bad, head, start = head.hash } = await verifyParts(parts);
  const chain = chainNameOf(owner);
  if (bad !== undefined) throw damage(chain, bad);
  return checkpointLine({ chain, start, ...head, time: new Date().toISOString() }, undefined);
}
