import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { assertShown, commandsIn, pageOf, sectionOf } from '../../cli/shown.ts';
import { openUnlocked } from '../../cli/unlocked.ts';
import { ask, openWithHelpers } from './helpers.ts';

/** As much of a registry as `login` and `list-tags` need, for `bob` with the password `s3 "cret"`. */
async function serveRegistry(t: TestContext): Promise<string> {
  const server = createServer(({ url, headers }, response) => {
    const expected = `Basic ${Buffer.from('bob:s3 "cret"').toString('base64')}`;
    if (headers.authorization !== expected) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="registry"' }).end('{"errors":[]}');
      return;
    }
    response.writeHead(200, {
      'Docker-Distribution-Api-Version': 'registry/2.0',
      'Content-Type': 'application/json',
    });
    response.end(url?.endsWith('/tags/list') === true ? '{"name":"app","tags":["one"]}' : '{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // It listens on a port of its own.
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('docker-credential-hush', () => {
  test('is where docker and skopeo keep what they log in with', async (t) => {
    const shell = await openUnlocked(t, openWithHelpers(t));
    const run = (script: string) => shell.runScript(script);
    const registry = await serveRegistry(t);
    const config = join(shell.home, '.docker', 'config.json');
    mkdirSync(join(shell.home, '.docker'));
    writeFileSync(config, '{"credsStore":"hush"}');
    const kept = `pr:logins/docker.${registry.replace(':', '_3a')}`;

    await t.test('skopeo logs in, uses it, and logs out', async () => {
      const auth = join(shell.home, 'auth.json');
      writeFileSync(auth, JSON.stringify({ credHelpers: { [registry]: 'hush' } }));
      const skopeo = (line: string): string => `skopeo ${line} --authfile '${auth}'`;
      const login = await run(
        `printf '%s' 's3 "cret"' | ${skopeo(`login --tls-verify=false ${registry} -u bob --password-stdin`)}; hush list`,
      );
      assert.match(login.stdout, /Login Succeeded/, login.stderr);
      assert.ok(login.stdout.includes(kept));
      assert.ok(!readFileSync(auth, 'utf8').includes('cret'));
      const tags = await run(skopeo(`list-tags --tls-verify=false docker://${registry}/app`));
      assert.match(tags.stdout, /"one"/, tags.stderr);
      const logout = await run(`${skopeo(`logout ${registry}`)}; hush list`);
      assert.match(logout.stdout, /Removed login credentials/, logout.stderr);
      assert.ok(!logout.stdout.includes(kept));
      const without = await run(skopeo(`list-tags --tls-verify=false docker://${registry}/app`));
      assert.notEqual(without.code, 0);
    });

    await t.test('docker logs in, and out', async (t2) => {
      if ((await run('command -v docker')).code !== 0) {
        t2.skip('there is no docker command');
        return;
      }
      const environment = 'DOCKER_HOST=unix:///nowhere';
      const login = await run(
        `printf '%s' 's3 "cret"' | ${environment} docker login ${registry} -u bob --password-stdin; hush get ${kept} --reveal`,
      );
      assert.equal(login.code, 0, login.stderr);
      assert.match(login.stdout, /Login Succeeded/);
      assert.ok(
        login.stdout.includes(`{"ServerURL":"${registry}","Username":"bob","Secret":"s3 \\"cret\\""}`),
      );
      assert.ok(!readFileSync(config, 'utf8').includes('auth":'));
      assert.ok(!JSON.stringify(readFileSync(config, 'utf8')).includes('cret"'));
      // Beyond this point it wants its daemon.
      const again = await run(`${environment} docker login ${registry} </dev/null`);
      assert.match(again.stdout + again.stderr, /existing credentials.+Username: bob/);
      const logout = await run(`${environment} docker logout ${registry}; hush list`);
      assert.ok(!logout.stdout.includes(kept), logout.stderr);
    });

    await t.test('as its page shows', async () => {
      const shown = commandsIn(sectionOf(pageOf('docs/doors.md'), 'docker: `docker-credential-hush`'));
      assert.ok(shown.length >= 6);
      for (const one of shown) assertShown(await run(one.line), one);
    });

    const helper = (words: readonly string[], input: string | Uint8Array, options?: { isDeaf: boolean }) =>
      ask(shell, 'docker-credential-hush', words, input, options);

    await t.test(
      'whatever it is fed: it says on standard output what is wrong, and ends with 1',
      async () => {
        const wrong: [word: string, input: string | Uint8Array, said: string][] = [
          ['get', '', 'no credentials server URL\n'],
          ['get', 'https://nobody.example', 'credentials not found in native keychain\n'],
          ['erase', 'https://nobody.example', 'credentials not found in native keychain\n'],
          ['get', 'a\0b', 'that is not the name of a server\n'],
          ['get', Uint8Array.of(0xff, 0xfe), 'that is not the name of a server\n'],
          ['get', 'x'.repeat(1024 * 1024), 'standard input holds more than 262144 bytes'],
          ['store', '', 'what docker says is not one JSON object of texts'],
          ['store', 'garbage', 'what docker says is not one JSON object of texts'],
          ['store', '{"Username":"u","Secret":"s"}', 'no credentials server URL\n'],
          ['store', '{"ServerURL":"s","Secret":"s"}', 'no credentials username\n'],
          [
            'store',
            '{"ServerURL":"a\\ud800","Username":"u","Secret":"s"}',
            'that is not the name of a server\n',
          ],
          ['store', '{"ServerURL":" a","Username":"u","Secret":"s"}', 'that is not the name of a server\n'],
          ['jump', '', 'docker asks for get, store, erase, list or version\n'],
        ];
        for (const [word, input, said] of wrong) {
          const { code, stdout, stderr } = await helper([word], input);
          assert.deepEqual([code, stdout.slice(0, said.length), stderr], [1, said, ''], word);
        }
      },
    );

    await t.test('a registry with a path, and other secrets of such names, are told apart', async () => {
      const server = 'https://Registry.example:5000/v1/\u00fc';
      await helper(['store'], JSON.stringify({ ServerURL: server, Username: 'u\u00fc', Secret: 'a\nb' }));
      await run("printf 'no json' | hush set pr:logins/docker.other");
      const { stdout } = await helper(['get'], `${server}\n`);
      assert.deepEqual(JSON.parse(stdout), { ServerURL: server, Username: 'u\u00fc', Secret: 'a\nb' });
      assert.deepEqual(JSON.parse((await helper(['list'], '')).stdout), { [server]: 'u\u00fc' });
      assert.match((await helper(['version'], '')).stdout, /^docker-credential-hush \d+\.\d+\.\d+\n$/);
      const { code } = await helper(['get'], server, { isDeaf: true });
      assert.equal(code, 1);

      await run(
        `hush copy ${(await run('hush list --prefix pr:logins/docker.https')).stdout.trim()} pr:logins/docker.evil`,
      );
      const evil = await helper(['get'], 'evil');
      const { stdout: listed } = await helper(['list'], '');
      assert.equal(listed, `{${JSON.stringify(server)}:"u\u00fc"}\n`);
      assert.deepEqual(
        [evil.code, evil.stdout.split(' (')[0]],
        [1, 'the secret holds a credential for another server'],
      );
    });

    await t.test('while the profile is locked it says so', async () => {
      await shell.run('hush lock');
      const { code, stdout } = await helper(['get'], 'x.example');
      assert.deepEqual([code, stdout], [1, 'the profile default is locked (hush unlock -p default)\n']);
    });
  });
});
