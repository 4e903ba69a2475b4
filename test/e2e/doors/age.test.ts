import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { stanzaText } from '../../../cli/doors/age/stanza.ts';
import { openShell, type Shell } from '../../cli/hush.ts';
import { assertShown, commandsIn, pageOf, sectionOf } from '../../cli/shown.ts';
import { openUnlocked } from '../../cli/unlocked.ts';
import { programPath } from '../../support/programs.ts';
import { passphrase } from '../../support/daemon.ts';

const plugin = programPath('age-plugin-hush');

/** A shell in which age finds its plugin, as after `npm install -g`. */
function openWithPlugin(t: TestContext): Shell {
  const shell = openShell(t);
  mkdirSync(join(shell.home, 'bin'), { mode: 0o700 });
  writeFileSync(
    join(shell.home, 'bin', 'age-plugin-hush'),
    `#!/bin/sh\nexec '${process.execPath}' '${plugin}' "$@"\n`,
    {
      mode: 0o700,
    },
  );
  return shell;
}

/** What the plugin says when it hears this, and how it ends; it is answered beforehand. */
function hear(shell: Shell, machine: string, input: string | Uint8Array) {
  return new Promise<{ code: number | null; said: string; stderr: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [plugin, `--age-plugin=${machine}`], {
      env: { HUSH_HOME: shell.home, HOME: shell.home, PATH: process.env['PATH'] },
    });
    let said = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, said, stderr }));
  });
}

/** A stanza as text. */
const stanza = (type: string, args: readonly string[] = [], body = new Uint8Array(0)): string =>
  new TextDecoder().decode(stanzaText({ type, args, body }));

const okays = stanza('ok').repeat(8);

/** The stanzas in a text: the line that begins each, and its body as text. */
function stanzasIn(text: string): [head: string, body: string][] {
  return text
    .split(/^(?=-> )/m)
    .filter((part) => part !== '')
    .map((part) => {
      const [head = '', ...lines] = part.split('\n');
      return [head, Buffer.from(lines.join(''), 'base64').toString()];
    });
}

