import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { profileConfigOf } from '../../daemon/config/config.ts';
import { loadConfig } from '../../daemon/config/load.ts';
import { parseConfig, readConfig } from '../../daemon/config/parse.ts';
import { HushError } from '../../protocol/errors.ts';

/** `line key message` of each problem of a text. */
const problemsOf = (text: string): readonly string[] => {
  const reading = readConfig(text);
  return 'config' in reading
    ? []
    : reading.problems.map(({ line, key, message }) => `${line ?? '?'} ${key} ${message}`);
};

const one = (text: string): string => {
  const problems = problemsOf(text);
  assert.equal(problems.length, 1, problems.join('\n'));
  return problems[0] ?? '';
};

describe('a config', () => {
  test('an empty text has all defaults', () => {
    const config = parseConfig('');
    assert.deepEqual(config.limits, {
      frameBytes: 1_572_864,
      valueBytes: 65_536,
      plaintextBytes: 1_048_576,
      connections: 512,
      inFlight: 256,
      helloMs: 5_000,
      frameMs: 10_000,
      idleMs: 3_600_000,
      writeBacklogBytes: 4_194_304,
      drainMs: 10_000,
      batchItems: 1_000,
    });
    assert.deepEqual(config.cache, { ttlSeconds: 300, entries: 10_000, bytes: 4_194_304 });
    assert.deepEqual(config.rate, {
      rate: 100_000,
      burst: 100_000,
      unidentifiedRate: 20,
      unidentifiedBurst: 40,
    });
    assert.deepEqual(config.operators, { owner: true, uids: [] });
    assert.deepEqual(config.kdf, { memoryMib: undefined, passes: undefined });
    assert.deepEqual(config.transport, { socketMode: 0o600, socketGroup: undefined, fieldEncryption: false });
    assert.deepEqual(config.unlock, { rate: 5, burst: 10 });
    assert.deepEqual(config.audit, {
      onFailure: 'refuse',
      segmentBytes: 67_108_864,
      keepBytes: 1_073_741_824,
      keepDays: 0,
      minAgeDays: 90,
    });
    const { requireEnrolled, approve, approvalSeconds, autolock } = profileConfigOf(config, 'any');
    assert.deepEqual([requireEnrolled, approve.patterns, approvalSeconds], [false, [], 300]);
    assert.deepEqual(autolock, { idleSeconds: undefined, ageSeconds: undefined, suspend: false });
    assert.deepEqual(config.clients, []);
    assert.equal(profileConfigOf(config, 'any').maxTenants, 1_000);
    const usual = { afterDays: undefined, afterMessages: 2 ** 31 };
    assert.deepEqual(profileConfigOf(config, 'any').rotation, usual);
    assert.deepEqual(profileConfigOf(parseConfig('[profiles.any]'), 'any').rotation, usual);
  });

  test('every key is read', () => {
    const config = parseConfig(`
      [limits]
      frame_bytes = 2000000
      plaintext_bytes = 1000
      in_flight = 7
      [cache]
      ttl = 0
      [rate]
      rate = 5
      unidentified_burst = 1
      [operators]
      owner = false
      uids = [1000, 0]
      [kdf]
      memory_mib = 64
      passes = 3
      [audit]
      on_failure = 'warn'
      segment_bytes = 4096
      keep_bytes = 8192
      keep_days = 400
      min_age_days = 30
      [transport]
      socket_mode = '0660'
      socket_group = 'hush'
      field_encryption = true
      [unlock]
      rate = 1
      burst = 2
      [clients.platform]
      uid = 1001
      gid = 1002
      exe = '/usr/bin/node'
      sha256 = '${'Ab'.repeat(32)}'
      unit = 'shop@1.service'
      enrolled = true
      field_encryption = true
      [profiles.default]
      max_tenants = 5
      require_enrolled = true
      approve = ['global/prod.*']
      approval_s = 60
      [profiles.default.autolock]
      idle_s = 900
      age_s = 28800
      suspend = true
      [profiles.default.keys]
      rotate_after_days = 90
      rotate_after_messages = 1000000
      [profiles.default.grants.platform]
      read = ['global/a', 'ws:*/b-*']
      write = ['global/a']
      delete = []
      list = ['*']
      crypto = ['default/billing/*', { match = 'default/*/*', tenants = ['acme', ''] }]
      keys = true
      unlock = true
      lock = true
      audit = true
      admin = true
      until = 2026-12-31T01:00:00+01:00
      rate = 10
      burst = 20
    `);
    assert.equal(config.limits.frameBytes, 2_000_000);
    assert.equal(config.limits.inFlight, 7);
    assert.equal(config.cache.ttlSeconds, 0);
    assert.deepEqual(config.operators, { owner: false, uids: [1000, 0] });
    assert.deepEqual(config.kdf, { memoryMib: 64, passes: 3 });
    assert.deepEqual(config.audit, {
      onFailure: 'warn',
      segmentBytes: 4_096,
      keepBytes: 8_192,
      keepDays: 400,
      minAgeDays: 30,
    });
    assert.deepEqual(config.transport, { socketMode: 0o660, socketGroup: 'hush', fieldEncryption: true });
    assert.deepEqual(config.unlock, { rate: 1, burst: 2 });
    assert.deepEqual(config.clients, [
      {
        name: 'platform',
        uid: 1001,
        gid: 1002,
        exe: '/usr/bin/node',
        sha256: 'ab'.repeat(32),
        unit: 'shop@1.service',
        enrolled: true,
        fieldEncryption: true,
      },
    ]);
    const profile = profileConfigOf(config, 'default');
    assert.deepEqual([profile.requireEnrolled, profile.approvalSeconds], [true, 60]);
    assert.ok(profile.approve.matches('global/prod.db') && !profile.approve.matches('global/production'));
    assert.deepEqual(profile.autolock, { idleSeconds: 900, ageSeconds: 28_800, suspend: true });
    const { maxTenants, rotation, grants } = profileConfigOf(config, 'default');
    const grant = grants['platform'];
    assert.equal(maxTenants, 5);
    assert.deepEqual(rotation, { afterDays: 90, afterMessages: 1_000_000 });
    assert.deepEqual(grant?.read.patterns, ['global/a', 'ws:*/b-*']);
    assert.deepEqual(grant.crypto.rules, [
      { match: 'default/billing/*' },
      { match: 'default/*/*', tenants: ['acme', ''] },
    ]);
    assert.deepEqual([grant.keys, grant.unlock, grant.lock, grant.audit, grant.admin], Array(5).fill(true));
    assert.deepEqual([grant.rate, grant.burst], [10, 20]);
    assert.equal(grant.until, Date.parse('2026-12-31T00:00:00Z'));
  });

  test('a larger plaintext enlarges the frame and the backlog that were not given', () => {
    const { limits } = parseConfig('[limits]\nplaintext_bytes = 8388608');
    assert.equal(limits.frameBytes, Math.ceil((8_388_608 * 4) / 3) + 65_536);
    assert.equal(limits.writeBacklogBytes, 2 * limits.frameBytes);
  });

  test('the result is frozen through and through', () => {
    const config = parseConfig('[clients.a]\nuid = 1\n[profiles.p.grants.a]\nread = ["*"]');
    const everything = (value: unknown): unknown[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(everything)] : [];
    assert.ok(everything(config).every((value) => Object.isFrozen(value)));
  });

  test('names of object properties find no profile and no grant', () => {
    const config = parseConfig('[clients.a]\nuid = 1\n[profiles.p.grants.a]');
    assert.equal(profileConfigOf(config, 'constructor').grants['app'], undefined);
    assert.equal(config.profiles['p']?.grants['constructor'], undefined);
  });
});

