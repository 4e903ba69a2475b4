import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity, IdentityKind } from '../../daemon/access/identity.ts';
import { bucketOf } from '../../daemon/access/rates.ts';
import { decide, hasAnyRight, rightsOf } from '../../daemon/access/rights.ts';
import type { Right } from '../../protocol/rights.ts';
import { parseConfig } from '../../daemon/config/parse.ts';

const peer = (kind: IdentityKind, name: string = kind): Identity => ({ kind, name, pid: 1, uid: 2, gid: 3 });
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

/** The kinds of all rights that a client has by a grant. */
const allowed = (grant: string, who: Identity = client, profile = 'p'): readonly string[] =>
  everyRight
    .filter((right) => decide(withGrant(grant), who, profile, right) === 'allow')
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
    const decided = (grant: string) => decide(withGrant(grant), client, 'p', untold);
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
    assert.equal(hasAnyRight(config, client, 'p'), true);
    assert.equal(hasAnyRight(config, client, 'q'), false);
    assert.equal(hasAnyRight(config, peer('limited'), 'q'), true);
  });

  test('the rights of a connection decide as the config does', () => {
    const config = withGrant("read = ['global/a*']");
    const rights = rightsOf(config, client, 'p');
    assert.ok(rights.mayRead('global/ab') && !rights.mayRead('global/b') && !rights.mayWrite('global/a'));
  });

  test('1,000 rules are all obeyed', () => {
    const names = Array.from({ length: 500 }, (_, index) => index);
    const patterns = names.flatMap((index) => [`'global/app-${index}-*'`, `'*/x-${index}'`]);
    const rights = rightsOf(withGrant(`read = [${patterns.join(',')}]`), client, 'p');
    for (const index of names) {
      assert.ok(rights.mayRead(`global/app-${index}-key`) && rights.mayRead(`ws:1/x-${index}`));
    }
    assert.ok(!rights.mayRead('global/app-500-key') && !rights.mayRead('ws:1/x-500'));
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
    assert.deepEqual(bucketOf(config, peer('client', 'other'), 'p'), {
      name: 'other',
      rate: 100,
      burst: 200,
    });
    assert.deepEqual(bucketOf(config, peer('owner'), 'p'), { name: 'owner', rate: 100, burst: 200 });
  });

  test('a grant with a rate has its own; the burst that is missing is the rate', () => {
    assert.deepEqual(bucketOf(config, client, 'p'), { name: 'app@p', rate: 5, burst: 5 });
    assert.deepEqual(bucketOf(config, client, 'q'), { name: 'app@q', rate: 100, burst: 7 });
    assert.deepEqual(bucketOf(config, client, 'r'), { name: 'app', rate: 100, burst: 200 });
  });

  test('strangers and unidentified peers share one', () => {
    const shared = { name: 'unidentified', rate: 20, burst: 40 };
    assert.deepEqual(bucketOf(config, peer('unidentified'), 'p'), shared);
    assert.deepEqual(bucketOf(config, peer('stranger', 'stranger:9'), 'q'), shared);
  });
});
