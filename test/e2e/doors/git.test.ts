import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createConnection, createServer as createProxy, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect } from '../../../client/index.ts';
import { assertShown, commandsIn, pageOf, sectionOf } from '../../cli/shown.ts';
import { openUnlocked } from '../../cli/unlocked.ts';
import { ask, openWithHelpers, type AskOptions } from './helpers.ts';

interface GitServer {
  readonly url: string;
  /** The credentials that it was shown, each once. */
  readonly shown: Set<string>;
}

/** A git server over HTTP, git's own, that wants `alice:open sesame`. */
async function serveGit(t: TestContext, root: string): Promise<GitServer> {
  const shown = new Set<string>();
  const server = createServer((request, response) => {
    const [, given = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (given !== '') shown.add(Buffer.from(given, 'base64').toString());
    if (Buffer.from(given, 'base64').toString() === 'alice:open sesame') answer(root, request, response);
    else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // It listens on a port of its own.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, shown };
}

/** Passes a request to git's CGI program, and its answer back. */
function answer(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'alice',
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
    },
  });
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  backend.once('close', () => {
    const all = Buffer.concat(chunks);
    const end = all.indexOf('\r\n\r\n');
    const headers = all
      .subarray(0, end)
      .toString('latin1')
      .split('\r\n')
      .map((line) => line.split(': ', 2) as [string, string]);
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
    response.writeHead(Number.parseInt(status), Object.fromEntries(headers)).end(all.subarray(end + 4));
  });
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

describe('git-credential-hush', () => {
  test('is what git signs in with, keeps and forgets', async (t) => {
    const shell = await openUnlocked(t, openWithHelpers(t));
    const run = (script: string) => shell.runScript(`export GIT_TERMINAL_PROMPT=0; ${script}`);
    const root = join(shell.home, 'served');
    mkdirSync(root);
    const { url, shown } = await serveGit(t, root);
    const made = await run(
      `git init -q --bare served/app.git && git init -q work && cd work && git config user.name a && git config user.email a@b &&
       echo hello > file && git add file && git commit -qm first && git push -q ../served/app.git HEAD:refs/heads/main &&
       git --git-dir=../served/app.git symbolic-ref HEAD refs/heads/main && git config --global credential.helper hush`,
    );
    assert.equal(made.code, 0, made.stderr);

    await t.test('a clone without a credential asks, and with the one that was given works', async () => {
      assert.match((await run(`git clone -q ${url}/app.git none`)).stderr, /terminal prompts disabled/);
      // What git asks on a terminal comes from this program instead.
      const askpass = join(shell.home, 'askpass');
      writeFileSync(askpass, '#!/bin/sh\ncase $1 in Username*) echo alice;; *) echo open sesame;; esac\n', {
        mode: 0o700,
      });
      const first = await run(`GIT_ASKPASS='${askpass}' git clone -q ${url}/app.git first && cat first/file`);
      assert.deepEqual([first.code, first.stdout], [0, 'hello\n'], first.stderr);
      const second = await run(`git clone -q ${url}/app.git second && cat second/file && hush list`);
      const name = `pr:logins/git.127.0.0.1_3a${new URL(url).port}_shttp`;
      assert.deepEqual([second.stdout, second.stderr], [`hello\n${name}\n`, '']);
      assert.deepEqual([...shown], ['alice:open sesame']);

      const history = await shell.run(`hush history ${name} --json`);
      // To sign in with what is kept changes nothing.
      assert.equal((JSON.parse(history.stdout) as { versions: unknown[] }).versions.length, 1);
    });

    await t.test('a credential that the server refuses is deleted, and can be brought back', async () => {
      const name = `pr:logins/git.127.0.0.1_3a${new URL(url).port}_shttp`;
      await run(`printf 'username=alice\\npassword=wrong\\n' | hush set ${name}`);
      assert.match(
        (await run(`git clone -q ${url}/app.git none`)).stderr,
        /Authentication failed|prompts disabled/,
      );
      const read = await run(
        `hush get ${name} --reveal; hush restore ${name} --version 1; git clone -q ${url}/app.git third`,
      );
      assert.equal(read.code, 0, read.stderr);
    });

    await t.test('as its page shows', async () => {
      const at = `pr:logins/git.127.0.0.1_3a${new URL(url).port}_shttp`;
      await shell.run(`hush delete ${at} --yes`);
      const shownLines = commandsIn(sectionOf(pageOf('docs/doors.md'), 'git: `git-credential-hush`'));
      assert.ok(shownLines.length >= 7);
      for (const one of shownLines) assertShown(await run(one.line), one);
    });

    await t.test('each user and each path has a credential of its own', async () => {
      const { stdout } = await run(
        `for user in carol dave; do
           printf "protocol=https\\nhost=two.example\\nusername=$user\\npassword=of $user\\n" | git credential approve; done
         printf 'protocol=https\\nhost=two.example\\nusername=dave\\n\\n' | git credential fill | tail -1
         printf 'protocol=https\\nhost=two.example\\n\\n' | git credential fill | tail -1
         printf 'protocol=https\\nhost=two.example\\nusername=carol\\n\\n' | git credential reject
         printf 'protocol=https\\nhost=two.example\\nusername=dave\\n\\n' | git credential fill | tail -1
         git config --global credential.useHttpPath true
         printf 'protocol=https\\nhost=two.example\\npath=a.git\\nusername=x\\npassword=of a\\n' | git credential approve
         printf 'protocol=https\\nhost=two.example\\npath=a.git\\n\\n' | git credential fill | tail -1
         hush list --prefix pr:logins/git.two`,
      );
      assert.deepEqual(lines(stdout), [
        'password=of dave',
        'password=of carol',
        'password=of dave',
        'password=of a',
        'pr:logins/git.two.example_pa.git',
        'pr:logins/git.two.example_udave',
      ]);
    });

    const helper = (words: readonly string[], input: string | Uint8Array, options?: AskOptions) =>
      ask(shell, 'git-credential-hush', words, input, options);

    await t.test('who takes over the name of a place signs in with what they typed last', async () => {
      const at = (user: string, password: string): string =>
        `protocol=https\nhost=three.example\nusername=${user}\npassword=${password}\n`;
      for (const [action, user, password] of [
        ['store', 'carol', 'of carol'],
        ['store', 'dave', 'old'],
        ['erase', 'carol', 'of carol'],
        ['store', 'dave', 'new'],
      ] as const) {
        assert.deepEqual(await helper([action], at(user, password)), { code: 0, stdout: '', stderr: '' });
      }
      for (const asked of ['protocol=https\nhost=three.example\n', at('dave', 'x')]) {
        assert.equal((await helper(['get'], asked)).stdout, 'username=dave\npassword=new\n');
      }
    });

    await t.test(
      "a credential that a person wrote is anybody's, and stays as it is until it fails",
      async () => {
        const at = (user: string): string => `protocol=https\nhost=four.example\nusername=${user}\n`;
        const kept = 'password=token\noauth_refresh_token=r\n';
        await shell.run('hush set pr:logins/git.four.example --expires 1h', { input: kept });
        assert.match((await helper(['get'], at('dave'))).stdout, /^username=dave\npassword=token\n/);
        // An older git tells less than it was given.
        await helper(['store'], `${at('dave')}password=token\n`);
        assert.match((await helper(['get'], at('erin'))).stdout, /^username=erin\n[^]*password_expiry_utc=/);
        assert.equal((await shell.run('hush get pr:logins/git.four.example --reveal')).stdout, kept);
        await helper(['erase'], `${at('erin')}password=another\n`);
        assert.notEqual((await helper(['get'], at('erin'))).stdout, '');
        await helper(['erase'], `${at('erin')}password=token\n`);
        assert.equal((await helper(['get'], at('erin'))).stdout, '');
      },
    );

    await t.test('what was written since git read it is not deleted', async (t) => {
      const told = 'protocol=https\nhost=race.example\nusername=r\npassword=old\n';
      await helper(['store'], told);
      const client = await connect({ socket: join(shell.home, 'hushd.sock') });
      t.after(() => client.close());
      const fresh = 'username=r\npassword=new\n';
      const proxy = createProxy((listener) => {
        listener.on('error', () => undefined);
        const daemon = createConnection(join(shell.home, 'hushd.sock'));
        daemon.on('error', () => undefined);
        daemon.pipe(listener);
        listener.on('data', (frame) => {
          const first = frame.includes('secret.delete')
            ? client.set('pr:logins/git.race.example', Buffer.from(fresh))
            : Promise.resolve();
          void first.then(() => daemon.write(frame));
        });
        listener.on('close', () => daemon.destroy());
      }).listen(join(shell.home, 'proxy.sock'));
      t.after(() => proxy.close());
      await once(proxy, 'listening');
      const env = { HUSH_SOCKET: join(shell.home, 'proxy.sock') };
      assert.deepEqual(await helper(['erase'], told, { env }), { code: 0, stdout: '', stderr: '' });
      assert.equal((await helper(['get'], 'protocol=https\nhost=race.example\n\n')).stdout, fresh);
    });

    await t.test('a secret that is refused hides none that is not', async () => {
      await run(
        'echo garbage | hush set pr:logins/git.five.example; echo password=p | hush set pr:logins/git.five.example_udave',
      );
      const at = (user: string): string => `protocol=https\nhost=five.example\nusername=${user}\n`;
      assert.equal((await helper(['get'], at('dave'))).stdout, 'username=dave\npassword=p\n');
      const other = await helper(['get'], at('erin'));
      assert.deepEqual([other.code, other.stdout], [2, '']);
      assert.match(other.stderr, /^hush: error: a line of pr:logins\/git\.five\.example is not NAME=VALUE\n/);
    });

    await t.test('a password that expires is kept as one, and what git may refresh it with too', async () => {
      const until = Math.floor(Date.now() / 1000) + 3600;
      const told = `protocol=https\nhost=oauth.example\nusername=o\npassword=p\noauth_refresh_token=r\npassword_expiry_utc=${until}\n`;
      assert.deepEqual(await helper(['store'], told), { code: 0, stdout: '', stderr: '' });
      const { stdout } = await helper(
        ['get'],
        'protocol=https\nhost=oauth.example\nwwwauth[]=Bearer\nwwwauth[]=Basic\nstate[]=\ncredential=x\r\n\n',
      );
      assert.deepEqual(lines(stdout), [
        'username=o',
        'password=p',
        'oauth_refresh_token=r',
        `password_expiry_utc=${until}`,
      ]);
    });

    await t.test('hosts that mean to be taken for another get nothing', async () => {
      const hosts = [
        'two.example%0a',
        'two.example.',
        'two.example:443',
        'two..example',
        'x\r',
        'two.example_udave',
      ];
      for (const host of hosts) {
        const { stdout } = await helper(['get'], `protocol=https\nhost=${host}\n\n`);
        assert.equal(stdout, '', host);
      }
      // So an old git lets a URL with a newline in it speak (CVE-2020-5260).
      for (const name of ['protocol=https', 'host=oauth.example', 'path=']) {
        const said = await helper(['get'], `protocol=https\nhost=oauth.example\npath=\n${name}\n\n`);
        assert.deepEqual([said.code, said.stdout], [2, ''], said.stderr);
      }
      const { stdout } = await helper(['get'], 'protocol=https\nhost=OAUTH.Example\n\n');
      assert.match(stdout, /^password=p$/m);
    });

    await t.test('a secret that was copied to the name of another host is refused', async () => {
      await shell.run('hush copy pr:logins/git.oauth.example pr:logins/git.evil.example');
      assert.deepEqual(await helper(['get'], 'protocol=https\nhost=evil.example\n\n'), {
        code: 10,
        stdout: '',
        stderr:
          'hush: error: pr:logins/git.evil.example holds a credential for another host or path\n' +
          'hush: hint: hush delete pr:logins/git.evil.example, and let git ask again\n',
      });
    });

    await t.test('a value that git cannot take is refused by name, and never shown', async () => {
      await run("printf 'two\\nlines' | hush set global/two-lines");
      const words = ['--secret', 'global/two-lines', '--username', 'u', 'get'];
      const refused = await helper(words, 'protocol=https\nhost=a.example\n\n');
      assert.equal(refused.code, 2);
      assert.equal(refused.stdout, '');
      assert.match(refused.stderr, /^hush: error: global\/two-lines has a newline/);
    });

    await t.test('whatever it is fed: it ends, says what is wrong, and shows no value', async () => {
      assert.deepEqual(await helper(['get'], ''), { code: 0, stdout: '', stderr: '' });
      assert.deepEqual(await helper(['capability'], 'x'), { code: 0, stdout: '', stderr: '' });
      for (const [input, code] of [
        ['garbage', 2],
        ['=x\n', 2],
        ['protocol=https\nhost=a\0b\n', 2],
        [`protocol=https\nhost=${'h'.repeat(1024 * 1024)}\n`, 2],
        [Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) % 256), 2],
      ] as const) {
        const said = await helper(['get'], input);
        assert.equal(said.code, code, said.stderr);
        assert.equal(said.stdout, '');
        assert.match(said.stderr, /^hush: error: /);
      }
      const deaf = await helper(['get'], 'protocol=https\nhost=oauth.example\n\n', { isDeaf: true });
      assert.deepEqual([deaf.code, deaf.stderr], [141, '']);
      assert.equal((await helper([], '')).code, 2);
      assert.equal((await helper(['--no-such', 'x', 'get'], '')).code, 2);
    });

    await t.test('while the profile is locked it says so, and git goes on without', async () => {
      await shell.run('hush lock');
      const locked = await helper(['get'], 'protocol=https\nhost=oauth.example\n\n');
      assert.deepEqual([locked.code, locked.stdout], [4, '']);
      assert.match(locked.stderr, /hush: hint: hush unlock/);
      const { stderr } = await run(
        "printf 'protocol=https\\nhost=oauth.example\\n\\n' | git credential fill",
      );
      assert.match(stderr, /is locked[^]*terminal prompts disabled/);
    });
  });
});
