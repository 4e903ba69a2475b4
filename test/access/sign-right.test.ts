import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity } from '../../daemon/access/identity.ts';
import { decide, type Moment } from '../../daemon/access/rights.ts';
import { parseConfig } from '../../daemon/config/parse.ts';
import type { Right } from '../../protocol/rights.ts';

const path = 'global/ssh.a';
const asked: readonly Right[] = [
  { kind: 'sign', path },
  { kind: 'key', path },
  { kind: 'signing' },
  { kind: 'read', path },
  { kind: 'list', path },
  { kind: 'listing' },
  { kind: 'write', path },
  { kind: 'status' },
];
const app: Identity = { kind: 'client', name: 'app', pid: 1, uid: 2, gid: 3, enrolled: false };
const usual: Moment = { now: 0, granted: [] };

function allowed(grant: string, moment = usual, who = app): readonly string[] {
  const config = parseConfig(`[clients.app]\nuid = 2\n[profiles.p.grants.app]\n${grant}`);
  return asked.filter((right) => decide(config, who, 'p', right, moment) === 'allow').map(({ kind }) => kind);
}

describe('the right to sign', () => {
  test('is to sign with a key and to know its public half, and not to read or list it', () => {
    assert.deepEqual(allowed("sign = ['global/ssh.*']"), ['sign', 'key', 'signing', 'status']);
  });

  test('is on what its patterns match', () => {
    assert.deepEqual(allowed("sign = ['global/ssh.b']"), ['signing', 'status']);
  });

  test('comes with the right to read, since who has the key can sign without asking', () => {
    const all = ['sign', 'key', 'signing', 'read', 'list', 'listing', 'status'];
    assert.deepEqual(allowed("read = ['global/ssh.a']"), all);
    assert.deepEqual(allowed("read = ['global/ssh.a']\nsign = []"), all);
  });

  test('does not come with the right to write, delete or list', () => {
    assert.deepEqual(allowed("write = ['*']"), ['write', 'status']);
    assert.deepEqual(allowed("delete = ['*']\nlist = ['*']"), ['status']);
  });

  test('is nothing where its list is empty', () => {
    assert.deepEqual(allowed('sign = []'), []);
  });

  test('can be granted for a time', () => {
    const granted = { profile: 'p', client: 'app', right: 'sign', pattern: 'global/ssh.*' } as const;
    assert.deepEqual(allowed('', { now: 0, granted: [granted] }), ['sign', 'key', 'signing', 'status']);
  });

  test('ends with its grant', () => {
    const grant = "sign = ['*']\nuntil = 2026-01-01T00:00:00Z";
    assert.deepEqual(allowed(grant, { now: Date.parse('2026-01-01T00:00:00Z'), granted: [] }), []);
  });

  test('is the owner’s and the operators’ on everything, and nobody else’s', () => {
    const kinds = asked.map(({ kind }) => kind);
    for (const kind of ['owner', 'operator'] as const)
      assert.deepEqual(allowed('', usual, { ...app, kind, name: kind }), kinds);
    for (const kind of ['limited', 'stranger', 'unidentified'] as const) {
      const found = allowed("sign = ['*']", usual, { ...app, kind, name: kind });
      assert.deepEqual(found, kind === 'limited' ? ['status'] : []);
    }
  });
});
