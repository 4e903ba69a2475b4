import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestOf, requestToText } from '../load.ts';
import { runRounds } from '../rounds.ts';
import { startFloor } from './start.ts';

/** The floor by itself: `node measure.ts [ROUNDS]` prints its figures, a line a round, for replies of 200 bytes. */
const rounds = Number(process.argv[2] ?? 5);
const folder = await mkdtemp(join(tmpdir(), 'floor-'));
const styles = ['packed', 'patched'] as const;
const floors = await Promise.all(
  styles.map((style) => startFloor(join(folder, `${style}.sock`), 200, style)),
);
const request = requestOf('secret.get', { profile: 'default', path: 'global/database-password' });

try {
  const results = await runRounds({
    targets: floors.map(({ socketPath }, index) => ({
      name: styles[index] ?? '',
      socketPath,
      protocol: 'hushd',
      requests: [requestToText(request)],
    })),
    rounds,
    warmUp: 20_000,
    oneAtATime: 50_000,
    pipelined: 300_000,
    inFlight: 32,
  });
  for (const { name, latencies, rates } of results) {
    latencies.forEach(({ p50, p99 }, round) => {
      const rate = ((rates[round] ?? NaN) / 1000).toFixed(0);
      process.stdout.write(
        `${name.padEnd(8)} p50 ${p50.toFixed(1)} us, p99 ${p99.toFixed(1)} us, 32 in flight ${rate} k/s\n`,
      );
    });
  }
} finally {
  for (const floor of floors) await floor.stop();
  await rm(folder, { recursive: true });
}