const grants = '[clients.a]\nuid = 1\n[profiles.p.grants.a]\n';

describe('a config is refused, by key and line,', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['that is not TOML', '[limits]\nconnections =\n', /^2 {2}is not TOML/],
    ['with a key twice', '[cache]\nttl = 1\nttl = 2\n', /^3 /],
    ['with an unknown section', '\n[limitz]\na = 1\n', /^2 limitz is not a key/],
    ['with an unknown key', '[limits]\n# frame_size\nframe_size = 1\n', /^3 limits\.frame_size is not a key/],
    ['with an unknown dotted key', 'cache.tll = 1', /^1 cache\.tll is not a key/],
    ['with an unknown quoted key', '[cache]\n"a = b\\"" = 1', /^2 cache\."a = b\\"" is not a key/],
    [
      'with a value of the wrong type',
      '[cache]\nttl = "300"',
      /^2 cache\.ttl must be a whole number from 0 to/,
    ],
    ['with a fraction', '[cache]\nttl = 1.5', /^2 cache\.ttl must be a whole number/],
    ['with NaN', '[cache]\nttl = nan', /^2 cache\.ttl must be a whole number/],
    ['with a date', '[cache]\nttl = 2026-01-01', /^2 cache\.ttl must be a whole number/],
    ['with a value out of bounds', '[limits]\nin_flight = 0', /^2 limits\.in_flight must be .* from 1 to/],
    [
      'with a rotation after too few messages',
      '[profiles.default.keys]\nrotate_after_messages = 1000',
      /^2 profiles\.default\.keys\.rotate_after_messages must be .* from 1000000 to/,
    ],
    ['with a section that is no table', 'limits = 3', /^1 limits must be a table/],
    ['with a flag that is none', '[operators]\nowner = 1', /^2 operators\.owner must be true or false/],
    [
      'with another failure mode',
      "[audit]\non_failure = 'ignore'",
      /^2 audit\.on_failure must be 'refuse' or/,
    ],
    ['with weak key derivation', '[kdf]\nmemory_mib = 18', /^2 kdf\.memory_mib must be .* from 19/],
    ['with a client without conditions', '[clients.a]', /^1 clients\.a must have at least one of/],
    ['with an unmappable uid', '[clients.a]\nuid = 65534', /^2 clients\.a\.uid must not be 65534/],
    [
      'with a relative executable',
      "[clients.a]\nexe = 'node'",
      /^2 clients\.a\.exe must be an absolute path/,
    ],
    [
      'with a client called owner',
      '[clients.owner]\nuid = 1',
      /^1 clients\.owner is a name that hushd gives/,
    ],
    ['with a bad client name', '[clients."a b"]\nuid = 1', /^1 clients\."a b" must be 1-64/],
    ['with a bad profile name', '[profiles."a.b"]', /^1 profiles\."a\.b" must be 1-64/],
    ['with __proto__', '[clients.__proto__]\nuid = 1', /__proto__|unsafe/i],
    [
      'with a client that is another by a new name',
      '[clients.a]\nuid = 1\n[clients.b]\nuid = 1',
      /^3 clients\.b matches the same peers as clients\.a/,
    ],
    [
      'with a client that is told by nothing',
      '[clients.a]\nfield_encryption = true',
      /^1 clients\.a must have at least one of uid, gid, exe, sha256, unit, enrolled/,
    ],
    ['with half a hash', "[clients.a]\nsha256 = 'abc'", /^2 clients\.a\.sha256 must be the 64 hex digits/],
    [
      'with a unit that is a slice',
      "[clients.a]\nunit = 'a.slice'",
      /^2 clients\.a\.unit must be the name of/,
    ],
    [
      'with a path for a unit',
      "[clients.a]\nunit = 'x/a.service'",
      /^2 clients\.a\.unit must be the name of/,
    ],
    [
      'with a client not enrolled',
      '[clients.a]\nenrolled = false',
      /^2 clients\.a\.enrolled must be true, or be/,
    ],
    [
      'with a socket for all but its user',
      "[transport]\nsocket_mode = '0066'",
      /^2 transport\.socket_mode must be/,
    ],
    ['with a mode that is a number', '[transport]\nsocket_mode = 0o600', /^2 transport\.socket_mode must be/],
    [
      'with a group that nothing is given to',
      "[transport]\nsocket_group = 'hush'",
      /^2 transport\.socket_group means something with socket_mode = '0660' alone/,
    ],
    [
      'with an audit smaller than a part of it',
      '[audit]\nsegment_bytes = 8192\nkeep_bytes = 4096',
      /^3 audit\.keep_bytes is less than one segment/,
    ],
    [
      'with an audit that must go before it may',
      '[audit]\nkeep_days = 30',
      /^2 audit\.keep_days is less than min_age_days \(90\)/,
    ],
    [
      'with an end in quotes',
      `${grants}until = '2026-12-31T00:00:00Z'`,
      /^4 profiles\.p\.grants\.a\.until must be a/,
    ],
    [
      'with an end by local time',
      `${grants}until = 2026-12-31T00:00:00`,
      /^4 profiles\.p\.grants\.a\.until must be/,
    ],
    [
      'with a day for an end',
      `${grants}until = 2026-12-31`,
      /^4 profiles\.p\.grants\.a\.until must be a date, a/,
    ],
    ['with an end that is no day', `${grants}until = 2026-02-30T25:00:00Z`, /^4 /],
    [
      'with a pattern to approve that is none',
      "[profiles.p]\napprove = ['prod*']",
      /^2 profiles\.p\.approve\.0 must/,
    ],
    ['with a way out of its folder', "include = ['../x.toml']", /^1 include\.0 must be a path below/],
    ['with an absolute include', "include = ['/etc/x.toml']", /^1 include\.0 must be a path below/],
    [
      'with a star in a folder',
      "include = ['*/x.toml']",
      /^1 include\.0 must have '\*' in its last part only/,
    ],
    ['with an include that is no list', "include = 'x.toml'", /^1 include must be a list/],
    ['with a frame too small', '[limits]\nframe_bytes = 70000', /^2 limits\.frame_bytes is too small for/],
    [
      'with a backlog too small',
      '[limits]\nwrite_backlog_bytes = 65536',
      /^2 limits\.write_backlog_bytes is too/,
    ],
  ];
  for (const [name, text, expected] of cases) {
    test(name, () => {
      assert.match(one(text), expected);
    });
  }

  for (const pattern of [
    'global*',
    '**',
    'global/**',
    'a/b/c',
    '',
    'glob*/x',
    'ws*/x',
    'global/../x',
    'global/é',
  ]) {
    test(`with the path pattern '${pattern}'`, () => {
      assert.match(
        one(`${grants}read = ['global/ok',\n '${pattern}']`),
        /^5 profiles\.p\.grants\.a\.read\.1 must/,
      );
    });
  }
  for (const pattern of ['default*', 'default/a', 'default//b', 'a/b/c/d', 'a/b/**', '']) {
    test(`with the crypto pattern '${pattern}'`, () => {
      assert.match(
        one(`${grants}crypto = ['${pattern}']`),
        /^4 profiles\.p\.grants\.a\.crypto\.0(\.match)? must/,
      );
    });
  }

  test('with an unknown key inside a rule', () => {
    const text = `${grants}crypto = [\n  'a/b/c',\n  { match = 'a/b/c', tenats = ['x'] },\n]`;
    assert.match(one(text), /^6 profiles\.p\.grants\.a\.crypto\.1\.tenats is not a key/);
  });

  test('with everything that is wrong at once, in the order of the lines', () => {
    const text = '[cache]\nttl = -1\nsize = 3\n[rate]\nburst = 0\n';
    assert.deepEqual(
      problemsOf(text).map((problem) => problem.split(' ').slice(0, 2)),
      [
        ['2', 'cache.ttl'],
        ['3', 'cache.size'],
        ['5', 'rate.burst'],
      ],
    );
    assert.throws(() => parseConfig(text, '/x/config.toml'), {
      code: 'BAD_REQUEST',
      message:
        /^\/x\/config\.toml: line 2: cache\.ttl must .*; line 3: cache\.size is .*; line 5: rate\.burst/,
    });
  });

  test('whatever the text: it is a config or BAD_REQUEST, never another failure', () => {
    const words = fc.constantFrom(
      ...[
        '[',
        ']',
        '{',
        '}',
        '=',
        '"',
        "'",
        '"""',
        '#',
        '\n',
        '.',
        ',',
        '1',
        'true',
        'limits',
        'clients',
        'a',
        ' ',
      ],
      ...['profiles', 'grants', 'read', 'uid', '__proto__', '\\', '\u0000', 'é', '*'],
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 40 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (sample) => {
        try {
          parseConfig(sample);
        } catch (error) {
          assert.ok(error instanceof HushError, String(error));
          assert.equal(error.code, 'BAD_REQUEST');
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a config file', () => {
  test('is read if it is there, means the defaults if not, and is refused if others can reach it', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'hush-config-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const path = join(folder, 'config.toml');
    assert.equal(loadConfig(path).cache.ttlSeconds, 300);
    writeFileSync(path, '[cache]\nttl = 7\n', { mode: 0o600 });
    assert.equal(loadConfig(path).cache.ttlSeconds, 7);
    writeFileSync(path, '[cache]\nttl = x\n');
    assert.throws(() => loadConfig(path), { code: 'BAD_REQUEST', message: new RegExp(`^${path}: line 2: `) });
    writeFileSync(path, Buffer.from([0x23, 0xff, 0x0a]));
    assert.throws(() => loadConfig(path), { code: 'BAD_REQUEST', message: /not UTF-8/ });
    chmodSync(path, 0o644);
    assert.throws(() => loadConfig(path), { code: 'UNSAFE_MODE', hint: `chmod 600 ${path}` });
  });
});
