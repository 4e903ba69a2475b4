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

/**
 * Whether a command did what the page shows: what `hush` says on standard error is what the page shows as such, the
 * other lines are all of standard output and what other programs wrote to standard error, each line in its place, and
 * the exit code is 0. A page shows another exit code by letting the shell print it. `…` stands for any text.
 */
export function assertShown({ code, stdout, stderr }: Ended, shown: Shown): void {
  const ofErrors = linesOf(stderr);
  const said = {
    byHush: ofErrors.filter(isMarked),
    other: [...linesOf(stdout), ...ofErrors.filter((line) => !isMarked(line))],
  };
  const expected = {
    byHush: shown.lines.filter(isMarked),
    other: shown.lines.filter((line) => !isMarked(line)),
  };
  const as = (lines: readonly string[], texts: readonly string[]): string[] =>
    lines.map((line, index) => {
      const text = texts[index];
      return text !== undefined && shownAs(text, '^$').test(line) ? text : line;
    });
  assert.deepEqual(
    {
      code,
      byHush: as(said.byHush, expected.byHush),
      other: as(said.other, expected.other),
    },
    { code: 0, ...expected },
    shown.line,
  );
}

/** How `hush` marks each of its lines on standard error. */
const isMarked = (line: string): boolean => /^hush: (?:error|hint|note): /.test(line);

/** What a shown text stands for, as a whole line (`^$`) or anywhere. */
export function shownAs(text: string, place: '^$' | 'anywhere'): RegExp {
  const pattern = text.split('…').map(escaped).join('.+');
  return new RegExp(place === '^$' ? `^${pattern}$` : pattern);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
