import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { explain, groundOf, type Asked } from '../../cli/policy/explain.ts';
import { lint, type Surroundings } from '../../cli/policy/lint.ts';
import { overlaps } from '../../cli/policy/overlap.ts';
import { identityNamed, rightsAsked, type Question } from '../../cli/policy/subject.ts';
import { decide } from '../../daemon/access/rights.ts';
import { readConfig, type ReadConfig } from '../../daemon/config/parse.ts';
import { compilePathRules } from '../../daemon/config/patterns.ts';

const read = (text: string): ReadConfig => {
  const reading = readConfig(text);
  assert.ok('config' in reading, JSON.stringify(reading));
  return reading;
};

const now = Date.parse('2026-06-01T00:00:00Z');
const text = `[operators]
uids = [0]
[clients.app]
uid = 5
[clients.late]
uid = 6
[clients.proved]
enrolled = true
[profiles.p]
approve = ['global/prod.*']
[profiles.p.grants.app]
read = [
  'global/a*',
  'global/prod.*',
]
list = ['global/ab']
write = []
crypto = ['default/n/*', { match = 'default/mail/*', tenants = ['acme'] }]
unlock = true
[profiles.p.grants.late]
read = ['*']
admin = true
until = 2026-01-01T00:00:00Z
[profiles.q]
require_enrolled = true
[profiles.q.grants.app]
read = ['*']
[profiles.q.grants.proved]
read = ['global/*']
sign = ['ws:1/*']
`;
const policy = read(text);

const ask = (client: string, op: string, path?: string, more: Partial<Question> = {}) => {
  const question = { client, op, path, profile: 'p', ...more };
  const identity = identityNamed(question, policy.config, new Set());
  return explain(policy, { identity, profile: question.profile, right: rightsAsked(question)[0], now });
};

