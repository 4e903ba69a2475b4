import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openShell, type Ended, type Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const passphrase = 'correct horse battery staple';
const another = 'another long passphrase';
const revocation =
  'hush: note: a slot that is removed or changed still opens old copies of the header: hush keys rotate --vault ends that\n';

async function mustRun({ run }: Shell, line: string, input = '', env = {}): Promise<Ended> {
  const ended = await run(line, { input, env });
  assert.equal(ended.code, 0, `${line}: ${ended.stderr}`);
  return ended;
}

/** Locks, and says how an unlock ends. */
async function reopening(shell: Shell, line: string, input = '', env = {}): Promise<Ended> {
  await mustRun(shell, 'hush lock');
  return shell.run(line, { input, env });
}

const opened = { code: 0, stdout: 'profile default is unlocked\n', stderr: '' };

describe('slots', () => {
  test('list says in words what opens the profile, and what removing does not do', async (t) => {
    const shell = await openUnlocked(t);
    const file = join(shell.home, 'server.key');
    await mustRun(
      shell,
      `hush slot add --passphrase-stdin --new-key-file ${file} --generate --label server`,
      passphrase,
    );
    await mustRun(shell, 'hush slot add --passphrase-stdin --recovery', passphrase);
    await mustRun(shell, `hush slot group server recovery --key-file ${file}`);
    const { stdout } = await mustRun(shell, 'hush slot list');
    assert.match(
      stdout,
      /^[0-9a-f]{16} {2}passphrase {4}passphrase {2}opens alone {8}Argon2id 19 MiB, 2 passes {2}\d{4}-/,
    );
    assert.match(stdout, /^[0-9a-f]{16} {2}recovery key {2}recovery {4}opens with others {2}/m);
    assert.ok(
      stdout.endsWith(
        'profile default opens with any one of these:\n' +
          "  passphrase 'passphrase'\n" +
          "  key 'server' and recovery key 'recovery', together\n" +
          'a slot that is removed or changed still opens old copies of the header: hush keys rotate --vault ends that\n',
      ),
      stdout,
    );
    const json: unknown = JSON.parse((await mustRun(shell, 'hush slot list --json')).stdout);
    assert.partialDeepStrictEqual(json, {
      profile: 'default',
      slots: [
        {
          kind: 'passphrase',
          label: 'passphrase',
          opensAlone: true,
          argon2: { memoryKiB: 19456, passes: 2 },
        },
        { kind: 'key', label: 'server', opensAlone: false },
        { kind: 'recovery', label: 'recovery', opensAlone: false },
      ],
    });
    assert.ok(!JSON.stringify(json).includes(readFileSync(file, 'utf8').trim()));
  });

  test('a recovery key is shown once, alone on standard output, and opens the profile', async (t) => {
    const shell = await openUnlocked(t);
    const added = await mustRun(shell, 'hush slot add --passphrase-stdin --recovery', passphrase);
    assert.match(added.stdout, /^HR1(-[0-9A-Z]{5}){14}\n$/);
    assert.match(
      added.stderr,
      /^hush: note: recovery key 'recovery' opens profile default from now on\n.*only now/,
    );
    assert.deepEqual(
      await reopening(shell, 'hush unlock --recovery-stdin', added.stdout.toLowerCase()),
      opened,
    );

    const [prefix, first, ...rest] = added.stdout.trim().split('-');
    const slip = [prefix, first, ...rest.with(2, 'AAAAA')].join('-');
    const mistyped = await reopening(shell, 'hush unlock --recovery-stdin', slip);
    assert.deepEqual([mistyped.code, mistyped.stdout], [2, '']);
    assert.match(
      mistyped.stderr,
      /^hush: error: group 4 of the recovery key .* is mistyped\nhush: hint: compare it/,
    );
    const audit = readFileSync(join(shell.home, 'audit/profiles/default/0000000001.jsonl'), 'utf8');
    assert.ok(!audit.includes('WRONG_KEY'));

    const other = await mustRun(shell, 'hush init -p other --passphrase-stdin --recovery --json', another);
    const { recoveryKey } = JSON.parse(other.stdout) as { recoveryKey: string };
    const wrong = await shell.run('hush unlock --recovery-stdin', { input: recoveryKey });
    assert.deepEqual([wrong.code, wrong.stdout], [9, '']);
    assert.match(wrong.stderr, /hush: hint: check line 1 of standard input\n$/);
    await mustRun(shell, 'hush unlock -p other --recovery-stdin', recoveryKey);
  });

  test('init --recovery makes both at once; each opens, also beside a generated key', async (t) => {
    const shell = openShell(t);
    const made = await mustRun(shell, 'hush init --passphrase-stdin --recovery', passphrase);
    assert.match(made.stdout, /^HR1(-[0-9A-Z]{5}){14}\n$/);
    assert.match(made.stderr, /^hush: note: profile default is made, vault [0-9a-f]{32}\n/);
    await mustRun(shell, 'hush start');
    await mustRun(shell, 'hush unlock --passphrase-stdin', passphrase);
    assert.deepEqual(await reopening(shell, 'hush unlock --recovery-stdin', made.stdout), opened);
    const file = join(shell.home, 'work.key');
    const work = await mustRun(shell, `hush init -p work --generate --key-file ${file} --recovery`);
    assert.match(work.stdout, /^HR1/);
    await mustRun(shell, 'hush unlock -p work --recovery-stdin', work.stdout);
    const both = await shell.run('hush init -p third --generate --recovery');
    assert.equal(both.code, 2);
    assert.equal(existsSync(join(shell.home, 'profiles/third')), false);
  });

  test('a passphrase is changed, with the old one or with another slot; the value stays', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush set global/a', 'value');
    const changed = await mustRun(
      shell,
      'hush slot change --passphrase-stdin',
      `${passphrase}\n${another}\n`,
    );
    assert.deepEqual(changed, {
      code: 0,
      stdout: "passphrase 'passphrase' of profile default is changed\n",
      stderr: revocation,
    });
    const old = await reopening(shell, 'hush unlock --passphrase-stdin', passphrase);
    assert.deepEqual(old, {
      code: 9,
      stdout: '',
      stderr:
        'hush: error: the passphrase does not open this profile\nhush: hint: check line 1 of standard input\n',
    });
    assert.deepEqual(await shell.run('hush unlock --passphrase-stdin', { input: another }), opened);
    assert.equal((await shell.run('hush get global/a --reveal')).stdout, 'value');

    const { stdout: recovery } = await mustRun(shell, 'hush slot add --passphrase-stdin --recovery', another);
    await mustRun(shell, 'hush slot change --recovery-stdin', `${recovery}forgotten and new again\n`);
    assert.deepEqual(
      await reopening(shell, 'hush unlock --passphrase-stdin', 'forgotten and new again'),
      opened,
    );
    const fresh = await mustRun(
      shell,
      'hush slot change recovery --passphrase-stdin',
      'forgotten and new again',
    );
    assert.match(fresh.stdout, /^HR1/);
    assert.equal((await reopening(shell, 'hush unlock --recovery-stdin', recovery)).code, 9);
    assert.deepEqual(await shell.run('hush unlock --recovery-stdin', { input: fresh.stdout }), opened);
  });

  test('a group opens with all that its members give, from wherever they come', async (t) => {
    const shell = await openUnlocked(t);
    const file = join(shell.home, 'server.key');
    await mustRun(
      shell,
      `hush slot add --passphrase-stdin --new-key-file ${file} --generate --label server`,
      passphrase,
    );
    assert.equal(lstatSync(file).mode & 0o777, 0o600);
    await mustRun(shell, 'hush slot add --passphrase-stdin --label bob', `${passphrase}\n${another}\n`);
    const { stdout } = await mustRun(
      shell,
      'hush slot group passphrase server --passphrase-stdin',
      passphrase,
    );
    assert.equal(stdout, "profile default opens with passphrase 'passphrase' and key 'server', together\n");
    const key = { HUSH_MASTER_KEY: readFileSync(file, 'utf8').trim() };

    const alone = await reopening(shell, 'hush unlock --passphrase-stdin', passphrase);
    assert.deepEqual([alone.code, alone.stdout], [9, '']);
    assert.match(alone.stderr, /given is right, and this profile needs more to open: key 'server'\n/);
    assert.equal((await shell.run('hush unlock', { env: key })).code, 9);
    assert.equal((await shell.run(`hush unlock --key-file ${file}`)).code, 9);
    const env = await shell.run('hush unlock --passphrase-stdin', { input: passphrase, env: key });
    assert.deepEqual(env, opened);
    assert.deepEqual(
      await reopening(shell, `hush unlock --passphrase-stdin --key-file ${file}`, passphrase),
      opened,
    );
    const bobAlone = await reopening(shell, 'hush unlock --passphrase-stdin', another, key);
    assert.deepEqual(bobAlone, opened);

    const ungroup = `hush slot ungroup server --passphrase-stdin --key-file ${file}`;
    const ended = await mustRun(shell, ungroup, passphrase);
    assert.match(
      ended.stdout,
      /^the group of .* is ended\npassphrase 'passphrase' opens .* alone\nkey 'server' opens/,
    );
    await mustRun(shell, 'hush slot group passphrase bob --passphrase-stdin', passphrase);
    await mustRun(shell, 'hush slot remove server');
    const two = await reopening(
      shell,
      'hush unlock --passphrase-stdin --passphrase-stdin',
      `${another}\n${passphrase}\n`,
    );
    assert.deepEqual(two, opened);
  });

  test('what cannot be done is refused with the way out, and the header stays', async (t) => {
    const shell = await openUnlocked(t);
    const header = join(shell.home, 'profiles/default/header');
    const before = readFileSync(header);
    const file = join(shell.home, 'new.key');
    const refusals: [string, string, number, RegExp][] = [
      [
        'hush slot remove passphrase',
        '',
        10,
        /is the last that opens this profile\nhush: hint: first hush slot add/,
      ],
      ['hush slot remove nothing', '', 6, /there is no slot 'nothing'\nhush: hint: hush slot list/],
      ['hush slot add --passphrase-stdin', `${another}\nnew\n`, 9, /check line 1 of standard input/],
      [
        'hush slot add --passphrase-stdin',
        passphrase,
        2,
        /has no line with the passphrase for --new-passphrase/,
      ],
      [
        'hush slot add --passphrase-stdin',
        `${passphrase}\n${passphrase}\n`,
        10,
        /the same as that of the slot/,
      ],
      ['hush slot add', another, 10, /there is no stable key/],
      [
        'hush slot add --passphrase-stdin --label passphrase --recovery',
        passphrase,
        10,
        /called 'passphrase' already/,
      ],
      ['hush slot add --new-key-file x --recovery', '', 2, /a slot has one secret/],
      ['hush slot change --new-passphrase --new-key-file x', '', 2, /a slot has one secret/],
      ['hush slot add --generate', '', 2, /--generate makes a key into the file of --new-key-file/],
      [`hush slot change --passphrase-stdin --new-key-file ${file}`, passphrase, 2, /does not exist/],
      [
        `hush slot change --passphrase-stdin --new-key-file ${file} --generate`,
        passphrase,
        2,
        /no slot could be meant/,
      ],
      [
        'hush slot group passphrase passphrase --passphrase-stdin',
        passphrase,
        2,
        /a group has two to four different/,
      ],
      ['hush slot group passphrase --passphrase-stdin', passphrase, 2, /slots/],
      ['hush slot ungroup passphrase --passphrase-stdin', passphrase, 6, /there is no such group/],
      ['hush slot rename passphrase 0123456789abcdef', '', 2, /that is not a label/],
    ];
    for (const [line, input, code, said] of refusals) {
      const ended = await shell.run(line, { input });
      assert.deepEqual([ended.code, ended.stdout], [code, ''], `${line}: ${ended.stderr}`);
      assert.match(ended.stderr, said, line);
      assert.match(ended.stderr, /\nhush: hint: .+\n$/, line);
    }
    assert.equal(existsSync(file), false);
    assert.deepEqual(readFileSync(header), before);
    await mustRun(shell, 'hush lock');
    const locked = await shell.run('hush slot add -p default --passphrase-stdin', { input: passphrase });
    assert.deepEqual(locked, {
      code: 4,
      stdout: '',
      stderr: 'hush: error: the profile default is locked\nhush: hint: hush unlock -p default\n',
    });
  });

  test('lock --all locks every profile', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush init -p work --passphrase-stdin', another);
    assert.deepEqual(await shell.run('hush lock --all'), {
      code: 0,
      stdout: 'profile default is locked\nprofile work was locked already\n',
      stderr: '',
    });
    const json: unknown = JSON.parse((await shell.run('hush lock --all --json')).stdout);
    assert.deepEqual(json, {
      profiles: [
        { name: 'default', state: 'locked', already: true },
        { name: 'work', state: 'locked', already: true },
      ],
    });
    assert.equal((await shell.run('hush lock --all -p work')).code, 2);
  });
});

