import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { homeAt, keyCredential } from '../support/daemon.ts';

/**
 * Makes a profile, `init-program.ts HOME KEY-IN-HEX [STEP]`, and kills itself right before the STEP-th call that changes
 * something on the disk. Without STEP it prints how many such calls there are.
 */
const [folder = '', key = '', killAt] = process.argv.slice(2);

// What is only synced or closed stands the same after SIGKILL.
const changing = [
  'mkdirSync',
  'openSync',
  'writeSync',
  'ftruncateSync',
  'fchmodSync',
  'chmodSync',
  'renameSync',
  'unlinkSync',
  'rmSync',
] as const;
let steps = 0;
for (const name of changing) {
  const real: (...given: never[]) => unknown = fs[name];
  const counted = (...given: never[]): unknown => {
    steps += 1;
    if (String(steps) === killAt) process.kill(process.pid, 'SIGKILL');
    return real(...given);
  };
  Object.assign(fs, { [name]: counted });
}
syncBuiltinESMExports();

await homeAt(folder).init('default', [keyCredential(new Uint8Array(Buffer.from(key, 'hex')))]);
process.stdout.write(`${steps}\n`);
