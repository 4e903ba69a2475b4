import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fromProcess } from '@aws-sdk/credential-provider-process';
import { assertShown, commandsIn, pageOf, sectionOf } from '../../cli/shown.ts';
import { openUnlocked } from '../../cli/unlocked.ts';

describe('hush door aws', () => {
  test('is a credential_process of the AWS SDK', async (t) => {
    const shell = await openUnlocked(t);
    const run = (script: string) => shell.runScript(script);

    await t.test('as its page shows', async () => {
      const shown = commandsIn(sectionOf(pageOf('docs/doors.md'), 'AWS: `hush door aws`'));
      assert.equal(shown.length, 2);
      for (const one of shown) assertShown(await run(one.line), one);
    });

    await t.test('gives the SDK what the secret holds, its session and its end', async () => {
      const until = new Date(Date.now() + 3_600_000).toISOString();
      const held = {
        AccessKeyId: 'AKIA',
        SecretAccessKey: 'se/c"ret',
        SessionToken: 'to\u00fcken',
        AccountId: '123456789012',
        Other: 'x',
      };
      await shell.run(`hush set global/session --expires ${until}`, { input: JSON.stringify(held) });
      mkdirSync(join(shell.home, '.aws'));
      const config = join(shell.home, '.aws', 'config');
      // The SDK runs it with the environment of this test, which knows no home.
      const door = `env HUSH_HOME=${shell.home} ${join(shell.home, 'bin', 'hush')} door aws global/session`;
      writeFileSync(config, `[profile deploy]\ncredential_process = ${door}\n`);
      const provider = fromProcess({
        profile: 'deploy',
        configFilepath: config,
        filepath: join(shell.home, '.aws', 'credentials'),
      });
      const { accessKeyId, secretAccessKey, sessionToken, accountId, expiration } = await provider();
      assert.deepEqual(
        { accessKeyId, secretAccessKey, sessionToken, accountId, expiration: expiration?.toISOString() },
        {
          accessKeyId: 'AKIA',
          secretAccessKey: 'se/c"ret',
          sessionToken: 'to\u00fcken',
          accountId: '123456789012',
          expiration: until,
        },
      );
    });

    await t.test('what is no credential, or is over, is an error and no answer', async () => {
      for (const [held, code, said] of [
        ['garbage', 2, 'global/wrong is not one JSON object of texts'],
        ['{"AccessKeyId":"a"}', 2, 'global/wrong has no SecretAccessKey'],
        ...['soon', '2099'].map(
          (time) =>
            [
              `{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"${time}"}`,
              2,
              'the Expiration in global/wrong is no time',
            ] as const,
        ),
        [
          '{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"2020-01-01T00:00:00Z"}',
          10,
          'the credentials in global/wrong have expired',
        ],
      ] as const) {
        await shell.run('hush set global/wrong', { input: held });
        const ended = await shell.run('hush door aws global/wrong');
        assert.deepEqual([ended.code, ended.stdout], [code, '']);
        assert.equal(ended.stderr.split('\n')[0], `hush: error: ${said}`);
      }
      assert.equal((await shell.run('hush door aws global/none')).code, 6);
    });
  });
});
