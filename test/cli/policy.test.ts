import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { answer } from '../../cli/policy/answer.ts';
import { readTable } from '../../cli/policy/table.ts';
import { readConfig } from '../../daemon/config/parse.ts';
import { openShell } from './hush.ts';

const config = `include = ['clients.d/*.toml']
[clients.shop]
uid = 4242
`;
const grants = `[profiles.default.grants.shop]
read = ['global/db-*']
until = 2099-01-01T00:00:00Z
`;

/** A home whose config has an included file, and no daemon. */
function openHome(t: Parameters<typeof openShell>[0]) {
  const shell = openShell(t);
  const put = (name: string, text: string): void => {
    writeFileSync(join(shell.home, name), text, { mode: 0o600 });
  };
  mkdirSync(join(shell.home, 'clients.d'), { mode: 0o700 });
  chmodSync(join(shell.home, 'clients.d'), 0o700);
  put('config.toml', config);
  put('clients.d/shop.toml', grants);
  return { ...shell, put, at: (name: string) => join(shell.home, name) };
}

describe('hush policy, without a daemon', () => {
  test('check: 0 in order, 1 warnings with --strict, 2 errors, each with its file and line', async (t) => {
    const { run, put, at } = openHome(t);
    assert.deepEqual(await run('hush policy check'), {
      code: 0,
      stdout: `${at('config.toml')} is in order\n`,
      stderr: '',
    });
    put('clients.d/shop.toml', grants.replace('2099', '2020'));
    const stdout = [
      `${at('clients.d/shop.toml')}:3: warning: profiles.default.grants.shop.until has passed: the grant gives nothing any more`,
      '0 errors, 1 warning\n',
    ].join('\n');
    assert.deepEqual(await run('hush policy check'), { code: 0, stdout, stderr: '' });
    assert.deepEqual(await run('hush policy check --strict'), { code: 1, stdout, stderr: '' });
    put('clients.d/shop.toml', `${grants}reed = []\n[cache]\nttl = 1\n`);
    const broken = await run('hush policy check --json');
    const { errors, findings } = JSON.parse(broken.stdout) as { errors: number; findings: unknown[] };
    assert.deepEqual([broken.code, errors, findings.length], [2, 2, 2]);
    assert.deepEqual(findings[0], {
      level: 'error',
      file: at('clients.d/shop.toml'),
      line: 4,
      key: 'profiles.default.grants.shop.reed',
      message: 'is not a key that hushd knows',
    });
  });

  test('check: what others can write is an error in the home, and told of a file elsewhere', async (t) => {
    const { run, at } = openHome(t);
    chmodSync(at('config.toml'), 0o644);
    const own = await run('hush policy check');
    assert.equal(own.code, 2);
    assert.match(
      own.stdout,
      /: error: has mode 644: others can reach it; no daemon would read it: chmod 600 /,
    );
    const given = await run(`hush policy check ${at('config.toml')}`);
    assert.equal(given.code, 0);
    assert.match(given.stdout, /: warning: has mode 644/);
    assert.equal((await run('hush policy check /nowhere.toml')).code, 2);
  });

  test('explain: the decision, the rule with its file and line, and what would have to change', async (t) => {
    const { run, put, at } = openHome(t);
    assert.deepEqual(await run('hush policy explain shop read global/db-main'), {
      code: 0,
      stdout: [
        'allow: shop read global/db-main on default',
        'because global/db-* matches',
        `rule: ${at('clients.d/shop.toml')}:2: profiles.default.grants.shop.read.0`,
        '',
      ].join('\n'),
      stderr: '',
    });
    const { stdout } = await run('hush policy explain shop write global/db-main -p default --json');
    assert.deepEqual(JSON.parse(stdout), {
      client: 'shop',
      op: 'write',
      path: 'global/db-main',
      profile: 'default',
      decision: 'deny',
      reason: 'no pattern of write matches',
      rule: { key: 'profiles.default.grants.shop.write', file: at('clients.d/shop.toml'), line: 1 },
      change: "profiles.default.grants.shop needs write = ['global/db-main'], or a pattern that matches it",
    });
    assert.equal((await run('hush policy explain shop write')).code, 2);
    put('other.toml', '[clients.shop]\nuid = 1\n');
    const other = await run(`hush policy explain shop read global/db-main --config ${at('other.toml')}`);
    assert.match(other.stdout, /^deny: .*\nbecause the profile grants it nothing\n/);
  });

  test('test: 0 if all is decided as the table says, 1 with those that are not, 2 for a table that is none', async (t) => {
    const { run, put, at } = openHome(t);
    const expect = [
      { client: 'shop', op: 'read', path: 'global/db-main', decision: 'allow' },
      { client: 'shop', op: 'read', path: 'global/db-main', at: '2100-01-01T00:00:00Z', decision: 'deny' },
      { client: 'shop', op: 'secret.set', path: 'global/db-main', decision: 'deny' },
      { client: 'stranger', op: 'status', decision: 'deny' },
    ];
    put('table.json', JSON.stringify({ expect }));
    assert.deepEqual(await run(`hush policy test ${at('table.json')}`), {
      code: 0,
      stdout: '4 decisions, all as expected\n',
      stderr: '',
    });
    put(
      'table.toml',
      `[[expect]]\nclient = 'shop'\nop = 'read'\npath = 'global/x'\ndecision = 'deny'\n
       [[expect]]\nclient = 'shop'\nop = 'read'\npath = 'global/db-main'\nat = 2100-01-01T00:00:00Z\ndecision = 'allow'\n`,
    );
    const differing = await run(`hush policy test ${at('table.toml')}`);
    assert.equal(differing.code, 1);
    assert.equal(
      differing.stdout,
      `number 2: shop read global/db-main on default: expected allow, is deny: the grant ended at 2099-01-01T00:00:00.000Z (${at('clients.d/shop.toml')}:3: profiles.default.grants.shop.until)\n2 decisions, 1 not as expected\n`,
    );
    put('table.toml', '[[expect]]\nclient = "shop"\nop = "read"\ndecision = "deny"\n');
    const faulty = await run(`hush policy test ${at('table.toml')}`);
    assert.equal(faulty.code, 2, 'read needs a path');
    assert.ok(faulty.stderr.startsWith(`hush: error: ${at('table.toml')}: number 1: `), faulty.stderr);
    put('config.toml', '[limitz]');
    assert.equal((await run(`hush policy test ${at('table.json')}`)).code, 2);
  });
});

