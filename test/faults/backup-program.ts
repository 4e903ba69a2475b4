import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Restores a backup, `backup-program.ts HOME FILE restore|replace|replace-in-steps KEY-IN-HEX [STEP]`, and kills itself
 * right before the STEP-th call that changes something on the disk; `replace-in-steps` as on a file system that cannot
 * exchange two names. Without STEP it prints how many such calls there are, and how many before the exchange.
 */
const [folder = '', file = '', mode = '', key = '', killAt] = process.argv.slice(2);

const changing = [
  'mkdirSync',
  'openSync',
  'writeSync',
  'fchmodSync',
  'fsyncSync',
  'fdatasyncSync',
  'closeSync',
  'renameSync',
  'chmodSync',
  'rmSync',
  'unlinkSync',
] as const;
let steps = 0;
/** Loading what is needed changes nothing that counts. */
let isCounting = false;
for (const name of changing) {
  const real: (...given: never[]) => unknown = fs[name];
  const counted = (...given: never[]): unknown => {
    if (isCounting) steps += 1;
    if (isCounting && String(steps) === killAt) process.kill(process.pid, 'SIGKILL');
    return real(...given);
  };
  Object.assign(fs, { [name]: counted });
}
syncBuiltinESMExports();

const { openBackup } = await import('../../daemon/backup/reader.ts');
const { replaceProfile } = await import('../../daemon/backup/replace.ts');
const { restoreProfile } = await import('../../daemon/backup/restore.ts');
const { parseProfileName } = await import('../../protocol/names.ts');
const { exchangeNames } = await import('../../native/rename.ts');
const { homeAt, keyCredential } = await import('../support/daemon.ts');
const { withProof } = await import('../backup/files.ts');

const backup = await openBackup(file);
let before = 0;
const exchange = (one: string, other: string): boolean => {
  before = steps;
  return mode === 'replace' && exchangeNames(one, other);
};
isCounting = true;
await withProof([keyCredential(new Uint8Array(Buffer.from(key, 'hex')))], async (proof) => {
  const request = { paths: homeAt(folder).paths, name: parseProfileName('default'), backup };
  if (mode === 'restore') await restoreProfile({ ...request, proof });
  else await replaceProfile({ ...request, proof: { ...proof, askPast: undefined }, exchange });
});
await backup.close();
process.stdout.write(`${steps} ${before}\n`);