describe('an explanation', () => {
  const cases: readonly (readonly [string, ReturnType<typeof ask>, decision: string, line: number])[] = [
    ['of what a pattern allows names that pattern', ask('app', 'read', 'global/ax'), 'allow', 13],
    ['of an operation is that of its right', ask('app', 'secret.get', 'global/ax'), 'allow', 13],
    ['of what no pattern matches names the list', ask('app', 'read', 'global/b'), 'deny', 12],
    ['of an empty list names that', ask('app', 'write', 'global/ax'), 'deny', 17],
    ['of a list that narrows names the list', ask('app', 'list', 'global/ax'), 'deny', 16],
    ['of a right that is not written names the grant', ask('app', 'delete', 'global/ax'), 'deny', 11],
    ['of crypto names the rule', ask('app', 'crypto', 'default/n/k'), 'allow', 18],
    [
      'of crypto for another tenant names the rule',
      ask('app', 'crypto', 'default/mail/k', { tenant: 'b' }),
      'deny',
      18,
    ],
    [
      'of crypto for a tenant',
      ask('app', 'crypto.encrypt', 'default/mail/k', { tenant: 'acme' }),
      'allow',
      18,
    ],
    ['of a flag names the flag', ask('app', 'unlock'), 'allow', 19],
    ['of a grant that ended names its end', ask('late', 'read', 'global/a'), 'deny', 23],
    ['of a client without a grant names the grants', ask('proved', 'read', 'global/a'), 'deny', 11],
    ['of a profile for enrolled clients names that', ask('app', 'read', 'x', { profile: 'q' }), 'deny', 25],
    ['of an enrolled client', ask('proved', 'read', 'global/a', { profile: 'q' }), 'allow', 29],
    ['of the owner there', ask('owner', 'read', 'global/a', { profile: 'q' }), 'deny', 25],
    ['of the owner who locks it', ask('owner', 'lock', undefined, { profile: 'q' }), 'allow', 1],
    ['of an operator names the uids', ask('operator:0', 'daemon.stop'), 'allow', 2],
    ['of no operator', ask('operator:7', 'daemon.stop'), 'deny', 3],
    ['of a client and the daemon', ask('app', 'daemon.stop'), 'deny', 1],
    ['of a stranger', ask('stranger', 'status'), 'deny', 3],
  ];
  for (const [name, explanation, decision, line] of cases) {
    test(name, () => {
      assert.deepEqual([explanation.decision, explanation.rule.line], [decision, line], explanation.reason);
      if (decision === 'deny') assert.notEqual(explanation.change, undefined);
    });
  }

  test('tells of reads that wait for an approval, and only of such', () => {
    assert.equal(ask('app', 'read', 'global/prod.db').approval?.line, 10);
    assert.equal(ask('owner', 'read', 'global/prod.db').approval?.line, 10);
    assert.equal(ask('app', 'read', 'global/a').approval, undefined);
    assert.equal(ask('late', 'read', 'global/prod.db').approval, undefined);
    assert.equal(ask('app', 'write', 'global/prod.db').approval, undefined);
  });

  test('says what would have to change', () => {
    assert.match(
      ask('app', 'read', 'global/b').change ?? '',
      /profiles\.p\.grants\.app needs read = \['global\/b'\]/,
    );
    assert.match(
      ask('proved', 'keys').change ?? '',
      /write \[profiles\.p\.grants\.proved\] with keys = true/,
    );
    assert.match(
      ask('app', 'crypto', 'default/mail/k', { tenant: 'b' }).change ?? '',
      /add 'b' to its tenants/,
    );
  });

  test('is refused for what there is not', () => {
    for (const [client, op, path] of [
      ['app', 'reed', 'global/a'],
      ['app', 'read', undefined],
      ['app', 'crypto', 'default/n'],
      ['operator', 'status', undefined],
      ['a b', 'status', undefined],
    ] as const) {
      assert.throws(() => ask(client, op, path), { code: 'BAD_REQUEST' }, `${client} ${op}`);
    }
  });

  test('names a rule that decides as the daemon decides, whoever asks for whatever, and whenever', () => {
    const client = fc.constantFrom(
      'app',
      'late',
      'proved',
      'nobody',
      'owner',
      'limited',
      'operator:0',
      'stranger',
      'unidentified',
    );
    const op = fc.constantFrom(
      ...['read', 'write', 'delete', 'list', 'crypto', 'keyring', 'keys', 'unlock', 'lock', 'audit', 'admin'],
      ...['status', 'daemon', 'secret.list', 'crypto.decrypt', 'crypto.digestKey', 'grant.add', 'slot.list'],
      ...['sign', 'ssh.list', 'ssh.public', 'ssh.sign', 'ssh.generate'],
    );
    const path = fc.constantFrom('global/a', 'global/ab', 'global/b', 'global/prod.x', 'ws:1/a');
    const coordinate = fc.constantFrom('default/n/k', 'default/mail/k', 'other/n/k');
    const question = fc.record({
      client,
      op,
      path,
      coordinate,
      profile: fc.constantFrom('p', 'q', 'none'),
      enrolled: fc.boolean(),
      tenant: fc.constantFrom(undefined, '', 'acme', 'other'),
      at: fc.constantFrom(now, Date.parse('2025-06-01T00:00:00Z')),
    });
    fc.assert(
      fc.property(question, ({ coordinate: place, at, ...given }) => {
        const isCrypto = given.op.startsWith('crypto') && given.op !== 'crypto.digestKey';
        const path = isCrypto
          ? place
          : /^(keyring|crypto\.digestKey)$/.test(given.op)
            ? 'default'
            : given.path;
        const asked: Asked = {
          identity: identityNamed(given, policy.config, new Set()),
          profile: given.profile,
          right: rightsAsked({ ...given, path })[0],
          now: at,
        };
        assert.ok(asked.right);
        const decision = decide(policy.config, asked.identity, asked.profile, asked.right, {
          now: at,
          granted: [],
        });
        assert.equal(groundOf(policy.config, asked).allows ? 'allow' : 'deny', decision);
        assert.equal(explain(policy, asked).decision, decision);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('two patterns', () => {
  test('overlap if some text matches both', () => {
    const part = fc
      .array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 4 })
      .map((chars) => chars.join(''));
    const isFree = (pattern: string): boolean => !pattern.includes('**');
    const texts = ['a', 'b'].flatMap((first) => [first, ...['a', 'b'].map((second) => first + second)]);
    const longer = texts.flatMap((one) =>
      texts.flatMap((two) => [one, one + two, ...texts.map((three) => one + two + three)]),
    );
    fc.assert(
      fc.property(part.filter(isFree), part.filter(isFree), (one, other) => {
        const matches = (pattern: string, name: string): boolean =>
          compilePathRules([`global/${pattern}`]).matches(`global/${name}`);
        const found = longer.some((name) => matches(one, name) && matches(other, name));
        if (found) assert.ok(overlaps(`global/${one}`, `global/${other}`));
        else if (one.length + other.length <= 5)
          assert.ok(!overlaps(`global/${one}`, `global/${other}`), `${one} ${other}`);
      }),
    );
    assert.ok(overlaps('*', 'ws:a/b') && !overlaps('ws:*/a', 'pr:*/a'));
  });
});

describe('the lint of a policy', () => {
  const around: Surroundings = {
    daemonUid: 1000,
    enrolledNames: new Set(['known']),
    profiles: new Set(['p']),
    now,
  };
  const remarks = (toml: string, more: Partial<Surroundings> = {}): readonly string[] =>
    lint(read(toml), { ...around, ...more }, 'config.toml').map(
      ({ line, key, message }) => `${line ?? '?'} ${key} ${message}`,
    );
  const granting = (grant: string): string =>
    `[clients.a]\nuid = 5\n[profiles.p.grants.a]\nlock = true\n${grant}`;

  test('has nothing to say of a plain one', () => {
    const toml = `[transport]\nsocket_mode = '0660'\nsocket_group = 'hush'\n${granting(
      "read = ['global/db-*', 'ws:shop/*', '*']\nlist = ['global/*']\ncrypto = ['default/settings/*', '*']\nuntil = 2026-12-31T00:00:00Z",
    )}`;
    assert.deepEqual(remarks(toml), []);
    assert.deepEqual(remarks(''), []);
  });

  const cases: readonly (readonly [name: string, toml: string, expected: RegExp])[] = [
    [
      "a client of the daemon's own uid",
      '[clients.a]\nuid = 1000',
      /^1 clients\.a has the daemon's own uid 1000/,
    ],
    [
      'an interpreter',
      "[clients.known]\nenrolled = true\nexe = '/usr/bin/python3.12'",
      /^1 clients\.known names an interpreter/,
    ],
    ['a program without a user', "[clients.a]\nexe = '/opt/shop'", /^1 clients\.a has no uid: every user/],
    [
      "another user's program",
      "[clients.a]\nuid = 5\nexe = '/opt/shop'",
      /only a daemon of root may look at/,
    ],
    [
      'two clients that a peer may match alike',
      '[clients.a]\nuid = 5\n[clients.b]\ngid = 6',
      /^3 clients\.b can match the same peer as clients\.a/,
    ],
    [
      'a client to be enrolled that is not',
      '[clients.a]\nenrolled = true',
      /^1 clients\.a is not enrolled.*: hush client add a$/,
    ],
    [
      'an enrolled client without that condition',
      '[clients.known]\nuid = 5',
      /^1 clients\.known is enrolled, and is matched by its key/,
    ],
    [
      'a grant for nobody',
      '[profiles.p.grants.b]\nlock = true',
      /^1 profiles\.p\.grants\.b is for a client that \[clients\.b\]/,
    ],
    [
      'a grant that has ended',
      granting('until = 2026-01-01T00:00:00Z'),
      /^5 profiles\.p\.grants\.a\.until has passed/,
    ],
    [
      'a grant of nothing',
      '[clients.a]\nuid = 5\n[profiles.p.grants.a]\nread = []',
      /^3 profiles\.p\.grants\.a gives nothing/,
    ],
    [
      'a pattern with an open end',
      granting("read = ['global/app*']"),
      /^5 .*\.read\.0 matches more than it may read: 'app\*' is 'app-x' and 'appx'/,
    ],
    [
      'a workspace with an open end',
      granting("read = ['ws:shop*/x']"),
      /matches more than it may read: 'shop\*'/,
    ],
    ['a pattern for all scopes', granting("write = ['*/x']"), /^5 .*\.write\.0 matches in every scope/],
    ['a pattern for no name', granting(`read = ['global/${'x'.repeat(129)}']`), /\.read\.0 matches nothing/],
    [
      'a pattern for no keyring',
      granting("crypto = ['a.b/n/k']"),
      /\.crypto\.0 matches nothing: no keyring is called a\.b/,
    ],
    [
      'a crypto pattern with an open end',
      granting("crypto = ['default/set*/k']"),
      /\.crypto\.0 matches more than it may read/,
    ],
    [
      'a rule for no tenant',
      granting("crypto = [{ match = 'a/b/c', tenants = [] }]"),
      /\.crypto\.0 is for no tenant/,
    ],
    [
      'a list that shows nothing',
      granting("read = ['global/a']\nlist = ['global/b-*']"),
      /^6 .*\.list\.0 shows nothing/,
    ],
    [
      'a pattern to approve with an open end',
      "[operators]\nuids = [7]\n[profiles.p]\napprove = ['global/prod*']",
      /^4 profiles\.p\.approve\.0 matches more/,
    ],
    [
      'a pattern that only the owner could approve for itself',
      "[profiles.p]\napprove = ['global/prod.*']",
      /^2 profiles\.p\.approve\.0 can be approved by nobody but who asks \(owner\)/,
    ],
    [
      'a pattern that a client cannot have approved by a program of its own user',
      `[operators]\nowner = false\n[clients.a]\nuid = 5\n[clients.b]\nuid = 5\ngid = 5\n[profiles.p]
approve = ['global/prod.*']\n[profiles.p.grants.a]\nread = ['global/*']\n[profiles.p.grants.b]\nadmin = true`,
      /^9 profiles\.p\.approve\.0 can be approved by nobody but who asks \(a\)/,
    ],
    [
      'a profile that does not exist',
      '[profiles.elsewhere]',
      /^1 profiles\.elsewhere is about a profile that does not/,
    ],
    [
      'an operator who is the daemon',
      '[operators]\nowner = false\nuids = [1000]',
      /^3 operators\.uids has no effect for 1000/,
    ],
    [
      'a socket for the whole host',
      "[transport]\nsocket_mode = '0666'\n[profiles.p]",
      /^2 transport\.socket_mode lets every user/,
    ],
    [
      'a socket for whatever group',
      "[transport]\nsocket_mode = '0660'",
      /^2 transport\.socket_mode lets the primary group/,
    ],
  ];
  for (const [name, toml, expected] of cases) {
    test(`tells of ${name}`, () => {
      const found = remarks(toml);
      assert.ok(
        found.some((remark) => expected.test(remark)),
        found.join('\n'),
      );
      assert.equal(found.length, 1, found.join('\n'));
    });
  }

  test('says nothing of a pattern that another user, an enrolled client or the owner can approve', () => {
    const approve = "[profiles.p]\napprove = ['global/prod.*']\n";
    const reader = "[clients.a]\nuid = 5\n[profiles.p.grants.a]\nread = ['global/*']\n";
    assert.deepEqual(remarks(`[operators]\nuids = [7]\n${approve}`), []);
    assert.deepEqual(remarks(`${approve}[profiles.p.grants.known]\nadmin = true`), []);
    assert.deepEqual(remarks(`${approve}${reader}`), []);
    assert.deepEqual(remarks(`${approve}require_enrolled = true`), []);
  });

  test('says nothing of what it cannot know, or what is closed otherwise', () => {
    const unknown = { enrolledNames: undefined, profiles: undefined };
    assert.deepEqual(remarks('[clients.a]\nenrolled = true\n[profiles.x]', unknown), []);
    assert.deepEqual(remarks("[clients.a]\nuid = 5\nexe = '/opt/shop'", { daemonUid: 0 }), []);
    assert.deepEqual(
      remarks('[clients.a]\nuid = 5\n[clients.b]\nuid = 6\n[clients.c]\nuid = 5\ngid = 1'),
      [],
    );
    assert.deepEqual(remarks("[transport]\nsocket_mode = '0666'\n[profiles.p]\nrequire_enrolled = true"), []);
  });
});