describe('hush policy and what no daemon would do', () => {
  test('what is no regular file is refused, and never waited for', async (t) => {
    const { run, at } = openHome(t);
    execFileSync('mkfifo', ['-m', '600', at('clients.d/pipe.toml')]);
    for (const command of ['check', 'check /dev/zero', `test ${at('clients.d/pipe.toml')}`]) {
      const { code, stderr } = await run(`hush policy ${command}`);
      assert.equal(code, 2, command);
      assert.match(stderr, /is no regular file/, command);
    }
  });

  test('a group that is not on this machine is an error', async (t) => {
    const { run, put } = openHome(t);
    put('config.toml', `[transport]\nsocket_mode = '0660'\nsocket_group = 'no-such-group'\n`);
    const { code, stdout } = await run('hush policy check');
    assert.equal(code, 2);
    assert.match(stdout, /:3: error: transport\.socket_group there is no group no-such-group/);
  });

  test('an answer is never to allow what the daemon denies, and says what the connection needs', () => {
    const reading = readConfig(
      `[operators]\nowner = false\nuids = [0, 7, 8]\n[clients.app]\nuid = 7\n[clients.proved]\nenrolled = true
       field_encryption = true\n[profiles.p.grants.proved]\nread = ['*']\n`,
    );
    assert.ok('config' in reading);
    const ask = (client: string, op: string, path?: string, enrolled?: boolean) =>
      answer({ client, op, path, profile: 'p', enrolled }, reading, new Set(), 0, 0);
    for (const given of [
      ask('stranger', 'lock.all'),
      ask('operator:0', 'daemon.stop'),
      ask('operator:7', 'daemon.stop'),
      ask('proved', 'read', 'global/../x'),
      ask('proved', 'read', 'global/x', false),
    ])
      assert.equal(given.decision, 'deny', given.reason);
    assert.equal(ask('operator:8', 'daemon.stop').decision, 'allow');
    assert.match(ask('proved', 'read', 'global/../x').reason, /INVALID_NAME/);
    assert.deepEqual(ask('proved', 'read', 'global/x').needs, ['its enrolled key', 'field encryption']);
  });
});

