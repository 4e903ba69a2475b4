import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { includeProblem, matchesFileName } from '../../daemon/config/include-pattern.ts';
import { inspectConfig, loadConfig } from '../../daemon/config/load.ts';
import { parseConfig, readConfig } from '../../daemon/config/parse.ts';

/** A folder with files of mode 0600, which is removed after the test. */
function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'hush-include-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  for (const [name, text] of Object.entries(files)) put(folder, name, text);
  return folder;
}

function put(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
}

const main = "include = ['clients.d/*.toml', 'more.toml']\n[cache]\nttl = 7\n[clients.main]\nuid = 1\n";

describe('included files', () => {
  test('are read in the order of their names, and merge with the config', (t) => {
    const folder = folderOf(t, {
      'config.toml': `${main}[profiles.p]\nmax_tenants = 5\n[profiles.p.grants.main]\nread = ['*']\n`,
      'more.toml': '[profiles.p.keys]\nrotate_after_days = 9\n',
      'clients.d/b.toml': "[clients.b]\nuid = 3\n[profiles.p.grants.b]\nread = ['global/b']\n",
      'clients.d/a.toml': "[clients.a]\nuid = 2\n[profiles.p.grants.a]\nread = ['global/a']\n",
      'clients.d/a.toml.bak': 'this is no TOML [',
      'clients.d/.a.toml': 'this is no TOML [',
    });
    const config = loadConfig(join(folder, 'config.toml'));
    assert.deepEqual(
      config.clients.map(({ name }) => name),
      ['main', 'a', 'b'],
    );
    const profile = config.profiles['p'];
    assert.deepEqual([profile?.maxTenants, profile?.rotation.afterDays], [5, 9]);
    assert.deepEqual(Object.keys(profile?.grants ?? {}), ['main', 'a', 'b']);
    assert.equal(config.cache.ttlSeconds, 7);
  });

  test('may be none: an empty or missing folder, but not a missing file', (t) => {
    const folder = folderOf(t, { 'config.toml': "include = ['clients.d/*.toml']" });
    assert.deepEqual(loadConfig(join(folder, 'config.toml')).clients, []);
    mkdirSync(join(folder, 'clients.d'), { mode: 0o700 });
    assert.deepEqual(loadConfig(join(folder, 'config.toml')).clients, []);
    put(folder, 'config.toml', "include = ['clients.d/a.toml']");
    assert.throws(() => loadConfig(join(folder, 'config.toml')), {
      code: 'BAD_REQUEST',
      message: /config\.toml:1: include: there is no .*clients\.d\/a\.toml$/,
    });
  });

  test('are told by the place of the second when something is given twice, and of the first', (t) => {
    const folder = folderOf(t, {
      'config.toml': `${main}[profiles.p]\nmax_tenants = 5\n[profiles.p.grants.main]\nread = ['*']\n`,
      'more.toml': '\n[clients.main]\nuid = 9\n',
      'clients.d/a.toml': '[profiles.p.grants.main]\nwrite = ["*"]\n',
      'clients.d/b.toml': '[profiles.p]\nmax_tenants = 5\n[profiles.p.autolock]\nidle_s = 5\n',
      'clients.d/c.toml': '[profiles.p.autolock]\nidle_s = 6\nage_s = 6\n',
    });
    const at = (name: string): string => join(folder, name);
    const expected = [
      `${at('clients.d/a.toml')}: line 1: profiles.p.grants.main is given in ${at('config.toml')}:8 too`,
      `${at('clients.d/b.toml')}: line 2: profiles.p.max_tenants is given in ${at('config.toml')}:7 too`,
      `${at('clients.d/c.toml')}: line 2: profiles.p.autolock.idle_s is given in ${at('clients.d/b.toml')}:4 too`,
      `${at('more.toml')}: line 2: clients.main is given in ${at('config.toml')}:4 too`,
    ];
    assert.throws(() => loadConfig(at('config.toml')), { code: 'BAD_REQUEST', message: expected.join('; ') });
  });

  test('may hold clients and profiles, and nothing else', (t) => {
    const folder = folderOf(t, {
      'config.toml': "include = ['a.toml']",
      'a.toml': "include = ['a.toml']\n[operators]\nuids = [5]\n",
    });
    assert.throws(() => loadConfig(join(folder, 'config.toml')), {
      code: 'BAD_REQUEST',
      message:
        /a\.toml: line 1: include may not stand in an included file.*; line 2: operators may not stand/,
    });
  });

  test('are told by their own lines when something in them is wrong', (t) => {
    const folder = folderOf(t, {
      'config.toml': "include = ['*.inc']\n[cache]\nttl = -1",
      'a.inc': '[clients.a]\nuid = 1\n[profiles.p.grants.a]\nread = ["global/**"]\n',
      'b.inc': '[clients.b]\nuid = "x"\n',
    });
    const path = join(folder, 'config.toml');
    const { reading } = inspectConfig(path);
    assert.ok('problems' in reading);
    assert.deepEqual(
      reading.problems.map(({ file, line, key }) => [file, line, key]),
      [
        [path, 3, 'cache.ttl'],
        [join(folder, 'a.inc'), 4, 'profiles.p.grants.a.read.0'],
        [join(folder, 'b.inc'), 2, 'clients.b.uid'],
      ],
    );
    put(folder, 'b.inc', '[clients.b]\nuid = \n');
    assert.throws(() => loadConfig(path), { code: 'BAD_REQUEST', message: /b\.inc: line 2: is not TOML/ });
  });

  test('cannot be the config itself, nor more than 1,000, nor more than 16 MiB with it', (t) => {
    const folder = folderOf(t, { 'config.toml': "include = ['*.toml']" });
    const path = join(folder, 'config.toml');
    assert.throws(() => loadConfig(path), { code: 'BAD_REQUEST', message: /cannot include itself/ });
    put(folder, 'config.toml', "include = ['d/*']");
    for (let index = 0; index < 1_001; index += 1) put(folder, `d/${index}`, '');
    assert.throws(() => loadConfig(path), { code: 'TOO_LARGE', message: /more than 1000 files/ });
    for (let index = 0; index < 1_001; index += 1) rmSync(join(folder, 'd', String(index)));
    for (let index = 0; index < 5; index += 1) put(folder, `d/${index}`, `#${'x'.repeat(4_000_000)}`);
    assert.throws(() => loadConfig(path), { code: 'TOO_LARGE', message: /over 16777216 bytes/ });
  });

  test('A14: are refused if others can reach them or their folder, and if they are links', (t) => {
    const folder = folderOf(t, {
      'config.toml': "include = ['d/e/*.toml']",
      'd/e/a.toml': '[clients.a]\nuid = 1',
    });
    const path = join(folder, 'config.toml');
    const file = join(folder, 'd/e/a.toml');
    assert.equal(loadConfig(path).clients.length, 1);
    const refused = (hint: RegExp): void => {
      assert.throws(() => loadConfig(path), { code: 'UNSAFE_MODE', hint });
      assert.equal(inspectConfig(path).unsafe.length, 1);
    };
    chmodSync(file, 0o640);
    refused(/^chmod 600 .*a\.toml$/);
    chmodSync(file, 0o600);
    chmodSync(join(folder, 'd'), 0o755);
    refused(/^chmod 700 .*d$/);
    chmodSync(join(folder, 'd'), 0o700);
    linkSync(file, join(folder, 'other'));
    refused(/^cp -p /);
    rmSync(join(folder, 'other'));
    put(folder, 'elsewhere', '');
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'd/e/b.toml'));
    refused(/^cp /);
  });

  test('say what one file would say, however its clients and grants are divided among files', () => {
    const name = fc
      .stringMatching(/^[a-z]{1,8}$/)
      .filter((text) => !['owner', 'limited', 'daemon'].includes(text));
    const rules = fc.dictionary(
      name,
      fc.record({ uid: fc.nat(60_000), file: fc.nat(2), read: fc.subarray(['global/a', 'ws:*/b', '*']) }),
    );
    fc.assert(
      fc.property(rules, (clients) => {
        const entries = Object.entries(clients).map(([key, value], index) => ({
          key,
          ...value,
          uid: index + 1,
        }));
        const textOf = (some: typeof entries): string =>
          stringify({
            clients: Object.fromEntries(some.map(({ key, uid }) => [key, { uid }])),
            profiles: { p: { grants: Object.fromEntries(some.map(({ key, read }) => [key, { read }])) } },
          });
        const parts = [0, 1, 2].map((file) => entries.filter((entry) => entry.file === file));
        const [first = [], ...others] = parts;
        const included = others.map((part, index) => ({ file: `${index}.toml`, text: textOf(part) }));
        const divided = parseConfig(textOf(first), 'config.toml', included);
        const whole = parseConfig(textOf(parts.flat()));
        const facts = ({ clients: known, profiles }: typeof whole) => [
          known,
          Object.entries(profiles['p']?.grants ?? {}).map(([key, { read }]) => [key, read.patterns]),
        ];
        assert.deepEqual(facts(divided), facts(whole));
      }),
    );
  });

  test('whatever they hold: they are a config with it, or named problems', () => {
    const word = fc.constantFrom(
      '[clients.a]',
      'uid = 1',
      '[profiles.p]',
      'clients = 1',
      '[[clients]]',
      'profiles.p.x = 1',
      'x',
      '=',
    );
    const text = fc.array(word, { maxLength: 6 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (one, other) => {
        const reading = readConfig(one, 'config.toml', [{ file: 'other.toml', text: other }]);
        if ('problems' in reading) assert.ok(reading.problems.every(({ message }) => message !== ''));
      }),
    );
  });
});

describe('a pattern of files', () => {
  test('is a path below the folder with stars in its last part', () => {
    for (const good of ['a.toml', 'clients.d/*.toml', 'a/b/c*d*', '.hidden/*'])
      assert.equal(includeProblem(good), undefined);
    for (const bad of ['', '/a', 'a//b', './a', '../a', 'a/../b', 'a*/b', 'a/', 'x'.repeat(1_025), 'a\0b']) {
      assert.notEqual(includeProblem(bad), undefined, bad);
    }
  });

  test('matches names as the plain rule of the star says', () => {
    const regular = (pattern: string): RegExp =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((part) => part.replaceAll('.', '\\.'))
          .join('.*')}$`,
      );
    const part = fc
      .array(fc.constantFrom('a', 'b', '.', '*'), { maxLength: 8 })
      .map((chars) => chars.join(''));
    const name = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 8 }).map((chars) => chars.join(''));
    fc.assert(
      fc.property(part, name, (pattern, text) => {
        const isHidden = text.startsWith('.') && !pattern.startsWith('.');
        assert.equal(matchesFileName(pattern, text), !isHidden && regular(pattern).test(text));
      }),
    );
  });
});
