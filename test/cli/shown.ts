import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Ended } from './hush.ts';

/** A command as typed on a page, and the lines that the page shows of it. */
export interface Shown {
  readonly line: string;
  readonly lines: readonly string[];
}

/** A page of the documents, by its path from the root. */
export function pageOf(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** The part of a page below a heading of the second level, up to the next one. */
export function sectionOf(page: string, heading: string): string {
  const [, section] = page.split(`\n## ${heading}\n`);
  assert.ok(section !== undefined, `there is no section ${heading}`);
  return section.split(/^## /m)[0] ?? '';
}

/** The `console` blocks of a page, cut into commands. */
export function commandsIn(page: string): Shown[] {
  const blocks = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block.split(/^\$ /m).flatMap((text) => {
      const [line = '', ...lines] = text.trimEnd().split('\n');
      return line === '' ? [] : [{ line, lines }];
    }),
  );
}

/** Whether what a command said is what the page shows, in any order between the streams; `…` stands for any text. */
export function assertShown({ stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'>, shown: Shown): void {
  const said = [...linesOf(stdout), ...linesOf(stderr)];
  const missing = shown.lines.filter((text) => !said.some((line) => shownAs(text, '^$').test(line)));
  assert.deepEqual(missing, [], `${shown.line} said: ${said.join('\n')}`);
  assert.equal(said.length, shown.lines.length, `${shown.line} said: ${said.join('\n')}`);
}

/** What a shown text stands for, as a whole line (`^$`) or anywhere. */
export function shownAs(text: string, place: '^$' | 'anywhere'): RegExp {
  const pattern = text.split('…').map(escaped).join('.+');
  return new RegExp(place === '^$' ? `^${pattern}$` : pattern);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
