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
    {
      name: 'the daemon',
      folder: paths.daemonAudit,
      verify: 'hush audit verify',
      search: 'hush audit search --daemon',
    },
    ...names.map((name) => ({
      name,
      folder: profilePathsOf(paths, name).audit,
      verify: `hush audit verify -p ${name}`,
      search: `hush audit search -p ${name}`,
    })),
  ];
  const found = await Promise.all(chains.map((chain) => attemptCheck('audit', () => chainFindings(chain))));
  return found.flat();
}

interface Chain {
  readonly name: string;
  readonly folder: string;
  /** The commands that look at all of it, and for records in it. */
  readonly verify: string;
  readonly search: string;
}

async function chainFindings({ name, folder, verify, search }: Chain): Promise<readonly Finding[]> {
  const check = 'audit';
  const parts = existsSync(folder) ? folderParts(folder) : [];
  if (parts.length === 0) return [];
  const newest = parts.slice(-newestFiles);
  const { bad, records, lost } = await verifyParts(newest, { anywhere: newest.length < parts.length });
  if (bad !== undefined) {
    const message = `${bad.file} of ${name}, line ${bad.line}: ${bad.why}`;
    return [{ check, state: 'problem', message, hint: `${verify} tells more` }];
  }
  const message = `${name}: ${countText(records, 'record')} in the newest ${countText(newest.length, 'file')} hold together`;
  if (lost === 0) return [{ check, state: 'ok', message }];
  const loss = `${name}: ${countText(lost, 'record')} could not be written when they were made`;
  const hint = `${search} --event audit.lost, and look at the disk`;
  return [{ check, state: 'warning', message: loss, hint }];
}
