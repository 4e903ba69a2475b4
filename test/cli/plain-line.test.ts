import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Command } from 'commander';
import fc from 'fast-check';
import { define as defineGet } from '../../cli/commands/get.ts';
import { define as defineRun } from '../../cli/commands/run.ts';
import { commands, type Define } from '../../cli/commands.ts';
import { parse } from '../../cli/parse.ts';
import { plainAction } from '../../cli/plain-line.ts';

type Seen = [string | readonly string[], Readonly<Record<string, unknown>>];

/** A command with the arguments and options of this one, which tells what its action is given. */
const like = (defineIt: Define, seen: Seen[]) => (command: Command) => {
  const session = { output: undefined as never, finish: () => undefined };
  const withOwnAction = new Proxy(command, {
    get(target, name, receiver: unknown) {
      if (name === 'action') {
        return () => target.action((first: Seen[0], options: Seen[1]) => void seen.push([first, options]));
      }
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, given);
        return result === target ? receiver : result;
      };
    },
  });
  defineIt(withOwnAction, session);
};

const both = [
  '--json',
  '--quiet',
  '-p',
  '--profile',
  'work',
  '-pwork',
  '--profile=work',
  '--',
  '-',
  '',
  '--no-input',
];
const unknown = ['--client-key', '--help', '-x', '--no-such', '3', '--version'];
const lines = {
  get: {
    define: defineGet,
    words: [
      'global/a',
      'hush://work/global/a',
      '--reveal',
      '--wait',
      '--output',
      'file',
      '--clip',
      '--rev',
      '--reveal=1',
    ],
  },
  run: {
    define: defineRun,
    words: [
      'cmd',
      '--',
      '--',
      '--scope',
      'ws:1',
      '--no-masking',
      '--watch',
      '--only',
      'a',
      '--interval',
      '--prefix',
      'X',
    ],
  },
};

describe('a plain command line', () => {
  for (const [name, { define, words }] of Object.entries(lines)) {
    test(`of hush ${name} does the same without the parser as with it, whatever the words`, async () => {
      let plain = 0;
      const line = fc.array(fc.constantFrom(...words, ...words, ...both, ...unknown), { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(line, async (typed) => {
          const quick: Seen[] = [];
          const act = plainAction(like(define, quick), typed);
          if (act === undefined) return;
          plain++;
          await act();
          const parsed: Seen[] = [];
          await parse({ name, summary: '', define: like(define, parsed) }, typed);
          const [first, options] = parsed[0] ?? [];
          const { input, ...given } = options ?? {};
          assert.equal(input, true);
          assert.deepEqual(quick, [[first, given]]);
        }),
        { numRuns: 3_000 },
      );
      assert.ok(plain > 20);
    });
  }

  test('is what people and programs type most', () => {
    const isPlain = (line: string): boolean => {
      const [name = '', ...typed] = line.split(' ');
      return plainAction(like(name === 'run' ? defineRun : defineGet, []), typed) !== undefined;
    };
    const plain = [
      'get global/a --reveal',
      'get global/a',
      'get -p work global/a --reveal --json',
      'get hush://work/global/a --reveal',
      'run -- npm start',
      'run -p work --scope ws:1 --no-masking -- sh -c -- echo',
    ];
    assert.deepEqual(plain.filter(isPlain), plain);
    const others = [
      'get',
      'get --reveal',
      'get global/a global/b',
      'get global/a --version 3',
      'get global/a --no-such',
      'get -- global/a',
      'get -p',
      'run',
      'run --',
      'run npm start',
      'run --only a -- npm start',
    ];
    assert.deepEqual(others.filter(isPlain), []);
  });

  test('is read so for commands alone that say that they are quick', () => {
    const quick = Object.entries(commands).filter(([, { isQuick }]) => isQuick);
    assert.deepEqual(
      quick.map(([name]) => name),
      Object.keys(lines),
    );
  });
});
