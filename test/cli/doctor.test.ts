import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { lookAtClock } from '../../cli/doctor/clock.ts';
import { pathsOf } from '../../daemon/home/paths.ts';
import type { Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const report = z.object({
  worst: z.enum(['ok', 'warning', 'problem']),
  findings: z.array(
    z.strictObject({
      check: z.string(),
      state: z.enum(['ok', 'warning', 'problem']),
      message: z.string(),
      hint: z.string().optional(),
    }),
  ),
});

async function examine(
  { run }: Shell,
  env: NodeJS.ProcessEnv = {},
): Promise<{
  readonly code: number;
  readonly of: (check: string) => z.output<typeof report>['findings'];
}> {
  const { code, stdout, stderr } = await run('hush doctor --json', { env });
  assert.equal(stderr, '');
  const { worst, findings } = report.parse(JSON.parse(stdout));
  assert.equal(code, ['ok', 'warning', 'problem'].indexOf(worst));
  for (const { state, hint, message } of findings) {
    if (state !== 'ok') assert.ok(hint !== undefined && hint !== '', message);
  }
  return { code, of: (check) => findings.filter((finding) => finding.check === check) };
}

test('doctor looks at all that it names, and says how to mend what it finds', async (t) => {
  const shell = await openUnlocked(t);
  const { home, run } = shell;
  const backup = await run(`hush backup create ${join(home, 'backup')}`);
  assert.equal(backup.code, 0, backup.stderr);
  const checks = [
    'version',
    'home',
    'config',
    'profiles',
    'audit',
    'disk',
    'socket',
    'daemon',
    'profile',
    'backup',
    'keys',
    'expiry',
    'clock',
  ];

  await t.test('a home that is well: each check has a finding, and none is worse than ok', async () => {
    const { of } = await examine(shell);
    for (const check of checks) {
      assert.notEqual(of(check).length, 0, check);
      for (const { state, message } of of(check)) assert.equal(state, 'ok', message);
    }
  });

  await t.test('values that have expired, and that will soon', async () => {
    await run('hush set global/soon --expires 2d', { input: 'x' });
    await run('hush set global/later --expires 90d', { input: 'x' });
    const [soon, ...others] = (await examine(shell)).of('expiry');
    assert.deepEqual([soon?.state, others.length], ['warning', 0]);
    assert.match(soon?.message ?? '', /^default: 1 value expires soon: global\/soon$/);
  });

  await t.test('wrong passphrases in a row, and by whom', async () => {
    await run('hush init -p work --passphrase-stdin', { input: 'another long passphrase' });
    for (let tries = 0; tries < 3; tries++) {
      await run('hush unlock -p work --passphrase-stdin', { input: 'wrong' });
    }
    const [finding] = (await examine(shell)).of('unlock');
    assert.equal(finding?.state, 'warning');
    assert.match(finding.message, /^work: 3 wrong passphrases in a row \(.+ 3\)/);
    const file = join(home, 'profiles', 'work', 'backoff');
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length - 1));
    assert.equal((await examine(shell)).of('unlock')[0]?.state, 'problem');
    rmSync(file);
  });

  await t.test('a socket behind which nobody is, and what is no folder of a profile', async () => {
    const socket = join(home, 'gone.sock');
    const left = spawnSync('python3', ['-c', `import socket\nsocket.socket(1).bind('${socket}')`]);
    assert.equal(left.status, 0);
    chmodSync(socket, 0o600);
    writeFileSync(join(home, 'profiles', 'file'), '');
    const { of } = await examine(shell, { HUSH_SOCKET: socket });
    const [finding] = of('socket');
    assert.deepEqual([finding?.state, finding?.message], ['warning', `nobody answers on ${socket}`]);
    assert.equal(of('home')[0]?.state, 'problem');
    rmSync(join(home, 'profiles', 'file'));
  });

  await t.test('a socket that more may reach than the config says', async () => {
    const socket = join(home, 'hushd.sock');
    chmodSync(socket, 0o666);
    const [finding] = (await examine(shell)).of('socket');
    assert.deepEqual([finding?.state, finding?.hint], ['problem', `chmod 600 ${socket}`]);
    chmodSync(socket, 0o600);
  });

  await t.test('the key by which enrolled clients know the daemon, missing or damaged', async () => {
    assert.equal((await run(`hush client add shop --key-file ${join(home, 'shop.key')}`)).code, 0);
    assert.equal((await examine(shell)).of('enrolled')[0]?.state, 'ok');
    const key = join(home, 'noise-key');
    renameSync(key, `${key}.aside`);
    assert.match(
      (await examine(shell)).of('enrolled')[0]?.message ?? '',
      /noise-key is missing: 1 enrolled client cannot/,
    );
    writeFileSync(key, 'nonsense', { mode: 0o600 });
    assert.deepEqual((await examine(shell)).of('enrolled')[0]?.state, 'problem');
    renameSync(`${key}.aside`, key);
  });

  await t.test('a config that may not mean what it says, and one that is not in order', async () => {
    const config = join(home, 'config.toml');
    const good = readFileSync(config);
    appendFileSync(config, "[transport]\nsocket_mode = '0660'\n");
    const [remark] = (await examine(shell)).of('config');
    assert.deepEqual([remark?.state, remark?.hint], ['warning', 'hush policy check']);
    writeFileSync(config, 'include = ["none.toml"]\n');
    const [fault] = (await examine(shell)).of('config');
    assert.equal(fault?.state, 'problem');
    assert.ok(fault.message.startsWith(`${config}:1: include: there is no `), fault.message);
    writeFileSync(config, good);
  });

  await t.test('a record changed inside the newest file of an audit', async () => {
    const folder = join(home, 'audit', 'profiles', 'default');
    const file = join(folder, readdirSync(folder).at(-1) ?? '');
    const whole = readFileSync(file, 'latin1');
    writeFileSync(file, whole.replace('global/soon', 'global/s00n'), 'latin1');
    const { code, of } = await examine(shell);
    const bad = of('audit').find(({ state }) => state === 'problem');
    assert.equal(code, 2);
    assert.ok(bad?.message.startsWith(`${file} of default, line `), bad?.message);
    assert.equal(bad?.hint, 'hush audit verify -p default tells more');
  });

  await t.test('a clock that was set back', () => {
    const paths = pathsOf({ HUSH_HOME: home });
    const status = { startedAt: '2026-06-01T12:00:00.000Z', uptimeMs: 3_600_000 };
    const folder = paths.daemonAudit;
    const file = join(folder, readdirSync(folder).at(-1) ?? '');
    const written = statSync(file).mtimeMs;
    assert.equal(lookAtClock(paths, undefined, written).state, 'ok');
    assert.match(
      lookAtClock(paths, undefined, written - 86_400_000).message,
      /^it is 1 d 0 h behind what hushd has written/,
    );
    for (const audit of [
      folder,
      join(home, 'audit', 'profiles', 'default'),
      join(home, 'audit', 'profiles', 'work'),
    ])
      for (const name of readdirSync(audit)) utimesSync(join(audit, name), 0, 0);
    const now = Date.parse('2026-06-01T12:30:00Z');
    assert.match(lookAtClock(paths, status, now).message, /^it is 30 min 0 s behind the daemon, by its age,/);
    assert.equal(lookAtClock(paths, status, Date.parse('2026-06-01T13:00:30Z')).state, 'ok');
  });
});
