import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Restores a backup, `backup-program.ts HOME FILE restore|replace KEY-IN-HEX [STEP]`, and kills itself right before the
 * STEP-th call that changes something on the disk. Without STEP it prints how many such calls there are.
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
const { homeAt, keyCredential } = await import('../support/daemon.ts');
const { withProof } = await import('../backup/files.ts');

const backup = await openBackup(file);
isCounting = true;
await withProof([keyCredential(new Uint8Array(Buffer.from(key, 'hex')))], async (proof) => {
  const request = { paths: homeAt(folder).paths, name: parseProfileName('default'), backup };
  if (mode === 'replace') await replaceProfile({ ...request, proof: { ...proof, askPast: undefined } });
  else await restoreProfile({ ...request, proof });
});
await backup.close();
process.stdout.write(`${steps}\n`);
