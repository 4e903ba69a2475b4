import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  cpSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test, type TestContext } from 'node:test';
import { z } from 'zod';
import type { HushClient } from '../../client/index.ts';
import { eventually, utf8 } from '../security/facts.ts';
import {
  homeAt,
  passphrase,
  passphraseCredential,
  startDaemon,
  type TestDaemon,
  type TestHome,
} from '../support/daemon.ts';
import { programPath } from '../support/programs.ts';
import { openShell, type Ended, type Shell } from './hush.ts';

const report = z.object({
  ok: z.boolean(),
  chains: z.array(
    z.looseObject({
      chain: z.string(),
      ok: z.boolean(),
      records: z.number(),
      lastSeq: z.number(),
      seals: z.number().optional(),
      proved: z.number(),
      notProved: z.string().optional(),
      unsealed: z.number().optional(),
      rememberedSeq: z.number().optional(),
      vouchedSeq: z.number().optional(),
      stubbed: z.object({ lastSeq: z.number() }).optional(),
      checkpoints: z.object({ passed: z.number(), unseen: z.number() }).optional(),
      bad: z.object({ file: z.string(), line: z.number(), seq: z.number(), why: z.string() }).optional(),
    }),
  ),
});
const entries = z.object({
  chain: z.string(),
  entries: z.array(z.looseObject({ seq: z.number().optional(), event: z.string().optional() })),
});

const undo: (() => unknown)[] = [];
// Of a test's context the helpers use this alone; all tests of this file share what they make.
const afterwards = { after: (step: () => unknown) => undo.push(step) } as unknown as TestContext;