test('the config and the table in docs/operations.md are such, and the one decides as the other expects', (t) => {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/^```toml\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
  const of = (mark: string): string => blocks.find((text) => text.includes(mark)) ?? '';
  const { put, at } = openHome(t);
  put('table.toml', of('[[expect]]'));
  const reading = readConfig(of('[clients.shop]'));
  assert.ok('config' in reading);
  for (const { decision, at: moment = Date.now(), profile = 'default', ...asked } of readTable(
    at('table.toml'),
  )) {
    assert.equal(answer({ ...asked, profile }, reading, new Set(), moment).decision, decision);
  }
});

test('a table of expected decisions that is not in order is told by number and key', (t) => {
  const { put, at } = openHome(t);
  const refused: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    [
      'a.toml',
      '[[expect]]\nclient = "a"\nop = "read"\ndecision = "maybe"\n',
      /number 1: decision must be 'allow' or/,
    ],
    ['b.toml', '[[expect]]\nclient = "a"\nop = "read"\npat = "x"\ndecision = "deny"\n', /number 1: .*"pat"/],
    [
      'c.toml',
      '[[expect]]\nclient = "a"\nop = "read"\nat = 2100-01-01\ndecision = "deny"\n',
      /number 1: at must be/,
    ],
    ['d.json', '[]', /expected object/],
    ['e.json', '{', /is not JSON/],
    ['f.toml', 'x =', /line 1: /],
  ];
  for (const [name, text, message] of refused) {
    put(name, text);
    assert.throws(() => readTable(at(name)), { code: 'BAD_REQUEST', message }, name);
  }
});

describe('hush grant and hush revoke', () => {
  test('give a client something for a time, list it, take it back by id and by name', async (t) => {
    const { run, put, runScript } = openHome(t);
    put('config.toml', `[kdf]\nmemory_mib = 19\npasses = 2\n${config.replace(/^include.*\n/, '')}`);
    const started = await runScript(
      'printf "correct horse\\n" | hush init --passphrase-stdin && hush start && printf "correct horse\\n" | hush unlock --passphrase-stdin',
    );
    assert.equal(started.code, 0, started.stderr);
    const empty = await run('hush grant');
    assert.deepEqual([empty.code, empty.stdout], [0, 'there are no grants for a time\n']);
    const { code, stdout, stderr } = await run('hush grant shop read global/db-main --for 10m');
    assert.deepEqual([code, stderr], [0, '']);
    const id =
      /^shop may read global\/db-main on default for 10 min 0 s; to take it back: hush revoke (g\.[0-9a-f]{12})\n$/.exec(
        stdout,
      )?.[1];
    assert.ok(id, stdout);
    assert.match((await run('hush grant ghost crypto default/a/* --for 2d')).stderr, /nobody is ghost now/);
    const listed = JSON.parse((await run('hush grant --json')).stdout) as {
      grants: { client: string; by: string }[];
    };
    assert.deepEqual(
      listed.grants.map(({ client, by }) => [client, by]),
      [
        ['shop', 'owner'],
        ['ghost', 'owner'],
      ],
    );
    assert.deepEqual(await run(`hush revoke ${id}`), { code: 0, stdout: '1 grant taken back\n', stderr: '' });
    assert.equal((await run('hush revoke ghost')).code, 0);
    assert.equal((await run('hush revoke ghost')).code, 6);
    assert.equal((await run(`hush revoke ${id}`)).code, 6);
    for (const line of [
      'hush grant shop read global/db-main --for 31d',
      'hush grant shop admin global/db-main --for 1m',
      'hush grant shop read global/** --for 1m',
    ]) {
      assert.equal((await run(line)).code, 2, line);
    }
  });
});
