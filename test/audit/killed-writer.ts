import { join } from 'node:path';
import { openChain } from '../../daemon/audit/chain.ts';
import { recordPrefix } from '../../daemon/audit/records.ts';

const [, , folder = '', count = ''] = process.argv;
const key = { id: 'v1', secret: new Uint8Array(32).fill(1) };
const state = { vaultId: '0'.repeat(32), commit: 1, generation: 1 };
const who = recordPrefix({ client: 'shop', uid: 1001, gid: 1001, pid: 4711, exe: '/usr/bin/node' });
const chains = Array.from({ length: Number(count) }, (_, number) =>
  openChain(join(folder, String(number)), 'default'),
);

/** Writes to all chains, in groups and in files of some KiB as a daemon does, until it is killed; tells of each round. */
for (let round = 1; ; round += 1) {
  for (const [number, chain] of chains.entries()) {
    for (let record = 0; record <= (round * 7 + number) % 5; record += 1) {
      chain.append({ event: 'secret.get', who, outcome: 'ok', profile: 'default', key: `global/${round}` });
    }
    if ((round + number) % 9 === 0) chain.seal(state, key);
    chain.flush();
    if (chain.bytes() > 8_192) chain.rotate();
  }
  process.stdout.write('.');
}
