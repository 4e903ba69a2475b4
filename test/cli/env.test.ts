import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { parseEnv } from 'node:util';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { json, shell as shellFormat } from '../../cli/environment/written.ts';
import { connect, type HushClient } from '../../client/index.ts';
import { openShell, type Shell } from './hush.ts';
import { openUnlocked } from './unlocked.ts';

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** The variables, with their bytes one character each, that a shell has once it has read a file. */
function readBack(program: string, file: string, locale: string): Map<string, string> {
  const { stdout, stderr, status } = spawnSync(program, ['-c', '. "$1"; env -0', program, file], {
    env: { PATH: process.env['PATH'], LC_ALL: locale },
    // bash reads its start-up file where standard input is a socket.
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.deepEqual([status, stderr.toString()], [0, ''], program);
  const lines = stdout
    .toString('latin1')
    .split('\0')
    .filter((line) => line.startsWith('V_'));
  return new Map(
    lines.map((line): [string, string] => [
      line.slice(0, line.indexOf('=')),
      line.slice(line.indexOf('=') + 1),
    ]),
  );
}

/** Values of many kinds, from one seed to another. */
const hostileValues = (seed: number): Buffer[] =>
  fc.sample(
    fc.oneof(
      fc
        .string({
          unit: fc.constantFrom(
            "'",
            '"',
            '`',
            '$',
            '(',
            ')',
            '\\',
            '\n',
            '\r',
            '!',
            '#',
            ' ',
            '\t',
            '*',
            '~',
            ';',
            '\u001b',
            'é',
            '\u202e',
          ),
          maxLength: 30,
        })
        .map((text) => Buffer.from(text)),
      fc.uint8Array({ min: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text.replaceAll('\0', ''))),
    ),
    { numRuns: 700, seed },
  );

describe('hush env', () => {
  let shell: Shell;
  let client: HushClient;
  const undo: (() => unknown)[] = [];
  const path = (name: string): string => join(shell.home, name);

  before(async () => {
    const life = { after: (act: () => unknown) => void undo.unshift(act) } as unknown as TestContext;
    shell = await openUnlocked(life, openShell(life));
    client = await connect({ socket: path('hushd.sock') });
  });
  after(async () => {
    client.close();
    for (const act of undo) await act();
  });

  test('A18: what the format shell writes reads back with the same bytes in sh and in bash, in any locale', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hush-env-'));
    const file = join(folder, 'file.sh');
    try {
      for (const [program, locale] of [
        ['sh', 'C'],
        ['sh', 'C.UTF-8'],
        ['bash', 'C'],
        ['bash', 'C.UTF-8'],
      ] as const) {
        const values = new Map(
          hostileValues(Date.now()).map((value, index): [string, Buffer] => [`V_${index}`, value]),
        );
        for (const [name, value] of values) assert.equal(shellFormat.fault(name, value), undefined);
        writeFileSync(file, shellFormat.write(values));
        const found = readBack(program, file, locale);
        for (const [name, value] of values)
          assert.equal(
            found.get(name),
            value.toString('latin1'),
            `${program} ${locale}: ${value.toString('hex')}`,
          );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    assert.equal(shellFormat.fault('A', utf8('a\0b'))?.code, 'BAD_REQUEST');
  });

  test('A18: what the format json writes is one inert line that parses to the same values', () => {
    const values = new Map(
      hostileValues(Date.now())
        .map((value, index): [string, Buffer] => [`V_${index}`, value])
        .filter(([name, value]) => json.fault(name, value) === undefined),
    );
    values.set('V_NUL', Buffer.from('a\0b'));
    const line = Buffer.from(json.write(values)).toString();
    assert.doesNotMatch(line, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    const expected = Object.fromEntries([...values].map(([name, value]) => [name, value.toString()]));
    assert.deepEqual(JSON.parse(line), expected);
    assert.equal(json.fault('A', new Uint8Array([0xff]))?.code, 'BAD_REQUEST');
  });

  test('A18: hostile values pass through eval in sh and bash, a dotenv file and JSON unchanged', async () => {
    const values = {
      quotes: `it's "x" \`id\` $(touch ${path('pwned')})`,
      lines: '\n a\n\n$HOME\n',
      escape: '\u001b[2J!!',
    };
    for (const [name, value] of Object.entries(values)) await client.set(`global/${name}`, utf8(value));
    const expected = { ESCAPE: values.escape, LINES: values.lines, QUOTES: values.quotes };
    for (const program of ['sh', 'bash']) {
      const read = await shell.runScript(
        `${program} -c 'eval "$(hush env)"; printf "%s|" "$ESCAPE" "$LINES" "$QUOTES"'`,
      );
      assert.deepEqual(read, { code: 0, stdout: `${Object.values(expected).join('|')}|`, stderr: '' });
    }
    assert.deepEqual(JSON.parse((await shell.run('hush env --format json')).stdout), expected);
    assert.deepEqual(JSON.parse((await shell.run('hush env --json --only lines')).stdout), {
      LINES: values.lines,
    });

    const refused = await shell.run('hush env --format dotenv');
    assert.deepEqual(refused, {
      code: 2,
      stdout: '',
      stderr:
        'hush: error: QUOTES (global/quotes): there is no way to quote it that every reader of env files understands\n' +
        'hush: error: nothing was written\nhush: hint: take --format shell, or hush inject\n',
    });
    const written = await shell.run(`hush env --format dotenv --only lines escape -o ${path('out.env')}`);
    assert.deepEqual(
      [written.code, written.stdout, written.stderr],
      [0, '', `hush: note: written to ${path('out.env')}\n`],
    );
    assert.equal(lstatSync(path('out.env')).mode & 0o777, 0o600);
    const others = { ESCAPE: values.escape, LINES: values.lines };
    const file = readFileSync(path('out.env'), 'utf8');
    assert.deepEqual({ ...parse(file) }, others);
    assert.deepEqual({ ...parseEnv(file) }, others);
    for (const name of Object.keys(values)) await client.delete(`global/${name}`);
  });

  test('binary passes through the shell, and is refused by name where text is needed', async () => {
    await client.set(
      'global/bytes',
      new Uint8Array(255).map((_, index) => index + 1),
    );
    const { code, stdout } = await shell.runScript(
      `eval "$(hush env)"; printf %s "$BYTES" | od -An -v -tu1 | tr -s ' \\n' ' '`,
    );
    assert.deepEqual(
      [code, stdout.trim().split(' ').map(Number)],
      [0, Array.from({ length: 255 }, (_, index) => index + 1)],
    );
    for (const format of ['json', 'dotenv']) {
      const refused = await shell.run(`hush env --format ${format}`);
      assert.deepEqual([refused.code, refused.stdout], [2, '']);
      assert.match(refused.stderr, /^hush: error: BYTES \(global\/bytes\): it is not valid UTF-8/);
      assert.match(refused.stderr, /hush: hint: take --format shell/);
    }
    await client.set('global/bytes', Uint8Array.of(0, 255));
    const neither = await shell.run('hush env --format json');
    assert.match(neither.stderr, /it is not valid UTF-8, which JSON is\n.*\nhush: hint: give it as a file/);
    await client.delete('global/bytes');
  });

  test('values are not shown at a terminal by mistake', async () => {
    const { code, screen } = await shell.type('hush env', []);
    assert.equal(code, 2);
    assert.match(screen, /values are not shown at a terminal without --reveal/);
  });
});
