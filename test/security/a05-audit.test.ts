import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { openChain } from '../../daemon/audit/chain.ts';
import { recordPrefix } from '../../daemon/audit/records.ts';
import { filesIn, rebuilt, smallSegments, someCalls } from '../audit/live-log.ts';
import { programPath } from '../support/programs.ts';
import {
  exitOf,
  makeHome,
  passphraseCredential,
  startDaemon,
  startUnlocked,
  type TestHome,
} from '../support/daemon.ts';
import { eventually, utf8 } from './facts.ts';
import { daemonUser, otherUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet } from './wire.ts';

const program = programPath('hush');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `hush audit …` as some user, who has no home of hushd. */
async function auditAs(uid: number, socket: string, words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, 'audit', ...words], {
    cwd: '/',
    env: {
      PATH: '/usr/bin:/bin',
      HOME: '/nonexistent',
      HUSH_SOCKET: socket,
      HUSH_DAEMON_UID: String(daemonUser),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    uid,
    gid: uid,
  });
  const [stdout, stderr, code] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    exitOf(child),
  ]);
  return { code, stdout: stdout.toString(), stderr: stderr.toString() };
}

test('A5: who has the right audit reads and verifies through the daemon, and nobody else does', async (t) => {
  if (skippedUnlessRoot(t)) return;
  const home = makeHome(t);
  await home.init();
  home.configure(
    `[clients.auditor]\nuid = ${otherUser}\n[clients.app]\nuid = ${otherUser + 1}\n` +
      `[profiles.default.grants.auditor]\naudit = true\n[profiles.default.grants.app]\nread = ['*/*']\n${smallSegments}`,
  );
  const { socket } = await startOpenToAll(t, home);
  const own = await greet(await wireAs(t, socket, { uid: daemonUser }));
  await own.ask('unlock', { profile: 'default', credentials: [passphraseCredential()] });
  for (let number = 0; number < 30; number += 1) {
    const path = `global/name-${number}`;
    assert.equal(codeOf(await own.ask('secret.set', { profile: 'default', path, value: utf8('x') })), 'ok');
  }
  await eventually('a second segment', () => filesIn(home.profile().audit).size > 1);

  const found = await auditAs(otherUser, socket, ['search', '--event', 'secret.set']);
  assert.equal(found.code, 0, found.stderr);
  assert.equal(found.stdout.split('\n').length, 31);
  assert.equal(
    (await auditAs(otherUser, socket, ['tail', '-n', '4'])).stdout.trimEnd().split('\n').length,
    4,
  );
  const verified = await auditAs(otherUser, socket, ['verify']);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(
    verified.stdout,
    /^profiles\/default: whole: .*\n(?: {2}#\d+ to .*\n)? {2}\d+ seals, the last at #\d+, proved\n/,
  );
  assert.match(
    (await auditAs(otherUser, socket, ['checkpoint'])).stdout,
    /^hushd-checkpoint 1 profiles\/default /,
  );

  for (const words of [
    ['tail', '--daemon'],
    ['search', '-p', 'other'],
  ]) {
    assert.equal((await auditAs(otherUser, socket, words)).code, 5, words.join(' '));
  }
  for (const words of [['tail'], ['verify']]) {
    const refused = await auditAs(otherUser + 1, socket, words);
    assert.deepEqual([refused.code, refused.stdout], [5, ''], words.join(' '));
  }
});

test('A5: a daemon’s own audit that was begun anew is put on record, whatever the profile’s audit says of a restore', async (t) => {
  const { daemon, client, home } = await startUnlocked(t);
  await client.set('global/a', utf8('x'));
  await daemon.stop();
  renameSync(home.paths.daemonAudit, join(home.folder, 'taken'));
  const { audit } = home.profile();
  const forged = openChain(audit, 'default');
  forged.append({
    event: 'backup.restored',
    who: recordPrefix({ client: 'hush', uid: 0, gid: 0, pid: 1 }),
    outcome: 'ok',
  });
  await forged.close();
  const again = await startDaemon(t, home);
  const verify = () =>
    spawnSync(process.execPath, [program, 'audit', 'verify'], {
      env: { PATH: '/usr/bin:/bin', HUSH_HOME: home.folder },
      encoding: 'utf8',
    });
  assert.equal(verify().status, 8, 'before the unlock');
  const opened = await again.connect();
  await opened.unlock([passphraseCredential()]);
  await opened.set('global/a', utf8('y'));
  const doubts = [...filesIn(audit).values()]
    .join('')
    .split('\n')
    .filter((line) => line.includes('"audit.doubt"'));
  assert.equal(doubts.length, 1);
  assert.match(doubts[0] ?? '', /another one .* restored since, perhaps from another home/);
  assert.match(verify().stdout, /1 doubt of the daemon's own audit on record/);
});

/** What the next unlock says of a home whose audit was changed while no daemon ran. */
async function unlockOf(t: TestContext, home: TestHome): Promise<string> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  const code = await client.unlock([passphraseCredential()]).then(
    () => 'ok',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'none'),
  );
  client.close();
  await daemon.kill();
  return code;
}

test('A5: an audit that was rebuilt, shortened or deleted while no daemon ran is found at the next unlock', async (t) => {
  const { daemon, client, home } = await startUnlocked(t);
  await someCalls(client, 1);
  await daemon.stop();
  const { audit } = home.profile();
  const kept = join(home.folder, 'kept');
  cpSync(audit, kept, { recursive: true });
  const files = filesIn(audit);
  const newest = [...files.keys()].filter((name) => name !== 'stubs.jsonl').at(-1) ?? '';
  const put = (made: ReadonlyMap<string, string>): void => {
    for (const [name, text] of made) writeFileSync(join(audit, name), text);
  };
  const cases: Record<string, readonly [() => void, string]> = {
    rebuilt: [() => put(rebuilt(files, [...files.keys()][0] ?? '', 1)), 'INTEGRITY'],
    shortened: [
      () => put(new Map([[newest, (files.get(newest) ?? '').split('\n').slice(0, 2).join('\n') + '\n']])),
      'ROLLBACK',
    ],
    deleted: [() => rmSync(audit, { recursive: true }), 'ROLLBACK'],
  };
  for (const [what, [tamper, code]] of Object.entries(cases)) {
    tamper();
    assert.equal(await unlockOf(t, home), code, what);
    rmSync(audit, { recursive: true, force: true });
    cpSync(kept, audit, { recursive: true });
    chmodSync(audit, 0o700);
  }
  assert.equal(await unlockOf(t, home), 'ok', 'what was put back is in order');
});
