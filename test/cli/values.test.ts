import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../../client/index.ts';
import { openShell, type Ended, type Typed } from './hush.ts';
import { assertShown, commandsIn, pageOf, sectionOf } from './shown.ts';
import { openUnlocked } from './unlocked.ts';

const done = (stdout: string, stderr = ''): Ended => ({ code: 0, stdout, stderr });
const refused = (code: number, error: string, hint: string): Ended => ({
  code,
  stdout: '',
  stderr: `hush: error: ${error}\nhush: hint: ${hint}\n`,
});
const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;

/** The facts that a command printed as JSON. */
const factsOf = ({ code, stdout, stderr }: Ended): Record<string, unknown> => {
  assert.equal(code, 0, stderr);
  // Every command prints one object.
  return JSON.parse(stdout) as Record<string, unknown>;
};

const enter = '\r';
const interrupt = '\x03';
const endOfInput = '\x04';

test('values and versions', async (t) => {
  const shell = await openUnlocked(t, openShell(t));
  const { home, run, runForBytes } = shell;
  const type = (line: string, steps: readonly Typed[]) => shell.type(line, steps, 80, { NO_COLOR: '1' });
  const client = await connect({ socket: join(home, 'hushd.sock') });
  t.after(() => {
    client.close();
  });
  const profile = 'default';
  const keep = (path: string, value: string, more: object = {}) =>
    client.call('secret.set', { path, value: new TextEncoder().encode(value), ...more });

  await t.test('every command of the page does what the page shows', async () => {
    for (const shown of commandsIn(sectionOf(pageOf('docs/operations.md'), 'Values and versions'))) {
      assertShown(await shell.runScript(shown.line), shown);
    }
  });

  await t.test(
    'a file is kept byte for byte, and comes back into a file that nobody else can read',
    async () => {
      const bytes = Uint8Array.from({ length: 65_536 }, (_, index) => (index * 31) % 256);
      writeFileSync(join(home, 'any bytes'), bytes);
      writeFileSync(join(home, 'out'), 'old', { mode: 0o644 });
      const kept = await shell.runScript(
        "hush set global/any --file 'any bytes' && hush get global/any -o out --json",
      );
      const { version, createdAt, updatedAt } = await client.get('global/any');
      const facts = { profile, path: 'global/any', version, createdAt, updatedAt, size: 65_536 };
      const file = join(home, 'out');
      assert.deepEqual(kept, done(`global/any is kept, version 1\n${JSON.stringify({ ...facts, file })}\n`));
      assert.deepEqual(readFileSync(join(home, 'out')), Buffer.from(bytes));
      assert.equal(lstatSync(join(home, 'out')).mode & 0o777, 0o600);
      assert.deepEqual((await runForBytes('hush get global/any --reveal')).stdout, Buffer.from(bytes));
    },
  );

  await t.test(
    'a value of a byte too many is refused with the limit, and a file that is none by name',
    async () => {
      writeFileSync(join(home, 'large'), new Uint8Array(65_537));
      const large = await run(`hush set global/large --file ${home}/large`);
      assert.equal(large.code, 2);
      assert.match(large.stderr, /65536|64 KiB/);
      const piped = await run('hush set global/large', { input: new Uint8Array(65_537) });
      assert.equal(piped.code, 2);
      const missing = await run(`hush set global/none --file ${home}/none`);
      assert.deepEqual(
        missing,
        refused(1, `cannot read ${home}/none: no such file or directory`, `ls -ld ${home}/none`),
      );
      const folder = await run(`hush set global/none --file ${home}`);
      assert.deepEqual([folder.code, folder.stdout], [2, '']);
      assert.match(folder.stderr, /is no regular file/);
    },
  );

  await t.test('a value that nobody gave is refused, and an empty one told', async () => {
    for (const closed of ['</dev/null', '<&-']) {
      assert.deepEqual(
        await shell.runScript(`hush set global/job ${closed}`),
        refused(
          2,
          'standard input is closed, or /dev/null',
          "pipe the value in; for an empty one: printf '' | hush set PATH",
        ),
      );
    }
    assert.deepEqual(
      await shell.runScript("printf '' | hush set global/job"),
      done('global/job is kept, version 1\n', 'hush: note: the value is empty\n'),
    );
    const pipe = await shell.runScript('mkfifo job; hush set global/job --file job');
    assert.match(pipe.stderr, /job is no regular file\nhush: hint: .*: hush set PATH < FILE\n$/);
  });

  await t.test(
    'no hint asks for a link of the system to be removed, or for a folder to be replaced',
    async () => {
      await keep('global/a', 'hunter2');
      const link = await run('hush get global/a --output /dev/stdout');
      assert.deepEqual([link.code, link.stdout], [10, '']);
      assert.match(link.stderr, /hint: name a file; > sends standard output elsewhere\n$/);
      assert.deepEqual(
        await run(`hush get global/a --output ${home}`),
        refused(10, `${home} is a folder`, 'name a file in it'),
      );
    },
  );

  await t.test('--output neither follows nor replaces a link, and leaves nothing half done', async () => {
    await keep('global/a', 'hunter2');
    mkdirSync(join(home, 'outside'));
    writeFileSync(join(home, 'outside', 'precious'), 'precious');
    symlinkSync(join(home, 'outside', 'precious'), join(home, 'link'));
    const link = await run(`hush get global/a --output ${home}/link`);
    assert.deepEqual(
      link,
      refused(
        10,
        `${home}/link is a link to ${home}/outside/precious, and nothing was written`,
        `name the file itself, or remove the link: rm ${home}/link`,
      ),
    );
    assert.equal(readFileSync(join(home, 'outside', 'precious'), 'utf8'), 'precious');
    const nowhere = await run(`hush get global/a --output ${home}/nowhere/file`);
    assert.match(nowhere.stderr, /there is no folder .*\nhush: hint: mkdir -p /);
    const inFile = await run(`hush get global/a --output ${home}/outside/precious/file`);
    assert.match(inFile.stderr, /^hush: error: cannot write .*\/file: not a directory$/m);
    assert.deepEqual(readdirSync(join(home, 'outside')), ['precious']);
  });

  await t.test('what cannot be meant is refused before the daemon is asked', async () => {
    const options = [
      ['get global/a --output -', 'standard output is --reveal; a file named - is ./-', 'get'],
      ['get global/a --reveal --clip', 'one of --reveal, --output and --clip', 'get'],
      ['get --clip global/a', 'the seconds after --clip are not a number: write the path before it', 'get'],
      [
        'set global/a --file f --generate',
        'a value is read from --file or made by --generate, not both',
        'set',
      ],
    ] as const;
    for (const [line, error, help] of options) {
      assert.deepEqual(await run(`hush ${line}`), refused(2, error, `hush help ${help}`), line);
    }
    assert.deepEqual(
      await run('hush get global/a --version 0'),
      refused(2, 'that is not the version of a secret', 'hush history PATH'),
    );
    assert.deepEqual(
      await run('hush copy hush://default/global/a hush://work/global/a'),
      refused(
        2,
        'they are in two profiles, which share nothing',
        'hush get -p default global/a --reveal | hush set -p work global/a',
      ),
    );
  });

  await t.test('a generated value is told once, and is of its alphabet', async () => {
    const facts = factsOf(await run('hush set global/g --generate 24 --alphabet hex --reveal --json'));
    assert.match(String(facts['value']), /^[0-9a-f]{24}$/);
    assert.equal((await run('hush get global/g --reveal')).stdout, facts['value']);
    const unseen = await shell.runScript('hush set global/g2 --generate --reveal > /dev/full');
    assert.deepEqual([unseen.code, unseen.stdout], [1, '']);
    assert.match(
      unseen.stderr,
      /^hush: note: global\/g2 is kept, version 1\nhush: error: .*\nhush: hint: free some space/,
    );
  });

  await t.test('compare-and-set stores against the version that was read, and no other', async () => {
    await keep('global/cas', 'one');
    const stale = await run('hush set global/cas --if-version 0', { input: 'two' });
    assert.deepEqual([stale.code, stale.stdout], [10, '']);
    assert.match(stale.stderr, /^hush: error: .*version 1/);
    assert.deepEqual(
      await run('hush set global/cas --if-version 1', { input: 'two' }),
      done('global/cas has a new value, version 2\n'),
    );
  });

  await t.test('an expired value is listed and refused, and read on purpose', async () => {
    const expiresAt = new Date(Date.now() - 60_000).toISOString();
    await keep('ws:exp/old', 'hunter2', { expiresAt });
    await keep('ws:exp/soon', 'x', { expiresAt: new Date(Date.now() + 86_400_000).toISOString() });
    const old = await run('hush get ws:exp/old --reveal');
    assert.deepEqual([old.code, old.stdout], [10, '']);
    assert.match(old.stderr, /^hush: error: .*expired.*\nhush: hint: .*--allow-expired/);
    const allowed = await run('hush get ws:exp/old --reveal --allow-expired');
    assert.deepEqual(allowed, done('hunter2'));
    assert.deepEqual(await run('hush list --expired'), done('ws:exp/old\n'));
    assert.deepEqual(
      await run('hush list --prefix ws:exp/'),
      done(
        'ws:exp/old\nws:exp/soon\n',
        'hush: note: 1 value expired: hush list --expired\n' +
          'hush: note: 1 value will expire within 7 days: hush list --long\n',
      ),
    );
    const long = await run('hush list --prefix ws:exp/ --long');
    assert.match(
      long.stdout,
      new RegExp(
        `^ws:exp/old   7 bytes  v1  ${time}  expired ${expiresAt}\n` +
          `ws:exp/soon  1 byte   v1  ${time}  expires ${time}, in \\d+ h \\d+ min\n$`,
      ),
    );
  });

  await t.test('A18: a note with controls is refused, and one of other hands shows inert', async () => {
    const note = 'line\nnext [31m $(id) "x" é';
    await keep('ws:n/a', 'x', { note, tags: ['a', 'b'] });
    const listed = await run('hush list --prefix ws:n/ --long');
    assert.ok(listed.stdout.endsWith(`line\\nnext [31m $(id) "x" é\n`), listed.stdout);
    assert.equal(listed.stdout.split('\n').length, 2);
    const facts = factsOf(await run('hush list --tag a --json'));
    const [entry] = facts['entries'] as Record<string, unknown>[];
    assert.deepEqual([entry?.['path'], entry?.['note'], entry?.['tags']], ['ws:n/a', note, ['a', 'b']]);
    const { code, stderr } = await shell.runScript(
      `printf x | hush set ws:n/a --note "$(printf 'a\\033[2J')"`,
    );
    assert.equal(code, 2);
    assert.match(stderr, /^hush: error: that is not a note\n/);
  });

  await t.test('pages of a list are whole together', async () => {
    for (const name of ['a', 'b', 'c']) await keep(`ws:p/${name}`, name);
    // Far more than a page of the daemon's looks at.
    const others = Array.from({ length: 1000 }, (_, at) => ({ profile, path: `ws:other/${at}` }));
    const value = Uint8Array.of(1);
    await client.call('batch', {
      items: others.map((place) => ({ op: 'secret.set', params: { ...place, value } })),
    });
    const wanted = factsOf(await run('hush list --prefix ws:p/ --limit 3 --json'));
    assert.deepEqual(
      (wanted['entries'] as { path: string }[]).map(({ path }) => path),
      ['ws:p/a', 'ws:p/b', 'ws:p/c'],
    );
    const first = factsOf(await run('hush list --prefix ws:p/ --limit 2 --json'));
    const second = factsOf(
      await run(`hush list --prefix ws:p/ --limit 2 --after ${String(first['next'])} --json`),
    );
    const paths = [first, second].flatMap(({ entries }) =>
      (entries as { path: string }[]).map(({ path }) => path),
    );
    assert.deepEqual(paths.sort(), ['ws:p/a', 'ws:p/b', 'ws:p/c']);
    assert.equal(second['next'], undefined);
  });

  await t.test('as JSON, history, restore, rename, copy, delete and purge tell stable fields', async () => {
    await keep('ws:j/a', 'one');
    await keep('ws:j/a', 'three');
    const history = factsOf(await run('hush history ws:j/a --json'));
    assert.deepEqual([history['profile'], history['path']], [profile, 'ws:j/a']);
    const versions = history['versions'] as Record<string, unknown>[];
    assert.deepEqual(
      versions.map(({ version, state, bytes, by }) => ({ version, state, bytes, by })),
      [
        { version: 2, state: 'current', bytes: 5, by: 'owner' },
        { version: 1, state: 'superseded', bytes: 3, by: 'owner' },
      ],
    );
    const restored = factsOf(await run('hush restore ws:j/a --json'));
    assert.deepEqual([restored['version'], restored['created']], [3, false]);
    const renamed = factsOf(await run('hush rename ws:j/a ws:j/b --json'));
    assert.deepEqual([renamed['profile'], renamed['from'], renamed['to']], [profile, 'ws:j/a', 'ws:j/b']);
    const copied = factsOf(await run('hush copy ws:j/b ws:j/c --json'));
    assert.deepEqual([copied['to'], copied['version'], copied['created']], ['ws:j/c', 1, true]);
    const taken = await run('hush rename ws:j/b ws:j/c');
    assert.deepEqual([taken.code, taken.stdout], [10, '']);
    assert.deepEqual(await run('hush delete ws:j/b --json'), {
      code: 0,
      stdout: `${JSON.stringify({ profile, path: 'ws:j/b', deleted: true })}\n`,
      stderr: '',
    });
    assert.deepEqual(
      await run('hush purge ws:j/b'),
      refused(
        2,
        'this destroys every version of ws:j/b in profile default, for ever',
        'hush purge ws:j/b --yes',
      ),
    );
    const purged = factsOf(await run('hush purge ws:j/b --yes --json'));
    assert.deepEqual([purged['path'], purged['erased']], ['ws:j/b', true]);
    assert.ok(Number(purged['purged']) >= 3);
    const gone = await run('hush restore ws:j/b');
    assert.equal(gone.code, 6, gone.stderr);
  });

  await t.test('--clip gives the value to the clipboard of the session, and prints none of it', async () => {
    const tools = join(home, 'tools');
    mkdirSync(tools);
    const program = '#!/bin/sh\ncase "$*" in *-out*) cat "$HOME/held" ;; *) cat >> "$HOME/held" ;; esac\n';
    writeFileSync(join(tools, 'xclip'), program);
    chmodSync(join(tools, 'xclip'), 0o700);
    await keep('global/c', 'hunter2');
    const env = { PATH: `${tools}:/usr/bin:/bin`, DISPLAY: ':0' };
    assert.deepEqual(
      await run('hush get global/c --clip 1', { env }),
      done('global/c, version 1, is in the clipboard for 1 s\n'),
    );
    assert.equal(readFileSync(join(home, 'held'), 'utf8'), 'hunter2');
    const none = await run('hush get global/c --clip');
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^hush: error: there is no clipboard to reach from here\n/);
  });

  await t.test('on a terminal, a value is asked for twice, and again where the two differ', async () => {
    const set = await type('hush set ws:t/a --tag typed', [
      { wait: 'Value of ws:t/a', send: `hunter2${enter}` },
      { wait: 'The same once more', send: `hunter3${enter}` },
      { wait: 'They differ. Value of ws:t/a', send: `hunter4${enter}` },
      { wait: 'The same once more', send: `hunter4${enter}` },
    ]);
    assert.equal(set.code, 0, set.screen);
    assert.match(set.screen, /ws:t\/a is kept, version 1/);
    for (const typed of ['hunter2', 'hunter3', 'hunter4']) assert.ok(!set.screen.includes(typed), set.screen);
    assert.ok(set.restored);
    for (const send of [`half${interrupt}`, endOfInput]) {
      const stopped = await type('hush set ws:t/a', [{ wait: 'Value of ws:t/a', send }]);
      assert.deepEqual([stopped.code, stopped.restored], [130, true], stopped.screen);
      assert.ok(stopped.screen.endsWith('\x1b[?25h'), 'the cursor is gone');
    }
    assert.equal(new TextDecoder().decode((await client.get('ws:t/a')).value), 'hunter4');
  });

  await t.test('on a terminal, --reveal warns, and shows nothing that would steer the terminal', async () => {
    const shown = await type('hush get ws:t/a --reveal', []);
    assert.equal(shown.code, 0);
    assert.match(
      shown.screen,
      /^hush: note: the value shows on this terminal, and may stay in its history\r\nhunter4\r\n$/,
    );
    await keep('ws:t/b', 'a\x1b]0;title\x07b');
    const steering = await type('hush get ws:t/b --reveal', []);
    assert.equal(steering.code, 2);
    assert.ok(!steering.screen.includes('\x1b]0;'), steering.screen);
    assert.match(steering.screen, /hint: hush get ws:t\/b --reveal \| cat -v, or --output FILE/);
  });

  await t.test(
    'on a terminal, delete asks and says how to have it back, and purge wants the path',
    async () => {
      const question = { wait: 'Delete ws:t/b of profile default?' };
      const deleted = await type('hush delete ws:t/b', [{ ...question, send: 'y' }]);
      assert.equal(deleted.code, 0, deleted.screen);
      assert.match(deleted.screen, /hush: note: to have it back: hush restore ws:t\/b/);

      const path = { wait: 'Type its path to go on' };
      const wrong = await type('hush purge ws:t/b', [{ ...path, send: `ws:t/a${enter}` }]);
      assert.equal(wrong.code, 2, wrong.screen);
      assert.match(wrong.screen, /hush: error: that is not its path: nothing was destroyed/);
      const stopped = await type('hush purge ws:t/b', [{ ...path, send: interrupt }]);
      assert.deepEqual([stopped.code, stopped.restored], [130, true], stopped.screen);
      const purged = await type('hush purge ws:t/b', [{ ...path, send: `ws:t/b${enter}` }]);
      assert.equal(purged.code, 0, purged.screen);
      assert.match(purged.screen, /versions? of ws:t\/b (is|are) destroyed/);
    },
  );
});
