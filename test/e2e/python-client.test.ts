import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { daemonUser, skippedUnlessRoot, startOpenToAll } from '../security/peers.ts';
import { exitOf, makeHome, passphrase, startDaemon, startUnlocked } from '../support/daemon.ts';

const client = fileURLToPath(new URL('../python/hush_client.py', import.meta.url));

/** One step as the Python client tells it. */
type Step = Readonly<Record<string, unknown>> & { readonly step: string };

interface Outcome {
  readonly code: number | null;
  readonly steps: readonly Step[];
  readonly stderr: string;
}

/** Runs one scenario of the Python client, which reads the passphrase from its standard input. */
async function python(socket: string, scenario: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn('python3', ['-B', client, socket, scenario], {
    env: { PATH: process.env['PATH'], ...env },
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${passphrase}\n`);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  // The client prints one object a line, each with its step.
  return { code: await exitOf(child), steps: lines.map((line) => JSON.parse(line) as Step), stderr };
}

/** Each scenario, in the order in which one session goes through them, and a step by which it shows that it was done. */
const session: readonly (readonly [scenario: string, does: string, step: string])[] = [
  ['hello', 'greets the daemon and is told its limits', 'hello'],
  ['status', 'reads the status', 'status'],
  ['unlock', 'is refused while locked and with a wrong passphrase, then unlocks', 'unlock'],
  ['secrets', 'sets, gets, lists, pipelines and deletes', 'list'],
  ['crypto', 'encrypts, decrypts, rotates, and is refused in the wrong context', 'rotate'],
  ['batch', 'sends several operations in one frame', 'batch'],
  ['refusals', 'is told by name what it did wrong', 'a frame that claims 4 GiB'],
  ['lock', 'locks, and is refused afterwards', 'encrypt after lock'],
  ['profiles', 'deactivates and activates the profile', 'profiles'],
  ['stop', 'stops the daemon', 'stop'],
];

describe('a client in plain Python, written from docs/protocol.md alone', () => {
  test('goes through a whole session with the live daemon', async (t) => {
    const home = makeHome(t);
    await home.init();
    const daemon = await startDaemon(t, home);
    for (const [scenario, does, step] of session) {
      await t.test(`${scenario}: ${does}`, async () => {
        const { code, steps, stderr } = await python(daemon.socket, scenario);
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
        assert(
          steps.some((told) => told.step === step),
          `it did not tell of: ${step}`,
        );
      });
    }
  });

  test('finds the socket by each variable, in the order of the document', async (t) => {
    const { daemon, home } = await startUnlocked(t);
    const elsewhere = join(home.folder, 'nobody-listens-here');
    const folder = dirname(daemon.socket);
    for (const env of [
      { HUSH_SOCKET: daemon.socket, HUSH_HOME: elsewhere },
      { HUSH_HOME: folder, XDG_RUNTIME_DIR: elsewhere },
    ]) {
      assert.deepEqual(await python('-', 'hello', env).then(({ code, stderr }) => [code, stderr]), [0, '']);
    }
    const { code, stderr } = await python('-', 'hello', { XDG_RUNTIME_DIR: elsewhere, HUSH_HOME: '' });
    assert.equal(code, 1);
    assert.match(stderr, /^hello: .*No such file/);
  });

  test('A13: says nothing to a listener of another user, unless HUSH_DAEMON_UID names that user', async (t) => {
    if (skippedUnlessRoot(t)) return;
    const home = makeHome(t);
    await home.init();
    const { socket } = await startOpenToAll(t, home);
    const refused = await python(socket, 'hello');
    assert.deepEqual([refused.code, refused.steps], [1, []]);
    assert.match(refused.stderr, new RegExp(`served by uid ${daemonUser}, which is not trusted`));
    assert.equal((await python(socket, 'hello', { HUSH_DAEMON_UID: String(daemonUser) })).code, 0);
  });
});
