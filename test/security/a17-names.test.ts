import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startUnlocked } from '../support/daemon.ts';
import { textOf, utf8 } from './facts.ts';
import { codeOf, greetedWire } from './wire.ts';

const profile = 'default';

/** The rule of docs/protocol.md, section 5, written anew. */
const isPath = (text: string): boolean => {
  const name = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
  const [scope = '', own = '', ...more] = text.split('/');
  const id =
    scope.startsWith('ws:') || scope.startsWith('pr:') ? scope.slice(3) : scope === 'global' ? 'global' : '';
  return (
    more.length === 0 &&
    [id, own].every((part) => name.test(part) && part.length <= 128 && !part.includes('..'))
  );
};

test('A17: names', async (t) => {
  const { client, daemon } = await startUnlocked(t);
  const wire = await greetedWire(t, daemon.socket);

  await t.test(
    'A17: a secret may be named like a variable that loads code: to the daemon it is a name',
    async () => {
      const names = [
        'LD_PRELOAD',
        'LD_LIBRARY_PATH',
        'NODE_OPTIONS',
        'PATH',
        'IFS',
        'BASH_ENV',
        'constructor',
        'toString',
      ];
      for (const name of names) await client.set(`global/${name}`, utf8(`value of ${name}`));
      for (const name of names)
        assert.equal(textOf((await client.get(`global/${name}`)).value), `value of ${name}`);
      const listed = [];
      for await (const { path } of client.list()) listed.push(path);
      assert.deepEqual(listed.sort(), names.map((name) => `global/${name}`).sort());
      for (const path of listed) await client.delete(path);
    },
  );

  await t.test(
    'A17: what cannot be a name is INVALID_NAME to set, get and delete, and nothing is kept of it',
    async () => {
      const codesOf = async (path: string): Promise<readonly string[]> => [
        codeOf(await wire.ask('secret.set', { profile, path, value: utf8('x') })),
        codeOf(await wire.ask('secret.get', { profile, path })),
        codeOf(await wire.ask('secret.delete', { profile, path })),
      ];
      const refused = [
        'global/BASH_FUNC_x%%',
        'global/%',
        'global/A=B',
        'global/=',
        'global/a/b',
        'global/',
        'global//a',
        '/a',
        'a',
        '',
        'global',
        'global/..',
        'global/a..b',
        'global/../a',
        '../global/a',
        'global/.a',
        'global/-a',
        'global/_a',
        'global/a b',
        'global/a\n',
        'global/a\0',
        'global/\u001b[2J',
        'global/a\u007f',
        'global/a\u009b',
        'global/a\u202e',
        'global/é',
        'global/\ud83d\ude00',
        'global/$(id)',
        'global/`id`',
        "global/a'b",
        'global/a"b',
        'global/a\\b',
        `global/${'a'.repeat(129)}`,
        'Global/a',
        'ws:/a',
        'ws:../a',
        'ws:a b/a',
        'ws/a',
        `pr:${'a'.repeat(129)}/a`,
        'xx:a/a',
        'hush://default/global/a',
        ' global/a',
        'global/a ',
      ];
      for (const path of refused) {
        assert.deepEqual(
          await codesOf(path),
          ['INVALID_NAME', 'INVALID_NAME', 'INVALID_NAME'],
          JSON.stringify(path),
        );
      }
      for (const path of [
        `global/${'a'.repeat(128)}`,
        `ws:${'b'.repeat(128)}/c`,
        'pr:a.b-c_d/E.1',
        'global/0',
      ]) {
        assert.deepEqual(await codesOf(path), ['ok', 'ok', 'ok'], path);
      }
      const part = fc.string({
        unit: fc.constantFrom('a', 'Z', '0', '.', '_', '-', '/', ':', '%', '=', ' ', '\n', '\0', 'é'),
        maxLength: 6,
      });
      const scope = fc.constantFrom('global/', 'ws:', 'pr:', 'ws:a/', '');
      await fc.assert(
        fc.asyncProperty(scope, part, async (start, rest) => {
          const path = start + rest;
          const code = codeOf(await wire.ask('secret.get', { profile, path }));
          assert.equal(code, isPath(path) ? 'NOT_FOUND' : 'INVALID_NAME', JSON.stringify(path));
        }),
        { numRuns: 500 },
      );
      for await (const { path } of client.list()) assert.fail(`${path} was kept`);
    },
  );

  await t.test(
    'A17: what cannot be the name of a profile is refused alike, and no file is touched for it',
    async () => {
      for (const name of [
        '..',
        '../..',
        'a/b',
        '.hidden',
        '',
        'a b',
        'a\n',
        'default/',
        'a'.repeat(65),
        'default\0',
      ]) {
        const calls = [
          await wire.ask('secret.get', { profile: name, path: 'global/a' }),
          await wire.ask('lock', { profile: name }),
          await wire.ask('profile.delete', { profile: name }),
          await wire.ask('unlock', {
            profile: name,
            credentials: [{ kind: 'passphrase', secret: utf8('x') }],
          }),
        ];
        assert.deepEqual(
          calls.map(codeOf),
          calls.map(() => 'INVALID_NAME'),
          JSON.stringify(name),
        );
      }
    },
  );
});
