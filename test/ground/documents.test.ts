import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Report } from '../bench/figures.ts';
import { renderTable, withTable } from '../bench/table.ts';

const root = new URL('../../', import.meta.url);
const pages = [
  'README.md',
  ...readdirSync(new URL('docs/', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(new URL(page, root), 'utf8');

/** The anchors that GitHub gives the headings of a page. */
function anchorsIn(text: string): ReadonlySet<string> {
  const headings = [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#+ (.+)$/gm)];
  return new Set(
    headings.map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('the documents', () => {
  test('link to files that are there, and name tests that are there', () => {
    const missing: string[] = [];
    for (const page of pages) {
      const text = textOf(page);
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
        ([, path = '']) => new URL(path, new URL(page, root)),
      );
      const tests = [...text.matchAll(/`(test\/[\w./-]+)`/g)].map(([, path = '']) => new URL(path, root));
      for (const file of [...links, ...tests])
        if (!existsSync(file)) missing.push(`${page}: ${file.pathname}`);
    }
    assert.deepEqual(missing, []);
  });

  test('link to headings that are there', () => {
    const missing: string[] = [];
    for (const page of pages) {
      for (const [, path = '', anchor = ''] of textOf(page).matchAll(
        /\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g,
      )) {
        const target = path === '' ? textOf(page) : readFileSync(new URL(path, new URL(page, root)), 'utf8');
        if (!anchorsIn(target).has(anchor)) missing.push(`${page}: ${path}#${anchor}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  test('README.md shows the figures of docs/bench.json', () => {
    // Written by test/bench/bench.ts.
    const report = JSON.parse(textOf('docs/bench.json')) as Report;
    assert.match(renderTable(report), /^\| cached get of 200 bytes, median \|/m);
    const readme = textOf('README.md');
    assert.equal(readme, withTable(readme, report));
  });
});