describe('age-plugin-hush', () => {
  test('opens with the real age what was encrypted to its recipient, without a key on the disk', async (t) => {
    const shell = await openUnlocked(t, openWithPlugin(t));
    const run = (script: string) => shell.runScript(script);

    await t.test('as its page shows', async () => {
      const shown = commandsIn(sectionOf(pageOf('docs/doors.md'), 'age: `age-plugin-hush`'));
      assert.ok(shown.length >= 7);
      for (const one of shown) assertShown(await run(one.line), one);
    });
    const read = (name: string) => readFileSync(join(shell.home, name), 'latin1');
    const [, recipient = '', identity = ''] =
      /(age1\w{58})\n(AGE-PLUGIN-HUSH-1\w+)\n$/.exec(read('identity.txt')) ?? [];
    assert.match(read('key.txt'), /^AGE-SECRET-KEY-1[A-Z0-9]{58}$/);

    await t.test(
      'among other recipients and other identities, and with a key that age-keygen made',
      async () => {
        const { stdout, stderr } = await run(
          `age-keygen -o other.txt 2>/dev/null; age-keygen 2>/dev/null | hush set global/kept >/dev/null
         age-plugin-hush --identity global/kept > kept.txt; other=$(age-keygen -y other.txt); kept=$(sed -n 's/^# recipient: //p' kept.txt)
         echo three | age -r $other -r $kept -r ${recipient} -o three.age
         age -d -i identity.txt three.age; age -d -i kept.txt -i other.txt three.age
         echo one | age -r $kept -o one.age; age -d -i identity.txt -i other.txt -i kept.txt one.age`,
        );
        assert.deepEqual([stdout, stderr], ['three\nthree\none\n', '']);
      },
    );

    await t.test('and not what was encrypted to others, which age says', async () => {
      const { code, stdout, stderr } = await run(
        'echo x | age -r $(age-keygen -y other.txt) -o c.age; age -d -i identity.txt c.age',
      );
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^age: error: no identity matched any of the recipients\n/);
    });

    await t.test(
      'always answers: what is no stanza, too long a line, or nothing, with an error of its own',
      async () => {
        for (const [input, why] of [
          ['', /ends before it says done/],
          ['garbage\n', /is no stanza of age/],
          ['-> recipient-stanza 0 X25519 x\nnot base64!\n', /not base64/],
          ['a'.repeat(1024 * 1024), /longer than 16384 bytes/],
        ] as const) {
          const { code, said, stderr } = await hear(shell, 'identity-v1', input);
          const [first] = stanzasIn(said);
          assert.ok(first !== undefined);
          const [head, body] = first;
          assert.equal(code, 2);
          assert.equal(head, '-> error internal');
          assert.match(body, why);
          assert.match(stderr, /^hush: error: .*\nhush: hint: age starts this program itself: /);
        }
      },
    );

    await t.test(
      'always answers: with an error for each identity that is none, and without a try',
      async () => {
        const later = stanza('add-identity', ['AGE-PLUGIN-HUSH-1QQPQQ']);
        const { code, said } = await hear(
          shell,
          'identity-v1',
          `${stanza('add-identity', [identity])}${later}${stanza('grease-x', ['y'])}${stanza('done')}${okays}`,
        );
        assert.equal(code, 0);
        assert.deepEqual(
          stanzasIn(said).map(([head]) => head),
          ['-> error identity 1', '-> done'],
        );
      },
    );

    await t.test(
      'with an error for a malformed stanza of ours, and with the keys of the other files',
      async () => {
        const share = 'A'.repeat(43);
        const wrapped = await wrappedFor(identity);
        const input = [
          stanza('add-identity', [identity]),
          stanza('recipient-stanza', ['0', 'ssh-ed25519', 'a', 'b']),
          stanza('recipient-stanza', ['0', 'X25519', share, 'more'], new Uint8Array(32)),
          stanza('recipient-stanza', ['1', 'X25519', wrapped.argument], wrapped.body),
          stanza('recipient-stanza', ['2', 'X25519', share], new Uint8Array(32)),
          stanza('recipient-stanza', ['3', 'scrypt', 'a', '18'], new Uint8Array(32)),
          stanza('done'),
          okays,
        ];
        const { code, said } = await hear(shell, 'identity-v1', input.join(''));
        assert.equal(code, 0);
        assert.deepEqual(
          stanzasIn(said).map(([head]) => head),
          ['-> error stanza 0 1', '-> file-key 1', '-> done'],
        );
      },
    );

    await t.test(
      'with stanzas of age for an identity, and with an error for what could be a recipient',
      async () => {
        const fileKey = Uint8Array.from({ length: 16 }, (_, at) => at);
        const both = [stanza('add-identity', [identity]), stanza('wrap-file-key', [], fileKey)].join('');
        const wrapped = await hear(
          shell,
          'recipient-v1',
          `${both}${stanza('extension-labels')}${stanza('done')}${okays}`,
        );
        assert.match(
          stanzasIn(wrapped.said)
            .map(([head]) => head)
            .join('|'),
          /^-> recipient-stanza 0 X25519 \S{43}\|-> done$/,
        );
        const refused = await hear(
          shell,
          'recipient-v1',
          `${both}${stanza('add-recipient', [recipient])}${stanza('done')}${okays}`,
        );
        assert.deepEqual(
          stanzasIn(refused.said).map(([head]) => head),
          ['-> error recipient 0', '-> done'],
        );
        const short = await hear(
          shell,
          'recipient-v1',
          `${both}${stanza('wrap-file-key')}${stanza('done')}${okays}`,
        );
        assert.deepEqual(stanzasIn(short.said)[0], ['-> error internal', 'a file key is not 16 bytes']);
      },
    );

    await t.test('always answers: a person who types it, with what it is for', async () => {
      const asked = await hear(shell, 'unknown-v9', '');
      assert.equal(asked.code, 2);
      assert.match(
        asked.stderr,
        /hush: error: those are no arguments of age-plugin-hush\nhush: hint: age-plugin-hush --help\n/,
      );
    });

    const refused = async (script: string, reason: RegExp): Promise<void> => {
      const { code, stdout, stderr } = await run(`${script}; age -d -i identity.txt note.age`);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, reason);
    };

    await t.test('a secret that is another’s meanwhile, or gone, is told by age', async () => {
      await refused(
        'age-plugin-hush --generate global/age 2>&1 | head -1 1>&2; hush set global/age >/dev/null < other.txt',
        /error: global\/age exists already[^]*age: error: .*holds another key than this identity was made from/,
      );
      await refused(
        'echo none | hush set global/age >/dev/null',
        /age: error: .*does not hold one AGE-SECRET-KEY-1/,
      );
      await refused('hush delete global/age --yes >/dev/null', /age: error: .*there is no such secret/);
      await run('hush set global/age < key.txt');
    });

    await t.test('and so is a profile that is locked, or a daemon that is gone', async () => {
      await refused('hush lock >/dev/null', /age: error: .*profile default is locked \(hush unlock/);
      // key.txt opens it by itself: age asks in their order, and stops at an error.
      const behind = await run('age -d -i identity.txt -i key.txt note.age');
      assert.deepEqual([behind.code, behind.stdout], [1, '']);
      const before = await run('age -d -i key.txt -i identity.txt note.age');
      assert.deepEqual([before.code, before.stdout], [0, 'a note\n'], before.stderr);
      await run(`echo '${passphrase}' | hush unlock --passphrase-stdin`);
      assert.equal((await run('age -d -i identity.txt note.age')).stdout, 'a note\n');
      await refused('hush stop >/dev/null', /age: error: .*hushd does not run.* \(hush start\)/);
    });
  });
});

/** A file key wrapped for the public key in an identity. */
async function wrappedFor(identity: string): Promise<{ argument: string; body: Uint8Array<ArrayBuffer> }> {
  const { parseIdentity } = await import('../../../cli/doors/age/identity.ts');
  const { wrapFileKey } = await import('../../../cli/doors/age/x25519.ts');
  const { share, body } = wrapFileKey(new Uint8Array(16), parseIdentity(identity).publicKey);
  return {
    argument: Buffer.from(share).toString('base64').replaceAll('=', ''),
    body: new Uint8Array(body),
  };
}
