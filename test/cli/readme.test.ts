import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { errorTable } from '../../protocol/errors.ts';
import { openShell, type Typed } from './hush.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

/** A command as typed in the README, and the lines that it shows there. */
interface Shown {
  readonly line: string;
  readonly lines: readonly string[];
}

/** The `console` blocks of a page, cut into commands. */
function commandsIn(page: string): Shown[] {
  const blocks = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block.split(/^\$ /m).flatMap((text) => {
      const [line = '', ...lines] = text.trimEnd().split('\n');
      return line === '' ? [] : [{ line, lines }];
    }),
  );
}

/** Whether the lines are those that the page shows, in any order between the streams; `…` stands for any text. */
function assertShown(said: readonly string[], shown: Shown): void {
  const patterns = shown.lines.map((text) => text.split('…').map(escaped).join('.+'));
  const missing = patterns.filter((pattern) => !said.some((text) => new RegExp(`^${pattern}$`).test(text)));
  assert.deepEqual(missing, [], `${shown.line} said: ${said.join('\n')}`);
  assert.equal(said.length, shown.lines.length, `${shown.line} said: ${said.join('\n')}`);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const passphrase = 'correct horse battery staple\r';
const typedAt: Readonly<Record<string, readonly Typed[]>> = {
  'hush init': [
    { wait: 'A passphrase for profile default', send: passphrase },
    { wait: 'The same once more', send: passphrase },
  ],
  'hush unlock': [{ wait: 'Passphrase of profile default', send: passphrase }],
};

describe('what is written', () => {
  test('every command of the README does what the README shows', async (t) => {
    const shell = openShell(t);
    for (const shown of commandsIn(readme)) {
      const typed = typedAt[shown.line];
      if (typed === undefined) {
        const { stdout, stderr } = await shell.runScript(shown.line);
        assertShown([...linesOf(stdout), ...linesOf(stderr)], shown);
      } else {
        const { screen, code } = await shell.type(shown.line, typed);
        assert.equal(code, 0, screen);
        for (const text of shown.lines)
          assert.match(screen, new RegExp(text.split('…').map(escaped).join('.+')));
      }
    }
  });

  test('every error code stands in both tables with its exit code', () => {
    for (const [code, { exit }] of Object.entries(errorTable)) {
      assert.match(readme, new RegExp(`^\\| ${exit} \\|.*\`${code}\``, 'm'));
      assert.match(operations, new RegExp(`^\\| [^|]*\`${code}\`[^|]* \\| ${exit} \\|`, 'm'));
    }
  });
});
