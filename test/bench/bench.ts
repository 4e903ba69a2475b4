import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { calibrate, createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { installPackage } from '../support/installed-package.ts';
import { auditFigures } from './audit.ts';
import { changeFigures } from './changes.ts';
import {
  makeBenchHome,
  secretPath,
  seed,
  startBenchDaemon,
  type BenchDaemon,
  type BenchHome,
} from './daemons.ts';
import { plainFigure, type Machine, type Report } from './figures.ts';
import { memoryFigures } from './memory.ts';
import { readFigures } from './reads.ts';
import { reportFile, updateReadme } from './readme.ts';
import { rotationFigures } from './rotation.ts';
import { rewrapFigures } from './rewrap.ts';
import { ruledConfig, ruledFigures } from './ruled.ts';
import { counted, fullScale, quickScale, valueBytes, type Scale } from './scale.ts';
import { scanFigures } from './scan.ts';
import { startFigures } from './start.ts';
import { renderTable } from './table.ts';
import { unlockFigures } from './unlocks.ts';

/** The machine as it is before anything is measured. */
function machineNow(): Machine {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    processors: processors.length,
    model: processors[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release().split('.').slice(0, 2).join('.'),
    node: process.versions.node,
    loadBefore: Number((loadavg()[0] ?? NaN).toFixed(2)),
  };
}

/** Tells on standard error what is being measured, and how long it took. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  process.stderr.write(`${what} …`);
  const result = await work();
  process.stderr.write(` ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
  return result;
}

/** Everything, in one run. What it starts and makes is gone when it ends. */
async function bench(scale: Scale): Promise<Report> {
  const machine = machineNow();
  const folder = mkdtempSync(join(tmpdir(), 'hushd-bench-'));
  const homes: BenchHome[] = [];
  const running = new Set<BenchDaemon>();
  const start = async (home: BenchHome, installed: string): Promise<BenchDaemon> => {
    const daemon = await startBenchDaemon(home, installed);
    running.add(daemon);
    return daemon;
  };
  const stop = async (daemon: BenchDaemon): Promise<void> => {
    running.delete(daemon);
    await daemon.stop();
  };
  try {
    const cost = await calibrate(createArgon2Queue());
    const [smallHome, largeHome] = [await makeBenchHome(cost), await makeBenchHome(cost)];
    homes.push(smallHome, largeHome);
    // What users run; the sources would be compiled in the daemon's own memory.
    const installed = await step('build', () => installPackage(folder));

    const seeding = await start(smallHome, installed);
    await seed(seeding.load, scale.few, valueBytes);
    await stop(seeding);
    const small = await start(smallHome, installed);
    const memory = await step('memory', () => memoryFigures(small, scale));
    const large = await start(largeHome, installed);
    const seeded = await step(`${counted(scale.many)} secrets`, () =>
      seed(large.load, scale.many, valueBytes),
    );
    const reads = await step('reads', () => readFigures(small, large, folder, scale));
    const starts = await step('starts', () =>
      startFigures(smallHome, installed, secretPath(7), scale.rounds * 2),
    );
    const unlocks = await step('unlock', () =>
      unlockFigures(small, scale.few, cost, scale.unlocks, { most: 100 }),
    );
    const ofMany = await step('unlock of many', () => unlockFigures(large, scale.many, cost, 3));
    const changes = await step('changes', () => changeFigures(small, scale));
    const startWith = async (more: string): Promise<BenchDaemon> => {
      const home = await makeBenchHome(cost, more);
      homes.push(home);
      const daemon = await start(home, installed);
      await seed(daemon.load, scale.few, valueBytes);
      return daemon;
    };
    // Two of one age: a daemon that has served a million requests has shorter tails than a new one.
    const [plain, ruled] = [await startWith(''), await startWith(ruledConfig())];
    const ruledReads = await step('under rules', () => ruledFigures(plain, ruled, scale));
    await stop(plain);
    await stop(ruled);
    const table = { daemon: small, home: smallHome, installed, folder };
    const rewraps = await step('rewraps', () => rewrapFigures(table, scale));
    await stop(large);
    const rotationHome = await makeBenchHome(cost);
    homes.push(rotationHome);
    const rotating = await start(rotationHome, installed);
    const rotations = await step('rotations', () => rotationFigures(rotating, rotationHome, folder, scale));
    const scans = await step('scan', () => scanFigures(installed, folder, scale.verifications));
    const audits = await step('audit', () => auditFigures(installed, folder, scale));
    const batched = plainFigure(`set of ${valueBytes} bytes, in batches of 500`, '/s', [seeded]);
    const figures = [
      ...reads,
      ...starts,
      ...unlocks,
      ...ofMany.slice(0, 1),
      ...memory,
      ...changes,
      ...ruledReads,
      ...rewraps,
      ...rotations,
      ...audits,
      ...scans,
      batched,
    ];
    return { machine, rounds: scale.rounds, figures };
  } finally {
    for (const daemon of running) await daemon.stop();
    for (const home of homes) home.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * `npm run bench`: hushd beside what bounds it, in turns; writes docs/bench.json and the table in README.md.
 * With `--quick` it takes less than a minute, prints its table and writes nothing.
 */
const quick = process.argv.includes('--quick');
const report = await bench(quick ? quickScale : fullScale);
process.stdout.write(`${renderTable(report)}\n`);
if (!quick) {
  writeFileSync(reportFile, `${JSON.stringify(report, null, 2)}\n`);
  updateReadme();
}
