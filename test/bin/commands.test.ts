import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/', import.meta.url));

/** Runs Node as if it were of another version: the real process, with the version that it tells replaced. */
function runAs(version: string, file: string) {
  const versions = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return run(['--import', `data:text/javascript,${encodeURIComponent(versions)}`, file]);
}

function run(args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('the commands', () => {
  let folder: string;
  const place = (path: string, program: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), program);
  };
  const command = (name: string): string => join(folder, 'bin', `${name}.js`);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hushd-bin-'));
    cpSync(bin, join(folder, 'bin'), { recursive: true });
    place('package.json', '{"type":"module"}');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  for (const [name, part] of [
    ['hush', 'cli'],
    ['hushd', 'daemon'],
  ] as const) {
    test(`${name} on an older Node says so in one line, before it loads anything`, () => {
      place(`${part}/main.ts`, 'console.log("loaded");');
      for (const version of ['20.20.2', '22.14.0', '21.7.3', '18.0.0']) {
        assert.deepEqual(runAs(version, command(name)), {
          status: 1,
          stdout: '',
          stderr:
            `${name}: error: Node 22.15 or later is needed, this is ${version} ` +
            '(npm install -g node@24, or use the one in node_modules/.bin)\n',
        });
      }
    });

    test(`${name} runs from 22.15 on`, () => {
      place(`${part}/main.ts`, 'console.log("loaded");');
      for (const version of ['22.15.0', '22.22.1', '24.0.0', '30.1.0']) {
        assert.deepEqual(runAs(version, command(name)), { status: 0, stdout: 'loaded\n', stderr: '' });
      }
    });

    test(`${name} runs the sources of a checkout, and what was built where there are none`, () => {
      place(`dist/${part}/main.js`, 'console.log("built");');
      assert.equal(run([command(name)]).stdout, 'built\n');
      place(`${part}/main.ts`, 'const text: string = "source"; console.log(text);');
      assert.equal(run([command(name)]).stdout, 'source\n');
      assert.equal(run(['--no-strip-types', command(name)]).stdout, 'built\n');
    });

    test(`${name} is a program that Node is found for`, () => {
      const [first = ''] = readFileSync(command(name), 'utf8').split('\n', 1);
      assert.match(first, /^#!\/usr\/bin\/env (?:-S node --|node)$/);
    });
  }

  test('hush is given its options by Node, which would act on --env-file itself: on NODE_OPTIONS in such a file', () => {
    place('cli/main.ts', 'console.log(JSON.stringify([process.argv.slice(2), process.env.A]));');
    place('evil.cjs', 'console.log("loaded");');
    place('evil.env', `NODE_OPTIONS=--require ${join(folder, 'evil.cjs')}\nA=1\n`);
    const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
    for (const file of [join(folder, 'evil.env'), 'absent']) {
      const words = ['run', '--env-file', file, '--json'];
      const { stdout } = spawnSync(command('hush'), words, { encoding: 'utf8', env });
      assert.equal(stdout, `${JSON.stringify([words, null])}\n`);
    }
  });

  test('hushd becomes the serving process from its own file, with its arguments', () => {
    const bootstrap = new URL('../../daemon/bootstrap.ts', import.meta.url).href;
    place(
      'daemon/main.ts',
      `import { bootstrap } from ${JSON.stringify(bootstrap)};
       if (await bootstrap()) console.log(JSON.stringify(process.argv.slice(1)));`,
    );
    const { stdout, stderr } = run([command('hushd'), '--key-file', 'x']);
    assert.deepEqual(JSON.parse(stdout), [command('hushd'), '--key-file', 'x']);
    assert.ok(!stderr.includes('ExperimentalWarning'));
  });
});
