import { existsSync, readdirSync } from 'node:fs';
import { folderParts } from '../../daemon/audit/parts.ts';
import { verifyParts } from '../../daemon/audit/verify.ts';
import { profilePathsOf, type HomePaths } from '../../daemon/home/paths.ts';
import { isProfileName } from '../../protocol/names.ts';
import { countText } from '../format.ts';
import { attemptCheck, type Finding } from './finding.ts';

/** So many files at the end of each chain are read; all of them is the work of `hush audit verify`. */
const newestFiles = 2;

/** Whether the newest files of every audit chain hold together, by their hashes alone. */
export async function lookAtAudits(paths: HomePaths): Promise<readonly Finding[]> {
  const names = existsSync(paths.profileAudits) ? readdirSync(paths.profileAudits).filter(isProfileName) : [];
  const chains = [
    { name: 'the daemon', folder: paths.daemonAudit, more: 'hush audit verify' },
    ...names.map((name) => ({
      name,
      folder: profilePathsOf(paths, name).audit,
      more: `hush audit verify -p ${name}`,
    })),
  ];
  const found = await Promise.all(chains.map((chain) => attemptCheck('audit', () => chainFindings(chain))));
  return found.flat();
}

interface Chain {
  readonly name: string;
  readonly folder: string;
  /** The command that looks at all of it. */
  readonly more: string;
}

async function chainFindings({ name, folder, more }: Chain): Promise<readonly Finding[]> {
  const check = 'audit';
  const parts = existsSync(folder) ? folderParts(folder) : [];
  if (parts.length === 0) return [];
  const newest = parts.slice(-newestFiles);
  const { bad, records, lost } = await verifyParts(newest, { anywhere: newest.length < parts.length });
  if (bad !== undefined) {
    const message = `${bad.file} of ${name}, line ${bad.line}: ${bad.why}`;
    return [{ check, state: 'problem', message, hint: `${more} tells more` }];
  }
  const message = `${name}: ${countText(records, 'record')} in the newest ${countText(newest.length, 'file')} hold together`;
  if (lost === 0) return [{ check, state: 'ok', message }];
  const loss = `${name}: ${countText(lost, 'record')} could not be written when they were made`;
  return [
    {
      check,
      state: 'warning',
      message: loss,
      hint: `hush audit search --event audit.lost, and look at the disk`,
    },
  ];
}
