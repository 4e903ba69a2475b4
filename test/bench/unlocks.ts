import argon2 from 'argon2';
import sodium from 'sodium-native';
import type { Argon2Cost } from '../../daemon/keys/passphrase.ts';
import { passphrase } from '../support/daemon.ts';
import { unlock, type BenchDaemon } from './daemons.ts';
import { differenceFigure, type Figure, type Target } from './figures.ts';
import type { Load } from './load.ts';
import { counted } from './scale.ts';

/** Milliseconds of one unlock, and of the bare Argon2id in two libraries, measured right after one another. */
interface UnlockRound {
  readonly hushd: number;
  readonly libsodium: number;
  readonly argon2: number;
}

async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Locks and unlocks the profile `rounds` times, beside the same Argon2id by itself; leaves it unlocked. */
async function unlockRounds(
  load: Load,
  { memoryKiB, passes }: Argon2Cost,
  rounds: number,
): Promise<UnlockRound[]> {
  const secret = Buffer.from(passphrase);
  const salt = Buffer.alloc(16, 1);
  const out = Buffer.alloc(32);
  const bareLibsodium = (): Promise<unknown> =>
    sodium.crypto_pwhash_async(
      out,
      secret,
      salt,
      passes,
      memoryKiB * 1024,
      sodium.crypto_pwhash_ALG_ARGON2ID13,
    );
  const bareArgon2 = (): Promise<unknown> =>
    argon2.hash(secret, {
      type: argon2.argon2id,
      salt,
      memoryCost: memoryKiB,
      timeCost: passes,
      parallelism: 1,
      hashLength: 32,
      raw: true,
    });

  const results: UnlockRound[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const libsodium = await millisecondsOf(bareLibsodium);
    await load.call('lock', { profile: 'default' });
    const hushd = await millisecondsOf(() => unlock(load));
    results.push({ hushd, libsodium, argon2: await millisecondsOf(bareArgon2) });
  }
  return results;
}

/** Unlocking, beside Argon2id of the same cost by itself; the target holds for the first library. */
export async function unlockFigures(
  { load }: BenchDaemon,
  secrets: number,
  cost: Argon2Cost,
  rounds: number,
  target?: Target,
): Promise<Figure[]> {
  const taken = await unlockRounds(load, cost, rounds);
  const what = `unlock with ${counted(secrets)} secrets`;
  const own = taken.map(({ hushd }) => hushd);
  const settings = `${cost.memoryKiB / 1024} MiB, ${cost.passes} passes`;
  return (['libsodium', 'argon2'] as const).map((library, index) => {
    const other = {
      name: `bare Argon2id, ${settings}, ${library}`,
      values: taken.map((round) => round[library]),
    };
    return differenceFigure(what, 'ms', own, other, index === 0 ? target : undefined);
  });
}
