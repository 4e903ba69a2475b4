import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorTable } from '../../protocol/errors.ts';
import { openWithHelpers } from '../e2e/doors/helpers.ts';
import type { Typed } from './hush.ts';
import { assertShown, commandsIn, pageOf, sectionOf, shownAs } from './shown.ts';

const readme = pageOf('README.md');
const operations = pageOf('docs/operations.md');

const passphrase = 'correct horse battery staple\r';
const typedAt: Readonly<Record<string, readonly Typed[]>> = {
  'hush init': [
    { wait: 'A passphrase for profile default', send: passphrase },
    { wait: 'The same once more', send: passphrase },
    { wait: 'Make a recovery key too', send: '\r' },
  ],
  'hush unlock': [{ wait: 'Passphrase of profile default', send: passphrase }],
};

describe('what is written', () => {
  test('every command of the README does what the README shows', async (t) => {
    const shell = openWithHelpers(t);
    for (const shown of commandsIn(readme)) {
      const typed = typedAt[shown.line];
      if (typed === undefined) {
        assertShown(await shell.runScript(shown.line), shown);
      } else {
        const { screen, code } = await shell.type(shown.line, typed);
        assert.equal(code, 0, screen);
        for (const text of shown.lines) assert.match(screen, shownAs(text, 'anywhere'));
      }
    }
  });

  test('every transcript of docs/operations.md stands in a section of which a test runs all', () => {
    const sections = [
      'Values and versions', // test/cli/values.test.ts
      'Out of plain files', // test/cli/configure/plain-files.test.ts
      'Into programs', // test/cli/run.test.ts
    ].flatMap((heading) => commandsIn(sectionOf(operations, heading)));
    assert.deepEqual(commandsIn(operations), sections);
  });

  test('every error code stands in both tables with its exit code', () => {
    for (const [code, { exit }] of Object.entries(errorTable)) {
      assert.match(readme, new RegExp(`^\\| ${exit} \\|.*\`${code}\``, 'm'));
      assert.match(operations, new RegExp(`^\\| [^|]*\`${code}\`[^|]* \\| ${exit} \\|`, 'm'));
    }
  });
});
