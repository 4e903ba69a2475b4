import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { bootstrapped, fixedFlags } from '../../daemon/bootstrap.ts';
import type { ServingFacts } from './serving-facts.ts';

const main = fileURLToPath(new URL('serving-main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'hushd-bootstrap-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of the first Node. */
  readonly flags?: readonly string[];
  readonly args?: readonly string[];
  /** Shell commands to run in the process before it becomes Node. */
  readonly shell?: string;
  /** What the process has as descriptor 3. */
  readonly third?: number;
}

/** The program to start and its arguments; a shell only where one is asked for, as it drops odd variables. */
function commandOf({ flags = [], args = [], shell }: StartOptions): [string, string[]] {
  const line = [process.execPath, ...flags, main, ...args];
  return shell === undefined
    ? [process.execPath, line.slice(1)]
    : ['sh', ['-c', `${shell}; exec "$@"`, 'sh', ...line]];
}

const environmentOf = ({ env = {} }: StartOptions) => ({ PATH: process.env['PATH'], ...env });

/** A serving process, from its first line on. */
async function start(options: StartOptions = {}) {
  const stdio: StdioOptions = [
    'pipe',
    'pipe',
    'pipe',
    ...(options.third === undefined ? [] : [options.third]),
  ];
  const child = spawn(...commandOf(options), { env: environmentOf(options), cwd: folder, stdio });
  children.push(child);
  const { stdin, stdout, stderr } = child;
  assert.ok(stdin && stdout && stderr);
  const errors = text(stderr);
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value } = await lines.next();
    if (typeof value === 'string') return value;
    throw new Error(`the process ended: ${await errors}`);
  };
  const line = await nextLine();
  // The line is made by serving-facts.ts.
  const facts = JSON.parse(line) as ServingFacts;
  return {
    facts,
    ask: () => {
      stdin.write('\n');
      return nextLine();
    },
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    exit: once(child, 'exit'),
    /** Ends the process; gives what it wrote to standard error. */
    stop: async () => {
      stdin.end();
      await once(child, 'close');
      return errors;
    },
  };
}

/** A process that is expected to refuse. */
function refusal(options: StartOptions) {
  const { status, stdout, stderr } = spawnSync(...commandOf(options), {
    env: environmentOf(options),
    encoding: 'utf8',
  });
  // What ends a start before it listens is told on standard output as well, for whoever started it.
  assert.match(stdout, /^\{"event":"failed",[^\n]*\}\n$/);
  return { status, stderr };
}

