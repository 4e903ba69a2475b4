import type { Command } from 'commander';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';
import type { ChainOwner } from './chain-source.ts';

/** Which chain a command line means. */
export interface OwnerOptions extends ProfileOption {
  readonly daemon?: true;
}

/** Puts the option onto a command that means the daemon's own chain. */
export function addOwnerOption(command: Command): void {
  command.option(
    '--daemon',
    'the audit of the daemon itself: starts, reloads, unknown peers, failed unlocks',
  );
}

/** The chain that is meant. Throws BAD_REQUEST for two, INVALID_NAME. */
export function ownerOf(options: OwnerOptions, env: NodeJS.ProcessEnv): ChainOwner {
  if (options.daemon !== true) return profileOf(options, env);
  if (options.profile === undefined) return undefined;
  throw badUsage('--daemon and --profile name two audits', 'audit');
}

/** The facts by which `--json` says whose audit it is. */
export const ownerFacts = (owner: ChainOwner): object =>
  owner === undefined ? { chain: 'daemon' } : { chain: `profiles/${owner}`, profile: owner };
