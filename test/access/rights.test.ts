import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity, IdentityKind } from '../../daemon/access/identity.ts';
import { bucketOf } from '../../daemon/access/rates.ts';
import { decide, rightsLastUntil, rightsOf, type Moment } from '../../daemon/access/rights.ts';
import type { Granted } from '../../daemon/access/runtime-grants.ts';
import type { Right } from '../../protocol/rights.ts';
import { parseConfig } from '../../daemon/config/parse.ts';

const peer = (kind: IdentityKind, name: string = kind, enrolled = false): Identity => ({
  kind,
  name,
  pid: 1,
  uid: 2,
  gid: 3,
  enrolled,
});
const client = peer('client', 'app');
const withGrant = (grant: string) => parseConfig(`[clients.app]\nuid = 2\n[profiles.p.grants.app]\n${grant}`);

const path = 'global/a';
const everyRight: readonly Right[] = [
  { kind: 'read', path },
  { kind: 'write', path },
  { kind: 'delete', path },
  { kind: 'list', path },
  { kind: 'crypto', keyring: 'default', namespace: 'n', key: 'k', tenant: '' },
  { kind: 'crypto', keyring: 'default', namespace: 'n', key: 'k', tenant: 't' },
  { kind: 'keyring', keyring: 'default' },
  { kind: 'listing' },
  { kind: 'keys' },
  { kind: 'unlock' },
  { kind: 'lock' },
  { kind: 'audit' },
  { kind: 'admin' },
  { kind: 'status' },
];

const today = Date.parse('2026-06-01T00:00:00Z');
const usual: Moment = { now: today, granted: [] };

/** The kinds of all rights that a client has by a grant. */
const allowed = (
  grant: string,
  who: Identity = client,
  profile = 'p',
  moment: Moment = usual,
): readonly string[] =>
  everyRight
    .filter((right) => decide(withGrant(grant), who, profile, right, moment) === 'allow')
    .map(({ kind }) => kind);

describe('who may do what', () => {
  test('the owner and operators may everything, on any profile', () => {
    for (const kind of ['owner', 'operator'] as const) {
      assert.equal(allowed('', peer(kind)).length, everyRight.length);
      assert.equal(allowed('', peer(kind), 'elsewhere').length, everyRight.length);
    }
  });

  test('a limited peer may ask status, unlock and lock', () => {
    assert.deepEqual(allowed("read = ['*']", peer('limited')), ['unlock', 'lock', 'status']);
  });

  test('strangers and unidentified peers may nothing', () => {
    for (const kind of ['stranger', 'unidentified'] as const) {
      assert.deepEqual(allowed("read = ['*']", peer(kind)), []);
    }
  });

  test('a client without a grant may nothing, not even ask status', () => {
    assert.deepEqual(allowed(''), []);
    assert.deepEqual(allowed("read = ['*']", peer('client', 'other')), []);
    assert.deepEqual(allowed("read = ['*']", peer('client', 'toString')), []);
  });

  test('a grant on one profile gives nothing on another, whether that exists or not', () => {
    assert.deepEqual(allowed("read = ['*']", client, 'elsewhere'), []);
    assert.deepEqual(allowed("read = ['*']", client, 'constructor'), []);
  });

  test('an empty list gives nothing', () => {
    assert.deepEqual(allowed('read = []\nwrite = []\ndelete = []\nlist = []\ncrypto = []'), []);
    assert.deepEqual(allowed("crypto = [{ match = '*', tenants = [] }]"), []);
  });

  test('read gives reading, and the list of what may be read', () => {
    assert.deepEqual(allowed("read = ['global/a']"), ['read', 'list', 'listing', 'status']);
    assert.deepEqual(allowed("read = ['global/b']"), ['listing', 'status']);
  });

  test('A8: list shows only names that may be read, whatever its patterns', () => {
    assert.deepEqual(allowed("read = ['global/b']\nlist = ['*']"), ['listing', 'status']);
    assert.deepEqual(allowed("list = ['*']"), []);
  });

  test('list narrows what is shown, and an empty one shows nothing', () => {
    assert.deepEqual(allowed("read = ['*']\nlist = ['global/b*']"), ['read', 'listing', 'status']);
    assert.deepEqual(allowed("read = ['*']\nlist = []"), ['read', 'status']);
  });

  test('write and delete give that and no more', () => {
    assert.deepEqual(allowed("write = ['global/*']"), ['write', 'status']);
    assert.deepEqual(allowed("delete = ['global/*']"), ['delete', 'status']);
  });

  test('crypto gives what its pattern and tenants say, and the keyring as such', () => {
    assert.deepEqual(allowed("crypto = ['default/n/*']"), ['crypto', 'crypto', 'keyring', 'status']);
    assert.deepEqual(allowed("crypto = [{ match = 'default/n/*', tenants = ['t'] }]"), [
      'crypto',
      'keyring',
      'status',
    ]);
    assert.deepEqual(allowed("crypto = ['other/n/*']"), ['status']);
  });

  test('crypto for a tenant that is not told yet passes if there is any that it is granted for', () => {
    const untold: Right = { kind: 'crypto', keyring: 'default', namespace: 'n', key: 'k' };
    const decided = (grant: string) => decide(withGrant(grant), client, 'p', untold, usual);
    assert.equal(decided("crypto = [{ match = 'default/n/*', tenants = ['t'] }]"), 'allow');
    assert.equal(decided("crypto = ['default/n/*']"), 'allow');
    assert.equal(decided("crypto = [{ match = 'default/n/*', tenants = [] }]"), 'deny');
    assert.equal(decided("crypto = [{ match = 'default/other/*', tenants = ['t'] }]"), 'deny');
  });

  for (const right of ['keys', 'unlock', 'lock', 'audit', 'admin']) {
    test(`${right} gives ${right} and status`, () => {
      assert.deepEqual(allowed(`${right} = true`), [right, 'status']);
      assert.deepEqual(allowed(`${right} = false`), []);
    });
  }

  test('a profile on which there is no right looks as if it did not exist', () => {
    const config = withGrant("read = ['global/a']");
    assert.equal(rightsOf(config, client, 'p', usual).any, true);
    assert.equal(rightsOf(config, client, 'q', usual).any, false);
    assert.equal(rightsOf(config, peer('limited'), 'q', usual).any, true);
  });

  test('the rights of a connection decide as the config does', () => {
    const config = withGrant("read = ['global/a*']");
    const rights = rightsOf(config, client, 'p', usual);
    assert.ok(rights.mayRead('global/ab') && !rights.mayRead('global/b') && !rights.mayWrite('global/a'));
  });

  test('1,000 rules are all obeyed', () => {
    const names = Array.from({ length: 500 }, (_, index) => index);
    const patterns = names.flatMap((index) => [`'global/app-${index}-*'`, `'*/x-${index}'`]);
    const rights = rightsOf(withGrant(`read = [${patterns.join(',')}]`), client, 'p', usual);
    for (const index of names) {
      assert.ok(rights.mayRead(`global/app-${index}-key`) && rights.mayRead(`ws:1/x-${index}`));
    }
    assert.ok(!rights.mayRead('global/app-500-key') && !rights.mayRead('ws:1/x-500'));
  });
});

