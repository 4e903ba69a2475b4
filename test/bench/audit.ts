import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openChain } from '../../daemon/audit/chain.ts';
import { recordPrefix } from '../../daemon/audit/records.ts';
import { plainFigure, type Figure } from './figures.ts';
import { counted, type Scale } from './scale.ts';

const run = promisify(execFile);

const segmentBytes = 64 * 1024 * 1024;
const recordsInSeal = 1_000;
const key = { id: 'v1', secret: new Uint8Array(32).fill(1) };
const state = { vaultId: '0'.repeat(32), commit: 1, generation: 1 };

/** Writes a chain of so many records as a daemon that serves reads does: sealed every 1,000, in files of 64 MiB. */
async function writeChain(folder: string, records: number): Promise<void> {
  const chain = openChain(folder, 'default');
  const who = recordPrefix({ client: 'shop', uid: 1001, gid: 1001, pid: 4711, exe: '/usr/bin/node' });
  while (chain.head().seq < records) {
    for (let number = 1; number < recordsInSeal; number += 1) {
      const name = `global/name-${number}`;
      chain.append({ event: 'secret.get', who, outcome: 'ok', profile: 'default', key: name });
    }
    chain.seal(state, key);
    chain.flush();
    if (chain.bytes() > segmentBytes) chain.rotate();
  }
  await chain.close();
}

/** How fast `hush audit verify` goes through an audit, its start included. */
export async function auditFigures(installed: string, folder: string, scale: Scale): Promise<Figure[]> {
  const chain = join(folder, 'audit');
  await writeChain(chain, scale.records);
  const rates: number[] = [];
  for (let round = 0; round < scale.verifications; round += 1) {
    const startedAt = performance.now();
    const { stdout } = await run(process.execPath, [
      join(installed, 'bin/hush.js'),
      'audit',
      'verify',
      chain,
      '--json',
    ]);
    const seconds = (performance.now() - startedAt) / 1000;
    // The shape that docs/operations.md gives.
    const { chains } = JSON.parse(stdout) as { chains: readonly { records: number }[] };
    rates.push((chains[0]?.records ?? NaN) / seconds);
  }
  const what = `records in \`hush audit verify\` of ${counted(scale.records)}`;
  return [plainFigure(what, '/s', rates, { least: 100_000 })];
}
