import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HushError } from '../../protocol/errors.ts';
import { commands } from '../../cli/commands.ts';
import { textOf } from '../../cli/output.ts';
import { arrange } from '../../cli/program.ts';
import { overview, unknownCommand } from '../../cli/usage.ts';

describe('a command line', () => {
  test('may have the common options before the command', () => {
    const bare = { name: 'list', rest: [], json: false };
    assert.deepEqual(arrange(['list']), bare);
    assert.deepEqual(arrange(['-p', 'work', 'list']), { ...bare, rest: ['-p', 'work'] });
    assert.deepEqual(arrange(['-pwork', '--json', 'list', '--long']), {
      name: 'list',
      rest: ['-pwork', '--json', '--long'],
      json: true,
    });
    assert.deepEqual(arrange(['--profile=work', 'list']), { ...bare, rest: ['--profile=work'] });
  });

  test('asks for JSON wherever --json stands before a double dash', () => {
    assert.equal(arrange(['get', 'global/a', '--json']).json, true);
    assert.equal(arrange(['get', '--', '--json']).json, false);
  });

  test('without a command asks for help', () => {
    assert.equal(arrange([]).name, 'help');
    assert.equal(arrange(['--json']).name, 'help');
    assert.equal(arrange(['-p']).name, 'help');
  });

  test('with a mistyped command is answered with the one that was meant', () => {
    const hints = {
      stat: 'hush status',
      staus: 'hush status',
      unlok: 'hush unlock',
      gte: 'hush get',
      xyzzy: 'hush help',
    };
    for (const [word, hint] of Object.entries(hints)) assert.equal(unknownCommand(word).hint, hint, word);
  });
});

describe('the voice', () => {
  test('an error is one marked line, its hint another, and neither can break out of its line', () => {
    const error = new HushError('NOT_FOUND', 'no \x1b[31m\nhush: error: fake', { hint: 'hush\nlist' });
    assert.equal(textOf(error), 'hush: error: no \\x1b[31m\\nhush: error: fake\nhush: hint: hush\\nlist\n');
  });

  test('an error that knows when it passes says so', () => {
    const error = new HushError('BACKOFF', 'too many', { hint: '', retryAfterMs: 1234 });
    assert.equal(textOf(error), 'hush: error: too many; it may pass in 1.3 s\n');
  });

  test('the help names every command', () => {
    for (const [name, { summary }] of Object.entries(commands)) {
      assert.match(overview(), new RegExp(`^ {2}${name} +${summary.replaceAll(/[^a-z0-9 ,]/gi, '.')}$`, 'm'));
    }
  });
});