describe('A15: the serving process', () => {
  test('runs with the fixed flags, the arguments it was given, and not a word on standard error', async () => {
    const serving = await start({ args: ['--one', 'two words', ''] });
    assert.deepEqual(serving.facts.execArgv, fixedFlags);
    assert.deepEqual(serving.facts.argv, ['--one', 'two words', '']);
    assert.equal(await serving.stop(), '');
  });

  test('has none of the variables that load code, and their names are told', async () => {
    const env = {
      LD_PRELOAD: '',
      NODE_OPTIONS: '--no-deprecation',
      'BASH_FUNC_x%%': '() { :; }',
      'LD_\u001b[2J': '1',
    };
    const serving = await start({ env: { ...env, KEPT: 'yes' } });
    const names = Object.keys(serving.facts.env);
    for (const name of Object.keys(env)) assert.ok(!names.includes(name), name);
    assert.equal(serving.facts.env['KEPT'], 'yes');
    const errors = await serving.stop();
    assert.match(errors, /^hushd: warning: removed from the environment: [^\n]*NODE_OPTIONS\n$/);
    assert.ok(errors.includes('LD_\\x1b[2J'));
    assert.ok(!errors.includes('--no-deprecation'));
  });

  test('does not run the code that NODE_OPTIONS makes the first Node run', async () => {
    const serving = await start({
      env: { NODE_OPTIONS: '--import=data:text/javascript,console.error(4711)' },
    });
    const errors = await serving.stop();
    assert.equal(errors.split('4711').length - 1, 1);
  });

  test('opens no debugger, whatever flags Node was given', async () => {
    const serving = await start({ flags: ['--inspect=127.0.0.1:0', '--heapsnapshot-signal=SIGUSR2'] });
    assert.equal(serving.facts.inspector, undefined);
    assert.deepEqual(serving.facts.execArgv, fixedFlags);
    await serving.stop();
  });

  test('neither ends, nor opens a debugger, nor dumps anything on SIGUSR1 and SIGUSR2', async () => {
    const serving = await start();
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      serving.signal(signal);
      assert.equal(await serving.ask(), 'undefined');
    }
    assert.equal(await serving.stop(), '');
    assert.deepEqual(readdirSync(folder), []);
  });

  test('leaves no core file, even where its user asks for one', async () => {
    const serving = await start({ shell: 'ulimit -c unlimited 2>/dev/null || true' });
    assert.match(serving.facts.limits, /^Max core file size +0 +0 /m);
    serving.signal('SIGSEGV');
    await serving.exit;
    assert.deepEqual(readdirSync(folder), []);
  });

  test('reports each measure by name', async () => {
    const serving = await start();
    const { hardening, memory } = serving.facts;
    assert.deepEqual(
      hardening.map(({ name }) => name),
      [
        'no-core-dump',
        'not-dumpable',
        'no-debugger-signal',
        'clean-environment',
        'clear-free-memory',
        'private-umask',
        'secret-memory',
      ],
    );
    for (const { name, state, detail } of hardening) {
      const expected = name === 'secret-memory' && memory !== 'memfd_secret' ? 'off' : 'on';
      assert.equal(state, expected, `${name}: ${detail}`);
      assert.equal(detail === undefined, state === 'on');
    }
    await serving.stop();
  });

  test('reports what does not hold where the bootstrap was left out', () => {
    const program = `
      import { harden } from ${JSON.stringify(new URL('../../daemon/hardening.ts', import.meta.url).href)};
      console.log(JSON.stringify(harden('sodium_malloc').filter(({ state }) => state === 'off')));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { LD_BIND_NOW: '1' },
      encoding: 'utf8',
    });
    // The line is made by the program above.
    const off = JSON.parse(stdout) as { name: string; detail: string }[];
    assert.deepEqual(
      off.map(({ name }) => name),
      ['no-debugger-signal', 'clean-environment', 'clear-free-memory', 'secret-memory'],
    );
    assert.ok(off.every(({ detail }) => detail.length > 0));
  });
});

describe('HUSH_MASTER_KEY', () => {
  const key = Buffer.alloc(32, 0xa5);
  const hash = createHash('sha256').update(key).digest('hex');

  for (const encoding of ['hex', 'base64'] as const) {
    test(`in ${encoding} reaches the serving process, and is not in its environment`, async () => {
      const encoded = key.toString(encoding);
      const serving = await start({ env: { HUSH_MASTER_KEY: encoded } });
      const { facts } = serving;
      assert.equal(facts.keyHash, hash);
      assert.ok(facts.environ.includes('PATH='));
      for (const form of [encoded, 'HUSH_MASTER_KEY', key.toString('latin1')])
        assert.ok(!facts.environ.includes(form));
      assert.ok(!JSON.stringify(facts.env).includes(encoded));
      assert.equal(facts.env['HUSHD_KEY_FD'], undefined);
      assert.equal(await serving.stop(), '');
    });
  }

  test('that is no key ends the start with exit code 2, and is not repeated', () => {
    for (const word of ['', 'secret words', key.toString('hex').slice(1), `${key.toString('hex')}\n`]) {
      const { status, stderr } = refusal({ env: { HUSH_MASTER_KEY: word } });
      assert.equal(status, 2);
      assert.match(
        stderr,
        /^hushd: error: HUSH_MASTER_KEY is not a key: .*\nhushd: hint: a key is 64 hex digits.*\n$/,
      );
      assert.ok(word === '' || !stderr.includes(word));
    }
  });

  test('absent, there is no key, also where the variable of the bootstrap is forged', async () => {
    const serving = await start({ env: { HUSHD_KEY_FD: '0' } });
    assert.equal(serving.facts.keyHash, undefined);
    await serving.stop();
  });
});

describe('the bootstrap', () => {
  test('keeps the descriptors of a socket unit open, and their variables', async () => {
    const third = openSync('/dev/null', 'r');
    const shell = 'export LISTEN_FDS=1 LISTEN_PID=$$';
    const serving = await start({ third, shell });
    assert.equal(serving.facts.third, realpathSync('/dev/null'));
    assert.equal(serving.facts.env['LISTEN_PID'], String(serving.facts.pid));
    await serving.stop();
    closeSync(third);
  });

  test('does not keep descriptors that are meant for another process', async () => {
    const third = openSync('/dev/null', 'r');
    const serving = await start({ third, env: { LISTEN_FDS: '1', LISTEN_PID: '1' } });
    assert.notEqual(serving.facts.third, realpathSync('/dev/null'));
    await serving.stop();
    closeSync(third);
  });

  test('refuses activation variables that name no descriptors', () => {
    const { status, stderr } = refusal({ shell: 'export LISTEN_FDS=many LISTEN_PID=$$' });
    assert.equal(status, 2);
    assert.match(stderr, /^hushd: error: LISTEN_FDS /);
  });

  test('is not left out by a forged mark, nor by the flags alone', async () => {
    for (const options of [{ env: { HUSHD_BOOTSTRAP: '1' } }, { flags: fixedFlags }]) {
      const serving = await start({ ...options, env: { ...options.env, LD_BIND_NOW: '1' } });
      assert.equal(serving.facts.env['LD_BIND_NOW'], undefined);
      await serving.stop();
    }
    assert.equal(bootstrapped(), false);
  });

  test('ends with one clear error where Node comes back without the flags, instead of trying for ever', () => {
    const { status, stderr } = refusal({ shell: 'export HUSHD_BOOTSTRAP=$$' });
    assert.equal(status, 1);
    assert.match(stderr, /^hushd: error: Node did not take the flags .*\nhushd: hint: .*\n$/);
  });

  test('refuses where a process cannot start itself anew', () => {
    const { status, stderr } = refusal({ flags: ['--import', 'data:text/javascript,delete process.execve'] });
    assert.equal(status, 1);
    assert.match(stderr, /^hushd: error: Node \S+ cannot start itself anew with a clean environment\n/);
  });
});
