import { readFileSync, writeFileSync } from 'node:fs';
import type { Report } from './figures.ts';
import { withTable } from './table.ts';

const readme = new URL('../../README.md', import.meta.url);
/** Where `npm run bench` leaves its figures. */
export const reportFile = new URL('../../docs/bench.json', import.meta.url);

/** Puts the figures of docs/bench.json into README.md, between the markers; `node test/bench/readme.ts` by itself. */
export function updateReadme(): void {
  // Written by bench.ts.
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
  writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), report));
}

if (import.meta.main) updateReadme();
