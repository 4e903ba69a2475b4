import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fromProcess } from '@aws-sdk/credential-provider-process';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { Ended, Shell } from '../cli/hush.ts';
import { assertShown, commandsIn, pageOf } from '../cli/shown.ts';
import { openUnlocked } from '../cli/unlocked.ts';
import { passphrase } from '../support/daemon.ts';
import { openWithHelpers } from './doors/helpers.ts';
import { noNamespaces, openRoom, runAlone, runInside } from './recipes/room.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block of the page. */
interface Block {
  readonly section: string;
  /** What the line above it says of how it is run, or why it is not. */
  readonly mark: string;
  readonly kind: string;
  readonly text: string;
  /** The file that the block is, by its first line. */
  readonly file: string | undefined;
}

const page = pageOf('docs/recipes.md');

const blocks: readonly Block[] = page
  .split(/^## /m)
  .slice(1)
  .flatMap((part) => {
    const [section = ''] = part.split('\n');
    return [...part.matchAll(/(?:^_([^\n]+)_\n)?^```(\w+)\n(.*?)^```$/gms)].map(
      ([, mark = '', kind = '', text = '']) => ({
        section,
        mark,
        kind,
        text,
        file: /^(?:#|\/\/) (\S+)\n/.exec(text)?.[1],
      }),
    );
  });

const isRun = ({ mark }: Block): boolean => !mark.startsWith('Not run here');
const isInNamespaces = ({ mark }: Block): boolean => mark.startsWith('Run here in namespaces');

/** The only block of the page for which that holds. */
function theBlock(holds: (block: Block) => boolean): Block {
  const [found, ...more] = blocks.filter(holds);
  assert.ok(found !== undefined && more.length === 0);
  return found;
}

const workflow = z.object({
  jobs: z.object({
    test: z.object({
      steps: z.array(
        z.object({
          uses: z.string().optional(),
          run: z.string().optional(),
          env: z.record(z.string(), z.string()).default({}),
        }),
      ),
    }),
  }),
});

const undo: (() => unknown)[] = [];
// Of a test's context the helpers use this alone; all tests of this file share one home and one daemon.
const afterwards = { after: (step: () => unknown) => undo.push(step) } as unknown as TestContext;

describe('docs/recipes.md', () => {
  let shell: Shell;
  const at = (...path: string[]): string => join(shell.home, ...path);
  const put = (file: string, text: string): void => {
    mkdirSync(dirname(at(file)), { recursive: true, mode: 0o700 });
    writeFileSync(at(file), text, { mode: 0o600 });
  };
  const putScript = (file: string, text: string): void => {
    writeFileSync(at('bin', file), `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  };

  before(async () => {
    shell = openWithHelpers(afterwards);
    for (const name of ['hush', 'age-plugin-hush']) {
      putScript(name, `exec '${process.execPath}' '${root}bin/${name}.js' "$@"`);
    }
    putScript('node', `exec '${process.execPath}' "$@"`);
    putScript('nightly-dump', 'echo "dumping $DB_URL"');
    installPackages();
    const files = blocks.filter((block) => isRun(block) && block.file !== undefined);
    for (const file of new Set(files.map((block) => block.file ?? ''))) {
      const parts = files.flatMap((block) => (block.file === file ? [block.text] : []));
      const own = file === 'config.toml' ? [readFileSync(at(file), 'utf8')] : [];
      put(file.replace(/^~\//, ''), [...own, ...parts].join('\n'));
    }
    await openUnlocked(afterwards, shell);
  });
  after(() => {
    for (const step of undo.reverse()) step();
  });

  /** What `npm install hushd @objectstack/…` gives a program in the home. */
  function installPackages(): void {
    const own = at('node_modules', 'hushd');
    mkdirSync(own, { recursive: true });
    put('package.json', '{"type":"module"}');
    // The sources are what `npm run build` makes the package of; test/e2e/package-exports.test.ts looks at that.
    writeFileSync(join(own, 'package.json'), '{"type":"module","exports":"./client/index.ts"}');
    symlinkSync(join(root, 'client'), join(own, 'client'));
    symlinkSync(join(root, 'node_modules', '@objectstack'), at('node_modules', '@objectstack'));
  }

  /** Runs the commands of the `console` blocks of a section that need nothing but the home. */
  async function runConsoles(section: string): Promise<void> {
    const mine = blocks.filter((block) => block.section === section && block.kind === 'console');
    assert.ok(mine.length > 0);
    for (const block of mine) {
      if (isInNamespaces(block)) continue;
      for (const shown of commandsIn(`\`\`\`console\n${block.text}\`\`\`\n`)) {
        assertShown(await shell.runScript(shown.line), shown);
      }
    }
  }

  test('has a recipe for each place, and every block is run or says why not', () => {
    assert.deepEqual(
      [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading),
      ['The platform', 'CI', 'cron', 'A container', 'git', 'docker', 'AWS', 'systemd', 'age', 'ssh'],
    );
    assert.equal(blocks.length, [...page.matchAll(/^```\w+$/gm)].length);
    for (const block of blocks) {
      const { kind, mark, file } = block;
      const how = isRun(block) ? (file ?? kind) : 'not run';
      const known = [
        'console',
        'text',
        'config.toml',
        'platform.js',
        'deploy/expected.toml',
        '~/.aws/config',
      ];
      // crontab and workflow are no files of a home, and are read here.
      const read = ['.github/workflows/test.yml', 'crontab'];
      assert.ok(
        [...known, ...read].includes(how) || /^Not run here(?: as it stands)?: \w.+\.$/.test(mark),
        `${how}: ${block.text}`,
      );
    }
  });

  test('The platform: a program of ObjectStack keeps and reads a sealed setting', async () => {
    await runConsoles('The platform');
  });

  describe('CI', () => {
    test('by hand, and on a runner of its own', async () => {
      await runConsoles('CI');
    });

    test('the job on a runner that is thrown away', async () => {
      const runner = join(shell.home, 'runner');
      const checkout = join(runner, 'checkout');
      mkdirSync(join(checkout, 'deploy'), { recursive: true, mode: 0o700 });
      mkdirSync(join(checkout, '.github', 'workflows'), { recursive: true });
      const { text } = theBlock(({ kind }) => kind === 'yaml');
      writeFileSync(join(checkout, '.github', 'workflows', 'test.yml'), text);
      copyFileSync(at('ci.hushd'), join(checkout, 'ci.hushd'));
      copyFileSync(at('deploy', 'expected.toml'), join(checkout, 'deploy', 'expected.toml'));
      copyFileSync(at('config.toml'), join(checkout, 'deploy', 'config.toml'));
      const key = readFileSync(at('ci.key'), 'utf8').trim();
      const { steps } = workflow.parse(parseYaml(text)).jobs.test;
      const lines = steps.flatMap(({ run, env }) => (run === undefined ? [] : [{ run, env }]));
      const onRunner = (run: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> => {
        const given = Object.entries(env).map(
          ([name, value]) => `${name}='${value.replace('${{ secrets.HUSH_MASTER_KEY }}', key)}'`,
        );
        const script = run.replaceAll("'", `'\\''`);
        return shell.runScript(
          `cd '${checkout}' && env -u HUSH_HOME HOME='${runner}' ${given.join(' ')} bash -e -c '${script}'`,
        );
      };
      try {
        const said: string[] = [];
        for (const { run, env } of lines) {
          if (run.startsWith('npm install')) continue;
          const { code, stdout, stderr } = await onRunner(run, env);
          assert.equal(code, 0, `${run}: ${stderr}${stdout}`);
          said.push(stdout);
        }
        assert.deepEqual(said.slice(0, 2), ['', '2 decisions, all as expected\n']);
        assert.deepEqual(said.slice(3), ['published with [hush:registry-token]\n', 'hushd has stopped\n']);
        const { runs } = z
          .object({ runs: z.array(z.object({ results: z.array(z.unknown()) })) })
          .parse(JSON.parse(readFileSync(join(checkout, 'hush.sarif'), 'utf8')));
        assert.deepEqual(runs, [{ results: [] }]);
      } finally {
        await onRunner('hush stop');
      }
    });

    test('the job ends where a secret lies in a file', async () => {
      writeFileSync(at('leak.env'), 'API_TOKEN=tok_123456789012345\n', { mode: 0o600 });
      const { code } = await shell.runScript('hush scan --strict --sarif leak.env > leak.sarif');
      rmSync(at('leak.env'));
      assert.equal(code, 1);
    });
  });

  test('cron: the line runs as cron runs it, and says by mail when the profile is locked', async () => {
    const crontab = theBlock(({ kind }) => kind === 'crontab').text;
    const given = new Map(
      [...crontab.matchAll(/^([A-Z_]+)=(.+)$/gm)].map(([, name, value]) => [name, value]),
    );
    assert.deepEqual([...given.keys()], ['MAILTO', 'PATH', 'HUSH_SOCKET']);
    const [, command = ''] = /^(?:\S+ ){5}(.+)$/m.exec(crontab.replace(/^(?:#|\w+=).*$/gm, '')) ?? [];
    const path = `${at('bin')}:${given.get('PATH') ?? ''}`;
    const asCron = (): Promise<Ended> =>
      shell.runScript(
        `env -i HOME="$HOME" LOGNAME=me SHELL=/bin/sh MAILTO=me PATH='${path}' HUSH_SOCKET='${at('hushd.sock')}' /bin/sh -c '${command}'`,
      );
    assert.deepEqual(await asCron(), { code: 0, stdout: 'dumping [hush:db-url]\n', stderr: '' });
    await shell.run('hush lock');
    const mailed = theBlock(({ section, kind }) => section === 'cron' && kind === 'text').text;
    assert.deepEqual(await asCron(), { code: 4, stdout: '', stderr: mailed });
    await shell.run('hush unlock --passphrase-stdin', { input: passphrase });
  });

  describe('A container', () => {
    const [client, daemon] = blocks.filter(isInNamespaces);
    const skip = noNamespaces();

    test('what is done outside', async () => {
      await runConsoles('A container');
    });

    test('a program in it has the socket, a key and its own secrets', { skip }, async (t) => {
      assert.ok(client !== undefined);
      const room = openRoom(t);
      const run = theBlock(
        ({ section, text }) => section === 'A container' && text.includes('source="$PWD"/shop.key'),
      );
      const env = [...run.text.matchAll(/-e (\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]);
      const mounts = [...run.text.matchAll(/source=\S*\/([\w.]+),target=(\/run\/[\w./]+)/g)].map(
        ([, name = '', target = '']) => ({ source: at(name), target }),
      );
      assert.deepEqual([env.length, mounts.length], [2, 2]);
      const shown = commandsIn(`\`\`\`console\n${client.text}\`\`\`\n`);
      const ended = await runInside(room, {
        mounts,
        hidden: [shell.home],
        env: Object.fromEntries(env) as Record<string, string>,
        lines: shown.map(({ line }) => line),
      });
      for (const [index, one] of shown.entries()) assertShown(endedAt(ended, index), one);
    });

    test('a daemon in it makes up no key, and opens with the one that it was given', { skip }, async (t) => {
      assert.ok(daemon !== undefined);
      const shown = commandsIn(`\`\`\`console\n${daemon.text}\`\`\`\n`);
      const ended = await runAlone(
        openRoom(t),
        shown.map(({ line }) => line),
      );
      for (const [index, one] of shown.entries()) assertShown(endedAt(ended, index), one);
    });
  });

  for (const section of ['git', 'docker', 'AWS', 'systemd', 'age', 'ssh']) {
    test(section, async () => {
      await runConsoles(section);
    });
  }

  test('AWS: the SDK takes its credentials from the config', async () => {
    const config = at('.aws', 'config');
    // The SDK runs it with the environment of this test, which knows no home.
    const door = `credential_process = env HUSH_HOME=${shell.home} ${at('bin', 'hush')} `;
    writeFileSync(config, readFileSync(config, 'utf8').replace('credential_process = hush ', door));
    const provider = fromProcess({ profile: 'deploy', configFilepath: config, filepath: at('.aws', 'none') });
    const { accessKeyId, secretAccessKey } = await provider();
    assert.deepEqual(
      { accessKeyId, secretAccessKey },
      { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 's3cret' },
    );
  });
});

function endedAt(all: readonly Ended[], index: number): Ended {
  const ended = all[index];
  assert.ok(ended !== undefined, `command ${index} was not run`);
  return ended;
}
