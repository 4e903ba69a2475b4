import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { connect, type HushClient } from '../../client/index.ts';
import { openShell, type Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe('hush inject', () => {
  let shell: Shell;
  let client: HushClient;
  const undo: (() => unknown)[] = [];
  const path = (name: string): string => join(shell.home, name);

  before(async () => {
    const life = { after: (act: () => unknown) => void undo.unshift(act) } as unknown as TestContext;
    shell = await openUnlocked(life, openShell(life));
    client = await connect({ socket: path('hushd.sock') });
    await client.set('global/db', utf8('p@ss"word'));
    await client.set('global/bytes', new Uint8Array([0, 0xff, 0x0a, 0x0d]));
    await client.set('global/hash', utf8('what#Node-cuts-off'));
    await client.set('ws:42/key', utf8('line one\nLD_PRELOAD=/tmp/x'));
    await client.set('ws:42/colon', utf8('line one\nLD_PRELOAD: /tmp/x'));
  });
  after(async () => {
    client.close();
    for (const act of undo) await act();
  });

  test('puts values in the places of references, and leaves every other byte', async () => {
    const before = Buffer.concat([
      Buffer.from('url: x://u:hush://default/global/db@h\n\xff\0 ', 'latin1'),
      Buffer.from(
        '{{hush://default/global/bytes}} \\hush://not/one {{ other }} {{ hush://default/ws:42/key }}',
      ),
    ]);
    writeFileSync(path('t.yaml'), before);
    writeFileSync(path('o.yaml'), 'old', { mode: 0o644 });
    const { code, stdout, stderr } = await shell.run(`hush inject -i ${path('t.yaml')} -o ${path('o.yaml')}`);
    assert.deepEqual([code, stdout, stderr], [0, `${path('o.yaml')} is written\n`, '']);
    assert.equal(lstatSync(path('o.yaml')).mode & 0o777, 0o600);
    assert.equal(
      readFileSync(path('o.yaml'), 'latin1'),
      'url: x://u:p@ss"word@h\n\xff\0 \0\xff\n\r hush://not/one {{ other }} line one\nLD_PRELOAD=/tmp/x',
    );
    const piped = await shell.runForBytes('hush inject -i - -o -', {
      input: '{{hush://default/global/bytes}}',
    });
    assert.deepEqual([piped.code, [...piped.stdout]], [0, [0, 0xff, 0x0a, 0x0d]]);
  });

  test('puts values in any number of places', async () => {
    const input = '{{hush://default/global/db}}\n'.repeat(70_000);
    const { code, stdout } = await shell.runForBytes('hush inject -i - -o -', { input });
    assert.deepEqual([code, stdout.length], [0, 'p@ss"word\n'.length * 70_000]);
  });

  test('writes nothing where a reference leads nowhere, and tells of all of them', async () => {
    const input =
      'a hush://default/global/absent\nb hush://default/global/db/x\nc hush://nowhere/global/a hush://default/global/db\n';
    const { code, stderr } = await shell.run(`hush inject -i - -o ${path('none')}`, { input });
    assert.equal(code, 6);
    assert.deepEqual(
      stderr.split('\n').filter((line) => line.startsWith('hush: error')),
      [
        'hush: error: there is no profile nowhere',
        'hush: error: standard input: hush://default/global/absent: there is no such secret',
        'hush: error: standard input, line 2: a reference is malformed: that is not the path of a secret',
        'hush: error: nothing was written',
      ],
    );
    assert.equal(existsSync(path('none')), false);
    symlinkSync(path('target'), path('link'));
    const link = await shell.run(`hush inject -i - -o ${path('link')}`, { input: 'x' });
    assert.equal(link.code, 10);
    assert.equal(existsSync(path('target')), false);
  });

  test('A17: in an env file a value stays one value of one variable, and no forbidden one', async () => {
    writeFileSync(path('.env.tpl'), 'A=1\nKEY=hush://default/ws:42/key\n');
    const open = await shell.run(`hush inject -i ${path('.env.tpl')} -o ${path('out')}`);
    assert.deepEqual([open.code, existsSync(path('out'))], [2, false]);
    assert.match(open.stderr, /line 2: the value of KEY would not be read back as it is\n/);
    for (const input of [
      '# hush://default/ws:42/key\n',
      '# hush://default/ws:42/colon\n',
      'KEY=hush://default/global/hash\n',
    ]) {
      const hidden = await shell.run(`hush inject -i - -o ${path('out.env')}`, { input });
      assert.deepEqual([hidden.code, existsSync(path('out.env'))], [2, false], input);
      assert.match(
        hidden.stderr,
        /a value would be read as lines of its own\n|value of KEY would not be read/,
      );
    }
    const input = `A=1\nKEY='hush://default/ws:42/key'\nPATH=/bin\n`;
    assert.equal((await shell.run(`hush inject -i - -o ${path('ok.env')}`, { input })).code, 0);
    assert.equal(readFileSync(path('ok.env'), 'utf8'), "A=1\nKEY='line one\nLD_PRELOAD=/tmp/x'\nPATH=/bin\n");
    // The second is one for the package dotenv.
    for (const line of ['LD_PRELOAD=hush://default/global/db', 'LD_PRELOAD: hush://default/global/db']) {
      const forbidden = await shell.run(`hush inject -i - -o ${path('no.env')}`, {
        input: `${line}\nPATH=/bin\n`,
      });
      assert.deepEqual([forbidden.code, existsSync(path('no.env'))], [10, false]);
      assert.match(forbidden.stderr, /line 1: LD_PRELOAD changes which programs or code are run\n/);
    }
    const names = '__proto__=hush://default/global/db\nconstructor=hush://default/global/db\n';
    const own = await shell.run(`hush inject -i - -o ${path('names.env')}`, { input: names });
    assert.deepEqual([own.code, own.stderr], [0, '']);
  });
});