describe('the end of a grant', () => {
  const grant = "read = ['*']\nadmin = true\nuntil = 2026-06-01T02:00:00+02:00";
  const at = (now: number): readonly string[] => allowed(grant, client, 'p', { now, granted: [] });

  test('it gives all that it says before that moment, and nothing from then on', () => {
    assert.ok(at(today - 1).includes('admin'));
    assert.deepEqual(at(today), []);
    assert.deepEqual(at(today + 1), []);
  });

  test('rights are worked out again at that moment and not before', () => {
    const last = (now: number, who = client): number => rightsLastUntil(withGrant(grant), who, 'p', now);
    assert.equal(last(today - 1), today);
    assert.equal(last(today), Infinity);
    assert.equal(last(today - 1, peer('owner')), Infinity);
    assert.equal(rightsLastUntil(withGrant(grant), client, 'q', 0), Infinity);
    assert.equal(rightsLastUntil(withGrant("read = ['*']"), client, 'p', 0), Infinity);
  });

  test('the owner does not end with it', () => {
    assert.equal(
      allowed(grant, peer('owner'), 'p', { now: today + 1, granted: [] }).length,
      everyRight.length,
    );
  });
});

describe('a grant for a time', () => {
  const granting = (right: Granted['right'], pattern: string, more: Partial<Granted> = {}): Moment => ({
    now: today,
    granted: [{ profile: 'p', client: 'app', right, pattern, ...more }],
  });

  test('adds its right to what the config grants, for that client on that profile alone', () => {
    const moment = granting('read', 'global/a');
    assert.deepEqual(allowed('lock = true', client, 'p', moment), [
      'read',
      'list',
      'listing',
      'lock',
      'status',
    ]);
    assert.deepEqual(allowed('', client, 'p', granting('write', 'global/*')), ['write', 'status']);
    assert.deepEqual(allowed('', client, 'p', granting('delete', '*')), ['delete', 'status']);
    assert.deepEqual(allowed('', client, 'p', granting('crypto', 'default/n/*')), [
      'crypto',
      'crypto',
      'keyring',
      'status',
    ]);
    assert.deepEqual(allowed('', client, 'p', granting('read', 'global/b')), ['listing', 'status']);
    assert.deepEqual(allowed('', client, 'q', moment), []);
    assert.deepEqual(allowed('', client, 'p', granting('read', 'global/a', { profile: 'q' })), []);
    assert.deepEqual(allowed('', client, 'p', granting('read', 'global/a', { client: 'other' })), []);
  });

  test('takes nothing away: list shows what it showed, and more', () => {
    const grant = "read = ['*']\nlist = ['global/b']";
    assert.deepEqual(allowed(grant, client, 'p', granting('list', 'global/a')), [
      'read',
      'list',
      'listing',
      'status',
    ]);
    const unnarrowed = allowed("read = ['*']", client, 'p', granting('list', 'global/b'));
    assert.deepEqual(unnarrowed, ['read', 'list', 'listing', 'status']);
    assert.deepEqual(allowed('', client, 'p', granting('list', '*')), []);
  });

  test('goes on where the grant of the config has come to its end', () => {
    const ended = "read = ['*']\nadmin = true\nuntil = 2020-01-01T00:00:00Z";
    assert.deepEqual(allowed(ended, client, 'p', granting('write', 'global/a')), ['write', 'status']);
  });

  test('gives nothing to a stranger of its name, and the owner no more than everything', () => {
    for (const kind of ['stranger', 'unidentified'] as const) {
      assert.deepEqual(allowed('', peer(kind, 'app'), 'p', granting('read', '*')), []);
    }
  });
});

