import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { createWatch } from '../../cli/environment/watch.ts';
import { connect, type HushClient } from '../../client/index.ts';
import { parseReference } from '../../protocol/names.ts';
import { openShell, type Shell } from './hush.ts';
import { assertShown, commandsIn, pageOf, sectionOf } from './shown.ts';
import { openUnlocked } from './unlocked.ts';
import { programPath } from '../support/programs.ts';

const program = programPath('hush');
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** What `env -0` has printed. */
const variablesIn = (printed: string | Buffer): Map<string, string> =>
  new Map(
    printed
      .toString()
      .split('\0')
      .filter((line) => line !== '')
      .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

describe('hush run', () => {
  let shell: Shell;
  let client: HushClient;
  const undo: (() => unknown)[] = [];
  const path = (name: string): string => join(shell.home, name);
  const script = (name: string, text: string): string => {
    writeFileSync(path(name), text, { mode: 0o700 });
    return path(name);
  };

  before(async () => {
    // The daemon lives for all tests of the file.
    const life = { after: (act: () => unknown) => void undo.unshift(act) } as unknown as TestContext;
    shell = await openUnlocked(life, openShell(life));
    client = await connect({ socket: path('hushd.sock') });
    for (const [name, value] of Object.entries({
      'global/db.url': 'postgres://app:pässword@db/x',
      'global/api.key': 'k3y-s3cret-value',
      'global/pem': '-----BEGIN X-----\nabcdefgh\n-----END X-----\n',
      'ws:42/token': 'workspace-token',
    }))
      await client.set(name, utf8(value));
  });
  after(async () => {
    client.close();
    for (const act of undo) await act();
  });

  test('every secret of the scope becomes a variable; references in env files and in the environment are replaced', async () => {
    writeFileSync(
      path('.env'),
      "export URL='x://{{ hush://default/ws:42/token }}@h' # c\r\nMODE=test\nDB_URL=hush://default/global/db.url\n",
    );
    writeFileSync(path('.env.local'), 'MODE=local\nNODE_ENV=test\n');
    const given = {
      env: {
        INHERITED: 'hush://default/global/api.key',
        ESCAPED: '\\hush://x',
        HUSH_MASTER_KEY: 'a'.repeat(64),
        EMPTY: '',
        MULTI: 'a\nb',
      },
    };
    const line = `hush run --no-masking --env-file ${path('.env')} ${path('.env.local')} -- env -0`;
    const { code, stdout, stderr } = await shell.run(line, given);
    assert.deepEqual([code, stderr], [0, '']);
    const child = variablesIn(stdout);
    assert.deepEqual(
      ['API_KEY', 'DB_URL', 'PEM', 'URL', 'MODE', 'NODE_ENV', 'INHERITED', 'ESCAPED', 'EMPTY', 'MULTI'].map(
        (name) => child.get(name),
      ),
      [
        'k3y-s3cret-value',
        'postgres://app:pässword@db/x',
        '-----BEGIN X-----\nabcdefgh\n-----END X-----\n',
        'x://workspace-token@h',
        'local',
        'test',
        'k3y-s3cret-value',
        'hush://x',
        '',
        'a\nb',
      ],
    );
    assert.equal(child.get('HOME'), shell.home);
    assert.equal(child.get('HUSH_HOME'), shell.home);
    assert.equal(child.has('HUSH_MASTER_KEY'), false);
  });

  test('--only, --map, --prefix and --scope choose and name them, and --pristine leaves little else', async () => {
    mkdirSync(path('credentials'));
    writeFileSync(path('credentials/hushd-master-key'), 'x');
    const env = { CREDENTIALS_DIRECTORY: path('credentials'), OTHER: '1', HUSH_CLIENT_KEY_FILE: '' };
    const chosen =
      'hush run --only api.* nothing* --map pem=Cert pem=CERT --prefix app_ --no-masking -- env -0';
    const first = await shell.run(chosen, { env });
    assert.deepEqual([first.code, first.stderr], [0, 'hush: note: no secret matches nothing*\n']);
    const child = variablesIn(first.stdout);
    assert.equal(child.get('app_API_KEY'), 'k3y-s3cret-value');
    assert.equal(child.get('Cert'), child.get('CERT'));
    for (const name of ['DB_URL', 'PEM', 'app_PEM', 'CREDENTIALS_DIRECTORY', 'HUSH_CLIENT_KEY_FILE'])
      assert.equal(child.has(name), false, name);
    assert.equal(child.get('OTHER'), '1');

    const pristine = await shell.run('hush run --pristine --scope ws:42 --no-masking -- env -0', { env });
    assert.deepEqual([...variablesIn(pristine.stdout).keys()].sort(), ['HOME', 'PATH', 'TERM', 'TOKEN']);
  });

  test('values are masked in both outputs of the child, and its exit code is ours', async () => {
    await client.set('global/pin', utf8('123'));
    const show = script(
      'show.sh',
      `printf '%s|' "$API_KEY" "$PIN"; printf k3y-s3; printf '%s\\n' cret-value\nprintf '%s' "$PEM" "$DB_URL" >/dev/stderr; exit 7\n`,
    );
    assert.deepEqual(await shell.run(`hush run -- sh ${show}`), {
      code: 7,
      stdout: '[hush:api.key]|123|[hush:api.key]\n',
      stderr:
        'hush: note: not masked in the output, for they are shorter than 4 bytes: pin\n[hush:pem][hush:db.url]',
    });
    await client.delete('global/pin');
  });

  test('a child that cannot be run is 126 or 127, one that a signal ends is 128 and its number', async () => {
    writeFileSync(path('plain'), 'x', { mode: 0o600 });
    assert.deepEqual(await shell.run('hush run -- no-such-program'), {
      code: 127,
      stdout: '',
      stderr:
        'hush: error: cannot run no-such-program: there is no such program\n' +
        'hush: hint: name a program of PATH, or its path\n',
    });
    const refused = await shell.run(`hush run --no-masking -- ${path('plain')}`);
    assert.deepEqual(
      [refused.code, refused.stderr],
      [
        126,
        `hush: error: cannot run ${path('plain')}: it may not be run\nhush: hint: ls -ld ${path('plain')}\n`,
      ],
    );
    assert.equal((await shell.run(`hush run -- sh ${script('die.sh', 'kill -KILL $$')}`)).code, 137);
    const inside = await shell.run(`hush run -- ${path('plain')}/x`);
    assert.deepEqual(
      [inside.code, inside.stderr],
      [
        126,
        `hush: error: cannot run ${path('plain')}/x: its path leads through a file that is no folder\n` +
          `hush: hint: ls -ld ${path('plain')}/x\n`,
      ],
    );
    writeFileSync(
      path('large.env'),
      Array.from({ length: 20 }, (_, index) => `V${index}=${'x'.repeat(120_000)}\n`).join(''),
    );
    const large = await shell.run(`hush run --references-only --env-file ${path('large.env')} -- true`);
    assert.deepEqual(
      [large.code, large.stderr],
      [
        126,
        'hush: error: cannot run true: its arguments and variables are together larger than the system allows\n' +
          'hush: hint: choose fewer variables with --only, or give some as a file: hush inject\n',
      ],
    );
    const nameless = await shell.runScript("hush run -- ''");
    assert.deepEqual(
      [nameless.code, nameless.stderr],
      [
        127,
        'hush: error: cannot run : there is no such program\nhush: hint: name a program of PATH, or its path\n',
      ],
    );
    const quoted = await shell.runScript("hush run -- 'echo a b'");
    assert.match(quoted.stderr, /hush: hint: hush run -- sh -c 'echo a b'\n$/);
  });

  test('what cannot be a variable is told at once, all of it, and nothing starts', async () => {
    for (const [name, value] of Object.entries({
      'global/path': utf8('/tmp'),
      'global/api-key': utf8('other'),
      'global/nul': utf8('a\0b'),
      'global/latin1': new Uint8Array([0x66, 0xfc, 0x72]),
      'global/large': new Uint8Array(65_536).fill(0x61),
    }))
      await client.set(name, value);
    writeFileSync(
      path('bad.env'),
      'A=hush://default/global/absent\nB="open\nBASH_ENV=x\nC=hush://nowhere\nBIG={{hush://default/global/large}}{{hush://default/global/large}}\n',
    );
    const line = `hush run --env-file ${path('bad.env')} -- touch ${path('started')}`;
    const { code, stdout, stderr } = await shell.run(line);
    const file = path('bad.env');
    assert.deepEqual([code, stdout], [6, '']);
    assert.deepEqual(
      stderr.split('\n').filter((text) => text.startsWith('hush: error:')),
      [
        `hush: error: A of ${file}, line 1 (hush://default/global/absent): there is no such secret`,
        'hush: error: PATH (global/path): a variable of that name changes which programs or code are run',
        `hush: error: BASH_ENV of ${file}, line 3: a variable of that name changes which programs or code are run`,
        'hush: error: API_KEY would be set twice: by API_KEY (global/api-key), and by API_KEY (global/api.key)',
        `hush: error: C of ${file}, line 4: a reference is malformed: that is not a reference`,
        `hush: error: BIG of ${file}, line 5: a variable holds at most 131072 bytes with its name`,
        `hush: error: ${file}, line 2: the value of B has no closing "`,
        'hush: error: LATIN1 (global/latin1): it is not valid UTF-8',
        'hush: error: NUL (global/nul): it holds a NUL byte, which no variable can',
        'hush: error: the command was not started',
      ],
    );
    assert.match(stderr, /^hush: hint: give it another name: --map path=ENV$/m);
    assert.equal(existsSync(path('started')), false);

    const json = await shell.run(`hush run --json --only absent --map path=Path -- touch ${path('started')}`);
    assert.equal(json.code, 6);
    const { error } = JSON.parse(json.stderr) as { error: { code: string; problems: { code: string }[] } };
    assert.deepEqual(
      [error.code, error.problems.map(({ code }) => code)],
      ['NOT_FOUND', ['NOT_FOUND', 'FORBIDDEN_ENV']],
    );
    assert.equal(existsSync(path('started')), false);
    for (const name of ['path', 'api-key', 'nul', 'latin1', 'large']) await client.delete(`global/${name}`);
  });

  test('an env file may be a pipe, and has an end', async () => {
    const piped = await shell.runScript(
      `echo 'KEY=hush://default/global/api.key' | hush run --references-only --no-masking --env-file /dev/stdin -- printenv KEY`,
    );
    assert.deepEqual(piped, { code: 0, stdout: 'k3y-s3cret-value\n', stderr: '' });
    const endless = await shell.run('hush run --references-only --env-file /dev/zero -- true');
    assert.deepEqual(
      [endless.code, endless.stderr],
      [
        2,
        'hush: error: the env file /dev/zero has more than 4194304 bytes\nhush: hint: name a smaller one\n',
      ],
    );
  });

  test('a line that means nothing is a usage error', async () => {
    for (const line of [
      'hush run',
      'hush run --map a -- true',
      'hush run --scope other -- true',
      'hush run --only a/b -- true',
    ])
      assert.equal((await shell.run(line)).code, 2, line);
    const scope = await shell.run('hush run --scope other -- true');
    assert.match(scope.stderr, /^hush: error: that is not a scope\nhush: hint: a scope is global/);
    const list = await shell.run('hush run --only db,key -- true');
    assert.match(list.stderr, /^hush: error: no name has a blank or a comma: db,key\nhush: hint: /);
  });

  test('a scope without a secret is told of, for it may be mistyped', async () => {
    const stderr = 'hush: note: there is no secret in ws:none: the command gets none\n';
    assert.deepEqual(await shell.run('hush run --scope ws:none -- true'), { code: 0, stdout: '', stderr });
    assert.equal((await shell.run('hush run --references-only -- true')).stderr, '');
  });

  /** Starts `hush run` and gives its output as it comes; ended after the test in any case. */
  const start = (t: TestContext, args: readonly string[]) => {
    const child = spawn(process.execPath, ['--', program, 'run', ...args], {
      env: { PATH: process.env['PATH'], HUSH_HOME: shell.home, HOME: shell.home },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    t.after(() => child.kill('SIGKILL'));
    let text = '';
    const waiting = new Set<() => void>();
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const look of waiting) look();
    });
    const shows = (wanted: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!text.includes(wanted)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    return { child, shows, text: () => text };
  };

  test('signals reach the child, and one that it ignores ends neither of us', async (t) => {
    const file = script(
      'signals.sh',
      `for s in INT HUP QUIT USR1 WINCH TERM; do trap "echo got $s" $s; done\ntrap 'echo bye; exit 5' USR2\necho ready\nwhile :; do read -r line || sleep 0.05; done\n`,
    );
    const { child, shows, text } = start(t, ['--only', 'api.key', '--', 'sh', file]);
    await shows('ready');
    for (const name of ['INT', 'HUP', 'QUIT', 'USR1', 'WINCH', 'TERM'] as const) {
      child.kill(`SIG${name}`);
      await shows(`got ${name}\n`);
    }
    assert.equal(child.exitCode, null);
    child.kill('SIGUSR2');
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 5);
    assert.match(text(), /bye\n$/);
  });

  test('once the child has ended signals are ours again: what it left behind with its output keeps nobody', async (t) => {
    const file = script('leaves.sh', `sleep 60 & echo "left $!"; exit 3\n`);
    const { child, shows, text } = start(t, ['--only', 'api.key', '--', 'sh', file]);
    await shows('left');
    const [, left = ''] = /left (\d+)/.exec(text()) ?? [];
    t.after(() => process.kill(Number(left)));
    const ended = once(child, 'exit');
    // A signal that comes before the child has ended is passed on to it, and lost.
    const again = setInterval(() => child.kill('SIGTERM'), 50);
    const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    clearInterval(again);
    assert.equal(signal, 'SIGTERM');
  });

  test('Ctrl-C at a terminal reaches the child once', async () => {
    const file = script(
      'count.py',
      'import signal, sys\ncount = 0\ndef got(*_):\n    global count\n    count += 1\n    print("interrupted", flush=True)\n' +
        'signal.signal(signal.SIGINT, got)\nprint("ready", flush=True)\nsys.stdin.readline()\nprint("in all", count, flush=True)\n',
    );
    const { code, screen } = await shell.type(`hush run --only api.key -- python3 ${file}`, [
      { wait: 'ready', send: '\u0003' },
      { wait: 'interrupted', send: 'x\r' },
    ]);
    assert.equal(code, 0);
    assert.match(screen, /in all 1\r?\n/);
  });

  test('Ctrl-Z stops the job for a shell that can go on with it, and nothing where there is none', async () => {
    const file = script('waits.sh', `echo ready; read -r line; echo "got $line"\n`);
    const alone = await shell.type(`hush run --only api.key -- sh ${file}`, [
      { wait: 'ready', send: '\u001a' },
      { wait: '^Z', send: 'x\r' },
    ]);
    assert.equal(alone.code, 0, alone.screen);
    assert.match(alone.screen, /got x/);

    const line = `'${process.execPath}' -- '${program}' run --only api.key -- sh ${file}`;
    const job = await shell.type('hush run --no-masking --only api.key -- bash --norc --noediting -i', [
      { wait: 'bash-', send: `${line}\r` },
      { wait: 'ready', send: '\u001a' },
      { wait: 'Stopped', send: 'fg\r' },
      { wait: 'waits.sh', send: 'y\r' },
      { wait: 'got y', send: 'exit\r' },
    ]);
    assert.equal(job.code, 0, job.screen);
  });

  test('a reader that goes away ends the child, and nothing is said', async () => {
    for (let times = 0; times < 3; times += 1) {
      const { code, stdout, stderr } = await shell.runScript(
        'hush run --only api.key -- yes "$HOME" | head -n 1',
      );
      assert.deepEqual([code, stdout, stderr], [0, `${shell.home}\n`, '']);
    }
    const full = await shell.runScript('hush run --only api.key -- yes >/dev/full');
    assert.deepEqual(
      [full.code, full.stderr],
      [141, 'hush: error: cannot write the output of the command: ENOSPC\n'],
    );
  });

  test('--watch starts the child again with the new value', async (t) => {
    const file = script('watched.sh', `echo "pid $$ has \${#TURN}"; exec cat\n`);
    await client.set('global/turn', utf8('one'));
    const { child, shows, text } = start(t, [
      '--watch',
      '--interval',
      '1',
      '--only',
      'turn',
      '--no-masking',
      '--',
      'sh',
      file,
    ]);
    await shows('has 3\n');
    await client.set('global/turn', utf8('second'));
    await shows('has 6\n');
    const pids = [...text().matchAll(/pid (\d+)/g)].map(([, pid]) => pid);
    assert.equal(new Set(pids).size, 2);
    assert.equal(existsSync(`/proc/${pids[0] ?? ''}`), false);
    child.stdin.end();
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
  });

  test('--watch starts nothing again that somebody ends, and tells of a change until it is taken up', async (t) => {
    const file = script(
      'stubborn.sh',
      `trap 'echo asked' TERM; trap 'exit 7' INT; echo "has \${#TURN}"; while :; do read -r line || sleep 0.05; done\n`,
    );
    const { version } = await client.set('global/turn', utf8('first'));
    const options = ['--watch', '--interval', '1', '--only', 'turn', '--no-masking'];
    const { child, shows, text } = start(t, [...options, '--', 'sh', file]);
    await shows('has 5\n');
    await client.set('global/turn', utf8('second'));
    await shows('asked\n');
    child.kill('SIGINT');
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 7);
    assert.equal(text(), 'has 5\nasked\n');

    const target = parseReference('hush://default/global/turn');
    const watch = createWatch([{ reference: '', target, version, value: utf8('') }], undefined);
    assert.deepEqual([await watch.changed(client), await watch.changed(client)], [true, true]);
    await client.delete('global/turn');
    assert.deepEqual([await watch.changed(client), await watch.changed(client)], [true, true]);
  });

  test('every command of "Into programs" does what the page shows', async () => {
    for await (const { path: one } of client.list()) await client.delete(one);
    for (const shown of commandsIn(sectionOf(pageOf('docs/operations.md'), 'Into programs')))
      assertShown(await shell.runScript(shown.line), shown);
  });

  test('no value is in the audit of all that', () => {
    const log = readFileSync(path('audit/profiles/default/0000000001.jsonl'), 'utf8');
    assert.match(log, /global\/api\.key/);
    assert.doesNotMatch(log, /k3y-s3cret-value|tok_123456789/);
  });
});