describe('hush audit', () => {
  let shell: Shell;
  let folder: string;
  let kept: string;
  let home: TestHome;
  let daemon: TestDaemon;
  let client: HushClient;
  const run = (line: string): Promise<Ended> => shell.run(line);
  const verify = async (line = 'hush audit verify --json'): Promise<[number, z.output<typeof report>]> => {
    const { code, stdout, stderr } = await run(line);
    assert.notEqual(stdout, '', stderr);
    return [code, report.parse(JSON.parse(stdout))];
  };
  const search = async (line: string): Promise<z.output<typeof entries>['entries']> => {
    const { code, stdout, stderr } = await run(`hush audit ${line} --json`);
    assert.equal(code, 0, stderr);
    return entries.parse(JSON.parse(stdout)).entries;
  };
  const segments = (): string[] =>
    readdirSync(folder)
      .filter((name) => /^\d+\.jsonl$/.test(name))
      .sort();
  const unlock = (): Promise<Ended> => shell.run('hush unlock --passphrase-stdin', { input: passphrase });

  before(async () => {
    shell = openShell(afterwards);
    folder = join(shell.home, 'audit', 'profiles', 'default');
    kept = join(shell.home, 'kept');
    appendFileSync(join(shell.home, 'config.toml'), '[audit]\nsegment_bytes = 4096\n');
    home = homeAt(shell.home);
    await home.init();
    daemon = await startDaemon(afterwards, home);
    client = await daemon.connect();
    await client.unlock([passphraseCredential()]);
    for (const name of ['a', 'b', 'c']) {
      await client.set(`global/${name}`, utf8('value'));
      await client.get(`global/${name}`);
    }
    await assert.rejects(client.get('global/none'), { code: 'NOT_FOUND' });
    await eventually('a second segment', () => segments().length > 1);
  });

  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test('tail shows the newest records, oldest first, and as many as are asked for', async () => {
    const all = await search('tail -n 1000');
    assert.deepEqual(
      all.map(({ seq }) => seq),
      all.map((_, index) => index + 1),
    );
    const last = await search('tail -n 3');
    assert.equal(last.length, 3);
    assert.deepEqual(await search('tail -n 0'), []);
    const { stdout } = await run('hush audit tail -n 1000');
    assert.match(
      stdout,
      /^\d{4}-\S+Z {2}#\d+ {2}secret\.set {2}global\/a {2}ok {2}owner \(uid \d+, pid \d+, \/.*\) {2}commit \d+$/m,
    );
    assert.match(stdout, /secret\.get {2}global\/none {2}failed NOT_FOUND {2}owner/);
    assert.equal((await run('hush audit tail -n x')).code, 2);
  });

  test('search and stats take filters, over all segments', async () => {
    assert.deepEqual(
      (await search('search --event secret.set')).map(({ key, outcome }) => [key, outcome]),
      [
        ['global/a', 'ok'],
        ['global/b', 'ok'],
        ['global/c', 'ok'],
      ],
    );
    const failed = await search('search --outcome failed --code NOT_* --client owner --since 1h');
    assert.deepEqual(
      failed.map(({ key }) => key),
      ['global/none'],
    );
    assert.deepEqual(await search('search --until 1h'), []);
    const { stdout } = await run('hush audit stats --event secret.* --json');
    const { events, records } = z
      .object({ records: z.number(), events: z.array(z.object({ name: z.string(), count: z.number() })) })
      .parse(JSON.parse(stdout));
    assert.equal(records, 7);
    assert.deepEqual(events, [
      { name: 'secret.get', count: 4 },
      { name: 'secret.set', count: 3 },
    ]);
    const daemon = await search('search --daemon --event daemon.start');
    assert.equal(daemon.length, 1);
    assert.equal((await run('hush audit search --daemon -p default')).code, 2);
    assert.equal((await run('hush audit search -p nobody')).code, 6);
  });

  test('export gives the very lines of the files, and CSV', async () => {
    const jsonl = await run('hush audit export');
    const whole = segments()
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
    assert.equal(jsonl.stdout, whole.slice(0, jsonl.stdout.length));
    const csv = await run('hush audit export --format csv --event secret.set');
    assert.match(csv.stdout, /^seq,time,mono,event,.*\r\n\d+,/);
    assert.equal(csv.stdout.split('\r\n').length, 5);
    assert.equal((await run('hush audit export --format xml')).code, 2);
  });

  test('tail -f shows what comes, over the beginning of the next segment, and ends with its reader', async () => {
    const program = programPath('hush');
    const env = { ...process.env, HUSH_HOME: shell.home };
    const child = spawn(process.execPath, [program, 'audit', 'tail', '-f', '-n', '1', '--json'], { env });
    const seen: string[] = [];
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      seen.push(z.looseObject({ event: z.string() }).parse(JSON.parse(line)).event);
    });
    await eventually('its first line', () => seen.length > 0);
    const before = segments().length;
    while (segments().length === before) {
      await client.get('global/b');
    }
    await run('hush get global/a');
    await eventually(
      'the next segment and what is in it',
      () => seen.includes('chain.continue') && seen.includes('secret.get'),
    );
    const closed = once(child, 'close');
    child.kill('SIGINT');
    await closed;
  });

  test('verify proves the seals with the keys of the open profile, and tells what the vault remembers', async () => {
    const [code, { ok, chains }] = await verify();
    assert.deepEqual([code, ok], [0, true]);
    const [own, daemon] = chains;
    assert.deepEqual([own?.chain, daemon?.chain], ['profiles/default', 'daemon']);
    assert.ok((own?.seals ?? 0) > 3);
    assert.equal(own?.proved, own?.seals);
    assert.ok((own?.rememberedSeq ?? 0) > 1);
    assert.ok((daemon?.vouchedSeq ?? 0) > 1, 'the seals of the profile vouch for the daemon’s own chain');
    const { stdout } = await run('hush audit verify');
    assert.match(
      stdout,
      /^profiles\/default: whole: \d+ records in \d+ files, up to #\d+\n {2}\d+ seals, the last at #\d+, proved\n/,
    );
  });

  test('A5: verify names the first bad record of the running daemon’s files, and ends with 8', async () => {
    cpSync(join(shell.home, 'audit'), kept, { recursive: true });
    const [first = ''] = segments();
    const path = join(folder, first);
    const text = readFileSync(path, 'latin1');
    const cases: Record<string, [() => void, RegExp]> = {
      'an edit': [
        () => {
          writeFileSync(path, text.replace('"key":"global/a"', '"key":"global/x"'));
        },
        /the hash does not fit the line$/,
      ],
      'a segment that is gone': [
        () => {
          rmSync(path);
        },
        /records 1 to \d+ are missing$/,
      ],
    };
    for (const [what, [tamper, says]] of Object.entries(cases)) {
      tamper();
      const { code, stderr, stdout } = await run('hush audit verify');
      assert.equal(code, 8, what);
      assert.match(stderr.split('\n')[0] ?? '', says, what);
      assert.match(
        stderr,
        /^hush: error: the audit profiles\/default: .*\.jsonl, line \d+ \(record \d+\): /,
        what,
      );
      assert.match(stdout, /^profiles\/default: not as it was written: /, what);
      cpSync(join(kept, 'profiles', 'default', first), path);
    }
    const daemonFile = join(shell.home, 'audit', 'daemon', first);
    const at = readFileSync(daemonFile, 'latin1').indexOf('"event":"hello"') + '"event":"h'.length;
    putByte(daemonFile, at, 'u');
    const [code, { chains }] = await verify();
    assert.deepEqual([code, chains[0]?.ok, chains[1]?.ok], [8, true, false]);
    putByte(daemonFile, at, 'e');
  });

  test('a checkpoint is kept elsewhere, and tells a shortened or other audit on any machine', async () => {
    const taken = await run('hush audit checkpoint');
    assert.match(
      taken.stdout,
      /^hushd-checkpoint 1 profiles\/default [0-9a-f]{64} \d+ [0-9a-f]{64} \S+Z [0-9a-f]{32} v1 [0-9a-f]{64}\n$/,
    );
    const daemon = await run('hush audit checkpoint --daemon');
    const file = join(shell.home, 'checkpoints.txt');
    writeFileSync(file, taken.stdout + daemon.stdout);
    const [code, { chains }] = await verify(`hush audit verify --json --against ${file}`);
    assert.equal(code, 0);
    assert.deepEqual(
      chains.map(({ checkpoints }) => checkpoints?.passed),
      [1, 1],
    );

    const copy = join(shell.home, 'copy');
    cpSync(folder, copy, { recursive: true });
    const elsewhere = { HUSH_HOME: '/nonexistent', HOME: '/nonexistent' };
    const away = (line: string): Promise<Ended> => shell.run(line, { env: elsewhere });
    const copied = readdirSync(copy).sort();
    const inAnyOrder = copied
      .toReversed()
      .map((name) => join(copy, name))
      .join(' ');
    assert.equal((await away(`hush audit verify ${inAnyOrder} --against ${file}`)).code, 0);
    const [, ...later] = copied;
    const some = await away(
      `hush audit verify ${later.map((name) => join(copy, name)).join(' ')} --against ${file}`,
    );
    assert.equal(some.code, 0, 'the later segments alone');

    // All from the record of the checkpoint on.
    const hash = taken.stdout.split(' ')[5] ?? '';
    const holder = copied.findIndex((name) =>
      readFileSync(join(copy, name), 'latin1').includes(`"hash":"${hash}"`),
    );
    for (const name of copied.slice(holder + 1)) rmSync(join(copy, name));
    const last = join(copy, copied[holder] ?? '');
    const text = readFileSync(last, 'latin1');
    writeFileSync(last, text.slice(0, text.lastIndexOf('\n', text.indexOf(`"hash":"${hash}"`)) + 1));
    const short = await away(`hush audit verify ${copy} --against ${file}`);
    assert.equal(short.code, 8);
    assert.match(
      short.stderr,
      /records \d+ to \d+ are missing: .*checkpoints\.txt, line 1 remembers the last of them/,
    );
    assert.equal((await away(`hush audit verify ${copy}`)).code, 0, 'without the checkpoint nobody can tell');
    const other = await away(
      `hush audit verify ${join(shell.home, 'audit', 'daemon')} --against ${join(shell.home, 'one.txt')}`,
    );
    assert.equal(other.code, 1, 'no such file');
    writeFileSync(join(shell.home, 'one.txt'), taken.stdout);
    const stray = await away(
      `hush audit verify ${join(shell.home, 'audit', 'daemon')} --against ${join(shell.home, 'one.txt')}`,
    );
    assert.deepEqual([stray.code, stray.stderr.includes('it is not the chain of')], [8, true]);

    const forged = taken.stdout.replace(/ \d{4}-/, ' 2020-');
    writeFileSync(join(shell.home, 'one.txt'), forged);
    const lie = await run(`hush audit verify --against ${join(shell.home, 'one.txt')}`);
    assert.deepEqual([lie.code, lie.stderr.includes('checkpoint was forged or changed')], [8, true]);
  });

  test('records made while the profile is locked are told as not sealed, until it is unlocked', async () => {
    await client.lock();
    await assert.rejects(client.get('global/a'), { code: 'LOCKED' });
    const [code, { chains }] = await verify();
    assert.equal(code, 0);
    assert.match(chains[0]?.notProved ?? '', /locked/);
    assert.ok((chains[0]?.unsealed ?? 0) >= 2);
    assert.match(
      (await run('hush audit verify')).stdout,
      /\d+ records after that: not sealed yet, and vouched for by nothing/,
    );
    const noMac = await run('hush audit checkpoint');
    assert.match(noMac.stdout, / - - -\n$/);
    await assert.rejects(client.unlock([passphraseCredential('wrong')]), { code: 'WRONG_PASSPHRASE' });
    const told = await search('search --daemon --event unlock --outcome failed');
    assert.deepEqual(
      told.map(({ code, profile }) => [code, profile]),
      [['WRONG_PASSPHRASE', 'default']],
    );
    await client.unlock([passphraseCredential()]);
    await eventually(
      'a seal of what came before the unlock',
      () =>
        readFileSync(join(folder, segments().at(-1) ?? ''), 'latin1')
          .trimEnd()
          .split('\n')
          .at(-1)
          ?.includes('audit.seal') ?? false,
    );
    const [, later] = await verify();
    assert.ok((later.chains[0]?.unsealed ?? 9) < 9);
    assert.equal(later.chains[0]?.notProved, undefined);
  });

  test('A5: a daemon’s own audit that lost its tail is told at the next unlock, and by verify', async () => {
    const daemonFolder = join(shell.home, 'audit', 'daemon');
    await daemon.stop();
    const names = readdirSync(daemonFolder).sort();
    const newest = join(daemonFolder, names.at(-1) ?? '');
    const lines = readFileSync(newest, 'latin1').split('\n');
    writeFileSync(newest, `${lines.slice(0, 1).join('\n')}\n`);
    assert.equal((await run('hush audit verify')).code, 8, 'without the daemon too');
    await startDaemon(afterwards, home);
    const opened = await unlock();
    assert.equal(opened.code, 0);
    assert.match(opened.stderr, /^hush: note: the daemon's own audit: .*hush audit verify tells more\n$/);
    const [code, { chains }] = await verify();
    assert.deepEqual([code, chains[0]?.ok, chains[1]?.ok], [8, true, false]);
    const doubts = await search('search --event audit.doubt');
    assert.deepEqual(
      doubts.map(({ outcome, code: why }) => [outcome, why]),
      [['failed', 'INTEGRITY']],
    );
  });
});

/** Changes one byte of a file that a daemon may be appending to. */
function putByte(path: string, at: number, character: string): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, character, at);
  closeSync(fd);
}
