import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { linesBackwards } from '../../daemon/audit/backwards.ts';
import { readRecord } from '../../daemon/audit/records.ts';
import { sealEvent } from '../../daemon/audit/seals.ts';
import { errnoOf } from '../../daemon/home/disk-errors.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { HushError } from '../../protocol/errors.ts';

/**
 * The vaults that the home of this user knows of, each with the name of its profile: by the headers of the profiles,
 * and, for those that are gone, by the newest seals of the audits that they have left. Nothing of it is proved.
 */
export function vaultsOfHome(env: NodeJS.ProcessEnv): ReadonlyMap<string, string> {
  const { profiles, profileAudits } = pathsOf(env);
  const vaults = new Map<string, string>();
  const add = (name: string, vaultIn: () => string | undefined): void => {
    try {
      const id = vaultIn();
      if (id !== undefined) vaults.set(id, name);
    } catch (error) {
      // What is damaged tells of no vault; other commands say what is wrong with it.
      if (!(error instanceof HushError)) throw error;
    }
  };
  for (const name of namesIn(profileAudits)) add(name, () => sealedVault(join(profileAudits, name)));
  for (const name of namesIn(profiles))
    add(name, () => readHeaderFile(join(profiles, name, 'header')).body.vaultId);
  return vaults;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}

/** The vault that the newest seal of a chain names. */
function sealedVault(folder: string): string | undefined {
  for (const line of linesBackwards(folder)) {
    if (!line.includes(sealEvent)) continue;
    const { event, detail } = readRecord(line);
    if (event === sealEvent && typeof detail['vault'] === 'string') return detail['vault'];
  }
  return undefined;
}