describe('hints', () => {
  test('name the profile that the command line named', async (t) => {
    const shell = await openUnlocked(t);
    await mustRun(shell, 'hush init -p work --passphrase-stdin', another);
    await mustRun(shell, 'hush unlock -p work --passphrase-stdin', another);
    const hintOf = async (line: string, input = ''): Promise<string> =>
      /^hush: hint: (.*)$/m.exec((await shell.run(line, { input })).stderr)?.[1] ?? '';
    assert.equal(await hintOf('hush get global/none'), 'hush list');
    assert.equal(await hintOf('hush get -p work global/none'), 'hush list -p work');
    assert.equal(await hintOf('hush --profile=work get global/none'), 'hush list -p work');
    assert.equal(await hintOf('hush get hush://work/global/none'), 'hush list -p work');
    assert.equal(
      await hintOf('hush slot remove passphrase -p work'),
      'first hush slot add -p work another, or hush slot change -p work this one',
    );
    await mustRun(shell, 'hush lock -p work');
    const key = { HUSH_MASTER_KEY: randomBytes(32).toString('hex') };
    const wrongKind = await shell.run('hush unlock -p work', { env: key });
    assert.match(wrongKind.stderr, /^hush: hint: hush unlock -p work$/m);
    const made = await shell.run('hush init -p third --passphrase-stdin', { input: another });
    assert.equal(made.stderr, 'hush: note: next: hush start && hush unlock -p third\n');
  });

  test('common options may stand before a command and before its subcommand', async (t) => {
    const shell = await openUnlocked(t);
    const listed = await mustRun(shell, 'hush slot list -p default');
    assert.deepEqual(await shell.run('hush -p default slot list'), listed);
    assert.deepEqual(await shell.run('hush slot -p default list'), listed);
  });

  test('what cannot be told is done all the same: no key is lost with it, and none without a word', async (t) => {
    const shell = await openUnlocked(t);
    const proof = `printf '%s' '${passphrase}' |`;
    const added = await shell.runScript(
      `${proof} hush slot add --passphrase-stdin --new-key-file server.key --generate > /dev/full`,
    );
    assert.equal(added.code, 1);
    assert.match(
      added.stderr,
      /^hush: error: key 'key' opens profile default from now on, and telling of it failed: no space/,
    );
    assert.deepEqual(
      await reopening(shell, `hush unlock --key-file ${join(shell.home, 'server.key')}`),
      opened,
    );

    const lost = await shell.runScript(`${proof} hush slot add --passphrase-stdin --recovery > /dev/full`);
    assert.equal(lost.code, 1);
    const [, id = ''] =
      /opens profile default from now on, and its secret could not be shown: no space .+\nhush: hint: hush slot change ([0-9a-f]{16})\n$/.exec(
        lost.stderr,
      ) ?? [];
    const { stdout } = await mustRun(shell, `hush slot change ${id} --passphrase-stdin`, passphrase);
    assert.deepEqual(await reopening(shell, 'hush unlock --recovery-stdin', stdout), opened);
  });

  test('a key file that was made for a slot is taken back when the daemon refuses', async (t) => {
    const shell = await openUnlocked(t);
    const file = join(shell.home, 'server.key');
    const line = `hush slot add --passphrase-stdin --new-key-file ${file} --generate`;
    const refused = await shell.run(line, { input: 'not the passphrase' });
    assert.equal(refused.code, 9);
    assert.equal(existsSync(file), false);
  });

  test('an option for a file without a name is refused as that', async (t) => {
    const { runScript } = openShell(t);
    const lines = [
      ["hush start --key-file ''", '--key-file', 'start'],
      ["hush slot add --key-file ''", '--key-file', 'slot add'],
      ["hush import --legacy ''", '--legacy', 'import'],
      ["hush keys adopt --stdin --key-file ''", '--key-file', 'keys adopt'],
      ["hush backup create ''", 'FILE', 'backup create'],
    ];
    for (const [line = '', option = '', command = ''] of lines) {
      const { code, stderr } = await runScript(line);
      assert.equal(code, 2, line);
      assert.equal(
        stderr,
        `hush: error: ${option} needs the name of a file, and was given nothing\nhush: hint: hush help ${command}\n`,
        line,
      );
    }
  });
});