describe('a profile that only enrolled clients may use', () => {
  const config = parseConfig(
    "[clients.app]\nuid = 2\n[profiles.p]\nrequire_enrolled = true\n[profiles.p.grants.app]\nread = ['*']\nunlock = true",
  );
  const of = (who: Identity, moment = usual): readonly string[] =>
    everyRight.filter((right) => decide(config, who, 'p', right, moment) === 'allow').map(({ kind }) => kind);

  test('gives an enrolled client its grants', () => {
    assert.deepEqual(of(peer('client', 'app', true)), ['read', 'list', 'listing', 'unlock', 'status']);
    assert.deepEqual(of(peer('client', 'other', true)), []);
  });

  test('leaves status, lock and unlock to the owner and operators, and nothing to other clients', () => {
    for (const kind of ['owner', 'operator', 'limited'] as const) {
      assert.deepEqual(of(peer(kind)), ['unlock', 'lock', 'status']);
    }
    const granted: Granted[] = [{ profile: 'p', client: 'app', right: 'read', pattern: '*' }];
    assert.deepEqual(of(client), []);
    assert.deepEqual(of(client, { now: today, granted }), []);
  });

  test('closes no other profile, and not the daemon', () => {
    const rights = rightsOf(config, peer('owner'), '', usual);
    assert.ok(rights.daemon && rights.admin);
  });
});

describe('token buckets', () => {
  const config = parseConfig(`
    [rate]
    rate = 100
    burst = 200
    [clients.app]
    uid = 2
    [clients.other]
    uid = 3
    [profiles.p.grants.app]
    rate = 5
    [profiles.q.grants.app]
    burst = 7
  `);

  test('each client has one, and the owner and each operator', () => {
    assert.deepEqual(bucketOf(config, peer('client', 'other'), 'p', 'request'), {
      name: 'other',
      rate: 100,
      burst: 200,
    });
    assert.deepEqual(bucketOf(config, peer('owner'), 'p', 'request'), {
      name: 'owner',
      rate: 100,
      burst: 200,
    });
  });

  test('a grant with a rate has its own; the burst that is missing is the rate', () => {
    assert.deepEqual(bucketOf(config, client, 'p', 'request'), { name: 'app@p', rate: 5, burst: 5 });
    assert.deepEqual(bucketOf(config, client, 'q', 'request'), { name: 'app@q', rate: 100, burst: 7 });
    assert.deepEqual(bucketOf(config, client, 'r', 'request'), { name: 'app', rate: 100, burst: 200 });
  });

  test('A4: unlocking has others on each profile, with a passphrase and without, whatever the grants', () => {
    const names = ['p', 'q'].flatMap((profile) =>
      (['unlock', 'unlock by key'] as const).map((use) => {
        const { name, ...rest } = bucketOf(config, client, profile, use);
        assert.deepEqual(rest, { rate: 5, burst: 10 });
        return name;
      }),
    );
    assert.deepEqual(names, ['app unlock@p', 'app unlock by key@p', 'app unlock@q', 'app unlock by key@q']);
  });

  test('handshakes of strangers have one for each uid, those of unidentified peers one together', () => {
    const stranger = (uid: number) => ({ ...peer('stranger', `stranger:${uid}`), uid });
    const rest = { rate: 20, burst: 40 };
    for (const uid of [8, 9])
      assert.deepEqual(bucketOf(config, stranger(uid), '', 'handshake'), {
        name: `handshake:${uid}`,
        ...rest,
      });
    const unidentified = { name: 'handshake:unidentified', ...rest };
    assert.deepEqual(bucketOf(config, peer('unidentified'), '', 'handshake'), unidentified);
    assert.equal(bucketOf(config, client, '', 'handshake').name, 'app');
  });

  test('strangers and unidentified peers share one', () => {
    const shared = { name: 'unidentified', rate: 20, burst: 40 };
    assert.deepEqual(bucketOf(config, peer('stranger', 'stranger:9'), 'q', 'unlock'), shared);
    assert.deepEqual(bucketOf(config, peer('unidentified'), 'p', 'request'), shared);
    assert.deepEqual(bucketOf(config, peer('stranger', 'stranger:9'), 'q', 'request'), shared);
  });
});
