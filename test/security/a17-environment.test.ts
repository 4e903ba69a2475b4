import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandVariables, isForbiddenVariable, loaderVariables } from '../../daemon/forbidden-env.ts';
import { connect } from '../../client/index.ts';
import { openUnlocked } from '../cli/unlocked.ts';
import { utf8 } from './facts.ts';

/** A name of a secret that maps to each entry of the table that can be one; a `*` stands for some rest. */
const names = [...loaderVariables, ...commandVariables]
  .map((entry) => entry.replace('*', 'x').toLowerCase())
  .filter((name) => /^[a-z]/.test(name));

test('A17: no value reaches a variable that changes which code is run, on any path', async (t) => {
  const shell = await openUnlocked(t);
  const path = (name: string): string => join(shell.home, name);
  const client = await connect({ socket: path('hushd.sock') });
  t.after(() => client.close());
  await client.set('global/value', utf8('/tmp/evil.so'));
  for (const name of names) await client.set(`pr:evil/${name}`, utf8('/tmp/evil.so'));
  const started = path('started');

  /** Runs the line, and gives the variables that it has refused. */
  const refusedBy = async (line: string, env: NodeJS.ProcessEnv = {}): Promise<string[]> => {
    const { code, stdout, stderr } = await shell.run(line, { env });
    assert.deepEqual([code, stdout], [10, ''], line);
    assert.equal(existsSync(started), false, line);
    return [...stderr.matchAll(/^hush: error: (\S+) .*: a variable of that name changes/gm)].map(
      ([, name = '']) => name,
    );
  };

  await t.test('by its own name, in run and in env, all of them told at once', async () => {
    const expected = names.map((name) => name.toUpperCase()).sort();
    assert.ok(expected.length > 200);
    assert.deepEqual((await refusedBy(`hush run --scope pr:evil -- touch ${started}`)).sort(), expected);
    for (const format of ['shell', 'dotenv', 'json'])
      assert.deepEqual((await refusedBy(`hush env --scope pr:evil --format ${format}`)).sort(), expected);
  });

  await t.test('by a mapping, by a prefix, in lower case too', async () => {
    const line = (rest: string): string => `hush run ${rest} -- touch ${started}`;
    assert.deepEqual(
      await refusedBy(line('--only value --map value=LD_PRELOAD value=node_options value=PaTh')),
      ['LD_PRELOAD', 'node_options', 'PaTh'],
    );
    assert.deepEqual(await refusedBy(line('--only value --prefix LD_')), ['LD_VALUE']);
    assert.deepEqual(await refusedBy('hush env --only value --prefix BASH_FUNC_'), ['BASH_FUNC_VALUE']);
  });

  await t.test(
    'in an env file, as a reference and as plain text, and in the environment as a reference',
    async () => {
      writeFileSync(
        path('evil.env'),
        'LD_AUDIT=hush://default/global/value\nPYTHONSTARTUP=/tmp/x.py\nexport IFS=x\n',
      );
      const line = `hush run --references-only --env-file ${path('evil.env')} -- touch ${started}`;
      const env = {
        BASH_ENV: 'hush://default/global/value',
        PERL5OPT: '-Mx',
        HUSH_X: 'x{{hush://default/global/value}}',
      };
      assert.deepEqual((await refusedBy(line, env)).sort(), [
        'BASH_ENV',
        'HUSH_X',
        'IFS',
        'LD_AUDIT',
        'PYTHONSTARTUP',
      ]);
    },
  );

  await t.test(
    'a name with characters that no variable has is none: BASH_FUNC_x%% cannot be mapped to, nor stand in a file',
    async () => {
      writeFileSync(path('function.env'), 'BASH_FUNC_x%%=() { id; }\n');
      for (const rest of [`--map value=BASH_FUNC_x%%`, `--env-file ${path('function.env')}`]) {
        const { code } = await shell.run(`hush run --references-only ${rest} -- touch ${started}`);
        assert.equal(code, 2, rest);
      }
      assert.equal(existsSync(started), false);
    },
  );

  await t.test('what everybody needs is free', () => {
    for (const name of [
      'DATABASE_URL',
      'NODE_ENV',
      'GITHUB_TOKEN',
      'PGPASSWORD',
      'AWS_SECRET_ACCESS_KEY',
      'HTTPS_PROXY',
      'LANG',
      'TZ',
      'PORT',
    ])
      assert.equal(isForbiddenVariable(name), false, name);
  });
});
