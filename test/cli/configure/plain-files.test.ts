import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { readForEdit, writeBeside } from '../../../cli/configure/edited-file.ts';
import { keepFor } from '../../../cli/configure/keep.ts';
import { targetOf } from '../../../cli/target.ts';
import { connect, type HushClient } from '../../../client/index.ts';
import { readAcl, writeAcl } from '../../../native/acl.ts';
import { HushError } from '../../../protocol/errors.ts';
import { eventually } from '../../security/facts.ts';
import { openShell, type Ended, type Shell } from '../hush.ts';
import { assertShown, commandsIn, pageOf, sectionOf } from '../shown.ts';
import { openUnlocked } from '../unlocked.ts';

const undo: (() => unknown)[] = [];
// Of a test's context the helpers use this alone; all tests of this file share one daemon.
const afterwards = { after: (step: () => unknown) => undo.push(step) } as unknown as TestContext;

describe('out of plain files', () => {
  let shell: Shell;
  let client: HushClient;
  let folder: string;
  const at = (name: string): string => join(folder, name);
  const put = (name: string, text: string | Uint8Array, mode = 0o600): string => {
    writeFileSync(at(name), text, { mode });
    chmodSync(at(name), mode);
    return at(name);
  };
  const valueOf = async (path: string): Promise<string> =>
    Buffer.from((await client.get(path)).value).toString();
  const said = async (line: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> => shell.run(line, { env });

  before(async () => {
    shell = await openUnlocked(afterwards, openShell(afterwards));
    client = await connect({ socket: join(shell.home, 'hushd.sock') });
    folder = join(shell.home, 'project');
    mkdirSync(folder);
  });
  after(() => {
    client.close();
    for (const step of undo.reverse()) step();
  });

  test('every command of the page does what the page shows', async () => {
    for (const shown of commandsIn(sectionOf(pageOf('docs/operations.md'), 'Out of plain files'))) {
      assertShown(await shell.runScript(shown.line), shown);
    }
  });

  describe('hush configure', () => {
    test('moves one value, and leaves comments, layout, line ends, byte order mark, mode and owner as they are', async () => {
      const before =
        '\ufeff# the database\r\n[db]  # main\r\npassword   = "hunter2\\n"  # secret\r\nport = 5432\r\n';
      const file = put('app.toml', before, 0o640);
      const { code, stdout, stderr } = await said(`hush configure ${file} db.password --backup`);
      assert.equal(stdout, 'db.password is hush://default/global/db.password now\n');
      assert.equal(
        stderr,
        `hush: note: ${file}.bak holds the value in the clear: remove it in the end\n` +
          'hush: note: older copies of the file hold the value still: change it where it comes from\n',
      );
      assert.equal(code, 0);
      assert.equal(await valueOf('global/db.password'), 'hunter2\n');
      assert.equal(
        readFileSync(file, 'utf8'),
        before.replace('"hunter2\\n"', '"hush://default/global/db.password"'),
      );
      assert.equal(statSync(file).mode & 0o777, 0o640);
      assert.equal(readFileSync(`${file}.bak`, 'utf8'), before);
      assert.equal(statSync(`${file}.bak`).mode & 0o777, 0o600);
      assert.deepEqual(readdirSync(folder).sort(), ['app.toml', 'app.toml.bak']);

      assert.deepEqual(await said(`hush configure ${file} db.password`), {
        code: 0,
        stdout: 'db.password is a reference already: hush://default/global/db.password\n',
        stderr: '',
      });
    });

    test('takes blocks of YAML, lists of JSON, quotes of .env files, and a name of its own', async () => {
      const yaml = put('a.yaml', 'tls:\n  key: |  # the key\n    one\n    two\n\n  cert: x # y\n');
      assert.equal((await said(`hush configure ${yaml} tls.key --as ws:42/tls-key`)).code, 0);
      assert.equal(
        readFileSync(yaml, 'utf8'),
        'tls:\n  key: hush://default/ws:42/tls-key # the key\n\n  cert: x # y\n',
      );
      assert.equal(await valueOf('ws:42/tls-key'), 'one\ntwo\n');

      const json = put('a.json', '{"servers": [{"token": "a\\u00e9\\"b"}], "n": 1}');
      const { stdout } = await said(`hush configure ${json} servers[0].token --json`);
      assert.deepEqual(JSON.parse(stdout), {
        profile: 'default',
        path: 'global/servers.0.token',
        file: json,
        key: 'servers[0].token',
        reference: 'hush://default/global/servers.0.token',
        version: 1,
        created: true,
        already: false,
      });
      assert.equal(
        readFileSync(json, 'utf8'),
        '{"servers": [{"token": "hush://default/global/servers.0.token"}], "n": 1}',
      );
      assert.equal(await valueOf('global/servers.0.token'), 'aé"b');

      const env = put('.env', "A=1\nexport KEY='two\nlines' # why\nB=2");
      assert.equal((await said(`hush configure ${env} KEY`)).code, 0);
      assert.equal(readFileSync(env, 'utf8'), "A=1\nexport KEY='hush://default/global/KEY' # why\nB=2");
      assert.equal(await valueOf('global/KEY'), 'two\nlines');
    });

    test('refuses a name that has another value, takes one that has the same, and replaces it with --force', async () => {
      await client.set('global/taken', Buffer.from('other'));
      const file = put('b.env', 'taken=mine\n');
      assert.deepEqual(await said(`hush configure ${file} taken`), {
        code: 10,
        stdout: '',
        stderr:
          'hush: error: global/taken is there already, with another value\n' +
          'hush: hint: name another secret with --as, or give it this value as a new version with --force\n',
      });
      assert.equal(readFileSync(file, 'utf8'), 'taken=mine\n');
      assert.equal((await said(`hush configure ${file} taken --force`)).code, 0);
      assert.equal(await valueOf('global/taken'), 'mine');
      put('b.env', 'taken=mine\n');
      assert.equal((await said(`hush configure ${file} taken`)).code, 0);
      assert.equal(readFileSync(file, 'utf8'), 'taken=hush://default/global/taken\n');
      assert.equal((await client.get('global/taken')).version, 2);

      const expiresAt = new Date(Date.now() - 1000).toISOString();
      await client.call('secret.set', { path: 'global/over', value: Buffer.from('mine'), expiresAt });
      const expired = await said(`hush configure ${put('b.env', 'over=mine\n')} over`);
      assert.match(expired.stderr, /^hush: error: global\/over is there already, but has expired\n/);
      assert.equal(expired.code, 10);
    });

    test('refuses a link, a second name, a read-only file, a folder and a pipe, and what is not there', async () => {
      const file = put('c.env', 'X=secret\n');
      symlinkSync(file, at('link.env'));
      linkSync(put('d.env', 'X=secret\n'), at('e.env'));
      const readOnly = put('f.env', 'X=secret\n', 0o400);
      mkdirSync(at('g.env'));
      execFileSync('mkfifo', [at('h.env')]);
      const byItself: [string, string, RegExp][] = [
        ['d.env', 'UNSAFE_MODE', /has another name too/],
        ['f.env', 'UNAVAILABLE', /is read-only/],
        ['g.env', 'BAD_REQUEST', /is no regular file/],
        ['h.env', 'BAD_REQUEST', /is no regular file/],
        ['none.env', 'UNAVAILABLE', /cannot read .*no such file/],
      ];
      for (const [name, code, message] of byItself) {
        assert.throws(() => readForEdit(at(name)), { code, message });
      }
      const refusals: [string, number, RegExp][] = [
        [`${at('link.env')} X`, 10, /is a symbolic link.*\n.*name the file itself: .*c\.env\n$/],
        [`${readOnly} X`, 1, /is read-only\nhush: hint: chmod u\+w /],
        [`${file} Y`, 6, /there is no value Y in the file\nhush: hint: it has X\n$/],
        [`${put('i.yaml', 'a: &x secret\nb: *x\n')} a`, 2, /would say something else too/],
        [`${put('j.json', '{"a": secret')} a`, 2, /j\.json: it is no JSON at line 1, column 7/],
        [`${put('k.env', Buffer.from([0x58, 0x3d, 0xff]))} X`, 2, /is not UTF-8/],
        [`${put('l.env', 'X=\n')} X`, 2, /X is empty/],
        [`${put('n.env', 'X=hush://default/X\n')} X`, 2, /X is a malformed reference\n.*: write hush:/],
        [`${put('m.json', '{"a": "secret\\ud800"}')} a`, 2, /a has half of a character/],
        [`${put('m.env', 'X=secret\n')} X --backup`, 10, /m\.env\.bak exists already\n.*: move it away/],
      ];
      put('m.env.bak', 'older');
      for (const [words, code, pattern] of refusals) {
        const ended = await said(`hush configure ${words}`);
        assert.match(ended.stderr, pattern);
        assert.equal(ended.code, code, ended.stderr);
        assert.equal(ended.stderr.includes('secret'), false);
      }
      assert.equal(readFileSync(file, 'utf8'), 'X=secret\n');
      assert.deepEqual(
        readdirSync(folder).filter((name) => /^\..*\.[0-9a-f]{12}$/.test(name)),
        [],
      );
    });

    test('keeps the access control list of the file, without which its mode would let others in', () => {
      const file = put('acl.env', 'X=secret\n');
      // acl(5): version 2, then tag, permissions and id: the owner, user 1000, the group, the mask, others.
      const entries = [
        [0x01, 6, 0xffffffff],
        [0x02, 6, 1000],
        [0x04, 0, 0xffffffff],
        [0x10, 6, 0xffffffff],
        [0x20, 0, 0xffffffff],
      ];
      const list = new DataView(new ArrayBuffer(4 + 8 * entries.length));
      list.setUint32(0, 2, true);
      for (const [index, [tag = 0, permissions = 0, id = 0]] of entries.entries()) {
        list.setUint16(4 + 8 * index, tag, true);
        list.setUint16(6 + 8 * index, permissions, true);
        list.setUint32(8 + 8 * index, id, true);
      }
      const acl = new Uint8Array(list.buffer);
      const opened = <Result>(use: (fd: number) => Result): Result => {
        const fd = openSync(file, 'r+');
        try {
          return use(fd);
        } finally {
          closeSync(fd);
        }
      };
      opened((fd) => writeAcl(fd, acl));
      assert.equal(statSync(file).mode & 0o777, 0o660);
      writeBeside(readForEdit(file), Buffer.from('X=new\n')).take();
      assert.equal(readFileSync(file, 'utf8'), 'X=new\n');
      assert.deepEqual(opened(readAcl), acl);
      assert.equal(statSync(file).mode & 0o777, 0o660);

      opened((fd) => writeAcl(fd, undefined));
      assert.equal(readForEdit(file).acl, undefined);
    });

    test('leaves the file as it is where the vault refuses or does not answer', async () => {
      const file = put('n.env', `BIG=${'x'.repeat(64 * 1024 + 1)}\n`);
      const refused = await said(`hush configure ${file} BIG`);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /^hush: error: the value has 65537 bytes/);
      assert.match(readFileSync(file, 'utf8'), /^BIG=x/);
      assert.equal((await said(`hush configure ${file} BIG`, { HUSH_SOCKET: at('none.sock') })).code, 3);
      assert.deepEqual(
        readdirSync(folder).filter((name) => /^\..*\.[0-9a-f]{12}$/.test(name)),
        [],
      );
    });

    test('takes the value back out of the vault where the file was changed meanwhile', async () => {
      const file = put('o.env', 'RACED=secret\n');
      const daemon = Number(readFileSync(join(shell.home, 'hushd.lock'), 'utf8'));
      // While the daemon stands still, the new content lies beside the file, and waits for the vault.
      process.kill(daemon, 'SIGSTOP');
      try {
        const ended = said(`hush configure ${file} RACED`);
        await eventually('the new content is there', () =>
          readdirSync(folder).some((name) => name.startsWith('.o.env.')),
        );
        writeFileSync(file, 'RACED=secret\nADDED=1\n');
        process.kill(daemon, 'SIGCONT');
        const { code, stderr } = await ended;
        assert.equal(
          stderr,
          `hush: error: ${file} was changed meanwhile, and stays as it is\nhush: hint: look at it, then try again\n`,
        );
        assert.equal(code, 10);
      } finally {
        process.kill(daemon, 'SIGCONT');
      }
      assert.equal(readFileSync(file, 'utf8'), 'RACED=secret\nADDED=1\n');
      assert.equal(
        readdirSync(folder).some((name) => name.startsWith('.o.env.')),
        false,
      );
      await assert.rejects(client.get('global/RACED'), { code: 'NOT_FOUND' });
    });

    test('never takes back what somebody else has written meanwhile', async () => {
      for (const force of [false, true]) {
        const target = targetOf(`global/undone-${force}`, {}, {});
        if (force) await client.set(target.path, Buffer.from('before'));
        const kept = await keepFor(client, target, new TextEncoder().encode('mine'), force);
        await client.set(target.path, Buffer.from('theirs'));
        const told = await kept.takeBack(new HushError('CONFLICT', 'the file was changed', { hint: '' }));
        assert.ok(told instanceof HushError);
        assert.equal(
          told.message,
          `the file was changed; and ${target.path} was changed meanwhile, and stays as it is`,
        );
        assert.equal(told.hint, `hush history ${target.path}`);
        assert.equal(await valueOf(target.path), 'theirs');
      }
    });
  });

  describe('hush import', () => {
    test('shows what is new, changed and unchanged, and stores all of it or nothing', async () => {
      await client.set('global/SAME', Buffer.from('1'));
      await client.set('global/OTHER', Buffer.from('old'));
      const file = put(
        'in.env',
        "SAME=1\nOTHER=new # c\nexport NEW='two\nlines'\nREF=hush://default/global/KEY\n",
      );
      assert.deepEqual(await said(`hush import ${file} --dry-run`), {
        code: 0,
        stdout: 'new global/NEW\nchanged global/OTHER\nunchanged global/SAME\n',
        stderr: 'hush: note: 2 secrets would be stored; nothing was\nhush: note: 1 reference left out\n',
      });
      const refused = await said(`hush import ${file}`);
      assert.equal(refused.code, 10);
      assert.equal(
        refused.stderr,
        'hush: error: nothing was stored: global/OTHER is there with another value\n' +
          'hush: hint: look with --dry-run; --overwrite gives them new versions\n',
      );
      await assert.rejects(client.get('global/NEW'));
      assert.equal(
        (await said(`hush import ${file} --overwrite`)).stdout,
        'new global/NEW\nchanged global/OTHER\nunchanged global/SAME\n',
      );
      assert.equal(await valueOf('global/NEW'), 'two\nlines');
      assert.equal(await valueOf('global/OTHER'), 'new');
      assert.equal((await client.get('global/SAME')).version, 1);
    });

    test('joins steps with dots behind scope and prefix, and tells all names that are none before it stores any', async () => {
      const file = put('in.yaml', 'db: {password: p, port: 5432, on: true, none: null}\nkeys: [a, b]\n');
      const { stdout } = await said(`hush import ${file} --scope ws:7 --prefix app. --json`);
      assert.deepEqual(JSON.parse(stdout), {
        profile: 'default',
        dryRun: false,
        references: 0,
        empty: 1,
        new: [
          'ws:7/app.db.on',
          'ws:7/app.db.password',
          'ws:7/app.db.port',
          'ws:7/app.keys.0',
          'ws:7/app.keys.1',
        ],
        changed: [],
        unchanged: [],
      });
      assert.equal(await valueOf('ws:7/app.db.port'), '5432');
      const bad = put(
        'bad.json',
        '{"ok": "v4lue", "a b": "v4lue", "_x": "v4lue", "c": {"d": "1"}, "c.d": "2"}',
      );
      const refused = await said(`hush import ${bad}`);
      assert.equal(refused.code, 2);
      assert.match(
        refused.stderr,
        /^hush: error: nothing was stored: 'a b' makes no name of a secret; '_x' makes .*; global\/c\.d would be made of two values\n/,
      );
      assert.equal(refused.stderr.includes('v4lue'), false);
      await assert.rejects(client.get('global/ok'));
    });

    test('stores nothing where one value is too large, or no text, or an option would do nothing', async () => {
      const file = put('large.env', `FITS=1\nLARGE=${'x'.repeat(64 * 1024 + 1)}\n`);
      for (const line of [`hush import ${file} --dry-run`, `hush import ${file}`]) {
        assert.deepEqual(await said(line), {
          code: 2,
          stdout: '',
          stderr:
            'hush: error: nothing was stored: global/LARGE: the value has 65537 bytes, the limit is 65536\n' +
            'hush: hint: see [limits] in config.toml\n',
        });
      }
      await assert.rejects(client.get('global/FITS'), { code: 'NOT_FOUND' });
      const half = put('half.json', '{"fits": "1", "half": "\\ud800"}');
      assert.match(
        (await said(`hush import ${half}`)).stderr,
        /nothing was stored: half has half a character/,
      );
      const fits = put('fits.env', 'FITS=1\n');
      for (const option of ['--key-file x', '--all', '--whole', '--legacy x --scope global']) {
        assert.equal((await said(`hush import ${fits} ${option}`)).code, 2, option);
      }
      assert.equal((await said(`hush import ${fits} --check`)).stdout, 'new global/FITS\n');
      await assert.rejects(client.get('global/FITS'), { code: 'NOT_FOUND' });
    });

    test('takes variables with their exact bytes, and never those of hush itself', async () => {
      const env = { FROM_ENV: 'v\n"é', HUSH_LEGACY_KEY: 'x' };
      assert.equal((await said('hush import --from env FROM_ENV', env)).stdout, 'new global/FROM_ENV\n');
      assert.equal(await valueOf('global/FROM_ENV'), 'v\n"é');
      const refused = await said('hush import --from env HUSH_LEGACY_KEY NOT_SET', env);
      assert.match(refused.stderr, /HUSH_LEGACY_KEY is for hush itself; NOT_SET is not set/);
      assert.equal(refused.code, 2);
      assert.equal(
        (await said('hush import --from env --all --dry-run', env)).stdout,
        'unchanged global/FROM_ENV\n',
      );
    });

    test('takes the entries of pass and of gopass as these programs decrypt them', async () => {
      const given = { GNUPGHOME: at('gnupg'), PASSWORD_STORE_DIR: at('store') };
      mkdirSync(given.GNUPGHOME, { mode: 0o700 });
      const env = { ...process.env, ...given, HOME: shell.home };
      const run = (program: string, args: readonly string[], input = ''): void => {
        execFileSync(program, args, { env, input, stdio: ['pipe', 'ignore', 'ignore'] });
      };
      try {
        run('gpg', [
          '--batch',
          '--passphrase',
          '',
          '--quick-gen-key',
          'a@example.com',
          'future-default',
          'default',
          'never',
        ]);
        run('pass', ['init', 'a@example.com']);
        run('pass', ['insert', '-m', 'email/work'], 'p4ss w0rd\nlogin: bob\n');
        run('pass', ['insert', '-m', 'single'], 'one line\n');
        run('pass', ['insert', '-m', '--', '-c'], 'no option\n');
        for (const program of ['pass', 'gopass']) {
          const { stdout, stderr, code } = await said(
            `hush import --from ${program} --scope ws:${program} email single`,
            given,
          );
          assert.equal(stdout, `new ws:${program}/email.work\nnew ws:${program}/single\n`, stderr);
          assert.equal(
            stderr,
            'hush: note: of 1 entry only the first line is taken; --whole takes them all\n' +
              'hush: note: 2 secrets stored\n',
          );
          assert.equal(code, 0);
          assert.equal(await valueOf(`ws:${program}/email.work`), 'p4ss w0rd');
          assert.equal(await valueOf(`ws:${program}/single`), 'one line');
          await said(`hush import --from ${program} --scope ws:${program} --prefix x -- -c`, given);
          assert.equal(await valueOf(`ws:${program}/x-c`), 'no option');
        }
        await said('hush import --from pass email/ --whole', given);
        assert.equal(await valueOf('global/email.work'), 'p4ss w0rd\nlogin: bob');
        assert.equal((await said('hush import --from pass nothing', given)).code, 6);
      } finally {
        run('gpgconf', ['--kill', 'all']);
      }
    });

    test('says that a program is not installed', async () => {
      const { code, stderr } = await said('hush import --from pass', {
        PATH: at('nowhere'),
        PASSWORD_STORE_DIR: at('store'),
      });
      assert.equal(code, 1);
      assert.match(stderr, /pass is not installed\nhush: hint: install pass/);
    });
  });

  describe('hush scan', () => {
    test('tells places and rules, and with --strict ends with 1', async () => {
      const tree = at('tree');
      mkdirSync(join(tree, 'node_modules'), { recursive: true });
      symlinkSync(tree, join(tree, 'loop'));
      writeFileSync(join(tree, 'node_modules', '.env'), 'TOKEN=hidden-from-view\n');
      writeFileSync(join(tree, 'binary.ini'), 'token=\0');
      await client.set('global/there', Buffer.from('x'));
      await client.call('secret.set', {
        path: 'global/expired',
        value: Buffer.from('x'),
        expiresAt: new Date(Date.now() - 1000).toISOString(),
      });
      writeFileSync(
        join(tree, 'app.toml'),
        'password = "hush://default/global/there"\nold = "hush://default/global/gone"\nbad = "hush://default/nowhere"\n' +
          '"é.password" = "hunter22"\napi_key = "${API_KEY}"\nsecret = "kn0wn" # hush-scan: ignore\nend = "hush://default/global/expired"\n' +
          'else = "hush://nowhere/global/x"\n',
        { mode: 0o644 },
      );
      const { code, stdout, stderr } = await said(`hush scan ${tree} --strict`);
      assert.equal(
        stdout.replaceAll(`${tree}/`, ''),
        'app.toml:1:1: medium loose-mode: a file with secrets in plain text that others can read or write\n' +
          'app.toml:2:8: medium dangling-reference: a reference to a secret that is not there\n' +
          'app.toml:3:8: medium malformed-reference: a reference that is none: hush://PROFILE/SCOPE/NAME\n' +
          'app.toml:4:17: medium secret-name: a value in plain text whose name says that it is a secret\n' +
          'app.toml:7:8: medium expired-reference: a reference to a value that has expired\n' +
          'app.toml:8:9: medium dangling-reference: a reference to a secret that is not there\n',
      );
      assert.equal(
        stderr.replaceAll(`${tree}/`, ''),
        'hush: note: binary.ini was not read: it is binary, UTF-16 or no regular file\n' +
          'hush: note: 6 findings in 1 file, 1 ignored\n',
      );
      assert.equal(code, 1);
      const again = await shell.runScript(`cd ${tree} && hush scan . ./app.toml ${tree}/app.toml`);
      assert.match(again.stderr, /note: 6 findings in 1 file, 1 ignored\n$/);
      const { screen } = await shell.type(`hush scan ${tree}`, []);
      assert.ok(screen.startsWith(`\r\x1b[K0 files looked through\r\x1b[K${tree}/app.toml:1:1: `), screen);
    });
  });
});
