import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { startUnlocked } from '../support/daemon.ts';
import { eventually, textOf, utf8 } from './facts.ts';
import { codeOf, greet, greetedWire, openWire, within } from './wire.ts';

const profile = 'default';
const hostile = [
  'line\nbreak',
  'carriage\rreturn',
  '\u001b[2J\u001b]0;title\u0007',
  '\u009b2J',
  '\u202ereversed\u2066',
  '\u2028separators\u2029',
  'del\u007f',
  'nul\0',
  '"},{"seq":1,"event":"forged"}',
  '$(id) `id` ; rm -rf',
  '\\u000a \\n \\" \\',
  '<script>alert(1)</script>',
  '\ud83d\ude00 é',
  '__proto__',
];

/** Each line by itself is one JSON object of printable ASCII: nothing in it can act on a terminal or a reader. */
function assertInert(text: string, what: string): Record<string, unknown>[] {
  assert.ok(text.endsWith('\n'), what);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      assert.match(line, /^[ -~]*$/, `${what}: ${JSON.stringify(line)}`);
      const value: unknown = JSON.parse(line);
      assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), what);
      return { ...value };
    });
}

test('A18: hostile text', async (t) => {
  const { daemon, client, home } = await startUnlocked(t);
  const wire = await greetedWire(t, daemon.socket);

  await t.test(
    'A18: hostile text in requests leaves one inert line of JSON for each in the audit and in the log',
    async () => {
      let denials = 0;
      let done = 0;
      for (const text of hostile) {
        (await greet(await openWire(t, daemon.socket), text)).close();
        const place = { keyring: 'default', namespace: text, key: text, tenant: text };
        const answers = [
          await wire.ask('secret.get', { profile, path: text }),
          await wire.ask('secret.set', { profile, path: `global/${text}`, value: utf8('x') }),
          await wire.ask('secret.get', { profile: text, path: 'global/a' }),
          await wire.ask('unlock', {
            profile: text,
            credentials: [{ kind: 'passphrase', secret: utf8('x') }],
          }),
          await wire.ask(text, { text }),
          await wire.ask('unlock', {
            profile: 'nowhere',
            credentials: [{ kind: 'key', secret: utf8('x') }],
            acceptRollback: text,
          }),
        ];
        for (const answer of answers) assert.notEqual(codeOf(answer), 'ok', JSON.stringify(text));
        denials += answers.length;
        const sealed = await client.call('crypto.encrypt', { ...place, plaintext: utf8(text) });
        const opened = await client.call('crypto.decrypt', { ...place, handle: sealed.handle });
        assert.equal(textOf(opened.plaintext), text, 'the platform may use such text, and gets it back');
        await assert.rejects(client.call('crypto.decrypt', { ...place, key: 'k', handle: sealed.handle }), {
          code: 'INTEGRITY',
        });
        denials += 1;
        done += 2;
      }
      await eventually(
        'the log tells of each denial',
        () => daemon.stderr().split('"code":').length - 1 === denials,
      );
      const log = assertInert(daemon.stderr(), 'log');
      assert.equal(log.filter((line) => line['code'] !== undefined).length, denials);

      const records = [];
      for (const folder of [home.paths.daemonAudit, home.profile().audit]) {
        const file = join(folder, '0000000001.jsonl');
        records.push(...assertInert(readFileSync(file, 'latin1'), file));
        assert.equal((await verifyChain(file)).bad, undefined);
      }
      assert.equal(
        records.filter(({ code }) => code !== undefined).length,
        denials,
        'one record for each denial',
      );
      assert.equal(
        records.filter(({ event, outcome }) => String(event).startsWith('crypto.') && outcome === 'ok')
          .length,
        done,
      );
      assert.ok(records.every(({ event }) => event !== 'forged'));
    },
  );

  await t.test(
    'A18: a listed name holds nothing that a terminal could act on, and its entry no value',
    async () => {
      for (const text of hostile) {
        await wire.ask('secret.set', { profile, path: `global/${text}`, value: utf8('x') });
        await wire.ask('secret.set', { profile, path: `ws:${text}/a`, value: utf8('x') });
      }
      await client.set('global/plain', utf8('a value\n\u001b[2J'));
      const { ok } = await wire.ask('secret.list', { profile });
      assert.ok(Array.isArray(ok?.['entries']));
      // `__proto__` does not start with a letter or digit; of all the texts none is a name.
      assert.deepEqual(
        ok['entries'].map((entry: object) => Object.keys(entry).sort()),
        [['createdAt', 'path', 'size', 'updatedAt', 'version']],
      );
      assert.equal(within(ok, 'entries', 0, 'path'), 'global/plain');
      assert.doesNotMatch(JSON.stringify(ok), /a value/);
    },
  );
});
