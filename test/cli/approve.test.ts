import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect } from '../../client/index.ts';
import { enrol, enrolledWire } from '../security/noise-wire.ts';
import { codeOf, type Wire } from '../security/wire.ts';
import { untilAnswer } from '../support/poll.ts';
import { openShell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const profile = 'default';
const path = 'global/prod.db';

describe('hush approve', () => {
  test('lists what waits, allows one read or refuses it, and says when there is nothing to decide', async (t) => {
    const shell = openShell(t);
    const socket = join(shell.home, 'hushd.sock');
    appendFileSync(
      join(shell.home, 'config.toml'),
      `[profiles.default]\napprove = ['global/prod.*']\n` +
        `[profiles.default.grants.app]\nread = ['global/*']\nadmin = true\n[profiles.default.grants.boss]\nread = ['global/*']\nadmin = true\n`,
    );
    await openUnlocked(t, shell);
    const { run } = shell;
    assert.equal((await run(`hush set ${path}`, { input: 'production' })).code, 0);
    assert.deepEqual(await run('hush approve'), {
      code: 0,
      stdout: '',
      stderr: 'hush: note: nothing waits for an approval\n',
    });
    const nowhere = await run('hush approve -p nope');
    assert.deepEqual([nowhere.code, nowhere.stdout], [6, '']);
    assert.match(
      nowhere.stderr,
      /^hush: error: there is no profile nope that you may see\nhush: hint: hush init -p nope\n$/,
    );
    const owner = await connect({ socket });
    const key = await enrol(owner, 'app');
    writeFileSync(join(shell.home, 'boss.key'), (await enrol(owner, 'boss')).file, { mode: 0o600 });
    owner.close();
    const { wire: app } = await enrolledWire(t, socket, key);
    const env = { HUSH_CLIENT_KEY_FILE: join(shell.home, 'boss.key') };
    const asBoss = (line: string) => run(line, { env });

    const id = await ask(app);
    const listed = await run('hush approve');
    const line = `${id} +default: global/prod\\.db +app, uid ${process.getuid?.()}, pid \\d+, \\S+ +waiting, for another \\d+ s`;
    assert.match(listed.stdout, new RegExp(`^${line}\n$`));
    const done = await asBoss(`hush approve ${id}`);
    assert.deepEqual(done, { code: 0, stdout: `app may read ${path} once, within 300 s\n`, stderr: '' });
    const late = await asBoss(`hush approve ${id} --deny`);
    assert.deepEqual([late.code, late.stdout], [10, '']);
    assert.match(late.stderr, /^hush: error: boss has approved this already\n/);
    assert.equal(codeOf(await app.ask('secret.get', { profile, path })), 'ok');
    assert.match((await run('hush approve')).stdout, / used, approved by boss\n$/);

    const second = await ask(app);
    const denied = await asBoss(`hush approve ${second} --deny --json`);
    assert.deepEqual(JSON.parse(denied.stdout), {
      id: second,
      profile,
      path,
      right: 'read',
      client: 'app',
      approved: false,
      expiresInMs: 300_000,
    });
    assert.equal(codeOf(await app.ask('secret.get', { profile, path })), 'APPROVAL_DENIED');
    const facts = JSON.parse((await run('hush approve --json')).stdout) as { requests: { state: string }[] };
    assert.deepEqual(
      facts.requests.map(({ state }) => state),
      ['used', 'denied'],
    );
    const unknown = await run('hush approve 0123456789abcdef');
    assert.equal(unknown.code, 6);
    assert.equal((await run('hush approve --deny')).code, 2);

    // The other way round: `hush get` asks, and the app decides.
    const pending = await asBoss(`hush get ${path} --reveal`);
    assert.deepEqual([pending.code, pending.stdout], [5, '']);
    assert.match(
      pending.stderr,
      /^hush: error: somebody else must approve this read of global\/prod\.db first: request [0-9a-f]{16}\nhush: hint: hush approve [0-9a-f]{16}, as another operator\n$/,
    );
    const own = /request ([0-9a-f]{16})/.exec(pending.stderr)?.[1] ?? '';
    const self = await asBoss(`hush approve ${own}`);
    assert.equal(self.code, 5);
    assert.match(self.stderr, /you are boss, who asked for this/);
    const waiting = asBoss(`hush get ${path} --reveal --wait`);
    assert.equal(codeOf(await app.ask('approval.decide', { profile, id: own, approve: true })), 'ok');
    assert.equal((await waiting).stdout, 'production');
  });
});

/** The id of the request that the app's read has to wait for. */
async function ask(app: Wire): Promise<string> {
  const answer = await untilAnswer(
    () => app.ask('secret.get', { profile, path }),
    (found) => codeOf(found) === 'APPROVAL_PENDING',
  );
  return String(answer.error?.approval);
}
