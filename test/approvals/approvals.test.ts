import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity } from '../../daemon/access/identity.ts';
import { createApprovals, mostRequests, type ApprovalEvent } from '../../daemon/approvals/approvals.ts';
import { parseConfig } from '../../daemon/config/parse.ts';

const identity = (name: string, uid = 1000, enrolled = false): Identity => ({
  kind: 'client',
  name,
  pid: 4,
  uid,
  gid: 1000,
  enrolled,
  exe: '/usr/bin/app',
});
const asker = identity('asker');
const operator = { identity: identity('operator:0', 0) };
const operator1 = { identity: identity('operator:1', 1) };
const path = 'global/prod.db';

/** Approvals on a clock of the test, over a config that can be exchanged. */
function approvalsWith(toml = "[profiles.default]\napprove = ['global/prod.*']\n") {
  const state = { now: 0, config: parseConfig(toml, 'config.toml') };
  const events: ApprovalEvent[] = [];
  let ids = 0;
  const approvals = createApprovals({
    config: () => state.config,
    clock: () => state.now,
    newId: () => (ids++).toString(16).padStart(16, '0'),
    onEvent: (event) => events.push(event),
  });
  /** The id of the request that a read has to wait for. */
  const asked = (who = asker, what = path, profile = 'default'): string => {
    const denial = approvals.check(profile, what, who);
    assert.equal(denial?.code, 'APPROVAL_PENDING');
    assert.ok(denial.approval !== undefined && denial.retryAfterMs !== undefined);
    return denial.approval;
  };
  return { state, events, approvals, asked };
}

describe('a read that has to be approved', () => {
  test('waits, is approved by another identity, passes once, and then waits again', () => {
    const { approvals, asked, events } = approvalsWith();
    const id = asked();
    assert.equal(asked(), id, 'to ask again makes no second request');
    approvals.decide('default', id, true, operator);
    assert.equal(approvals.check('default', path, asker), undefined);
    assert.notEqual(asked(), id);
    assert.deepEqual(
      events.map(({ kind, request }) => [kind, request.id, request.by]),
      [
        ['asked', id, undefined],
        ['used', id, 'operator:0'],
        ['asked', '0000000000000001', undefined],
      ],
    );
  });

  test('is for reading alone, or for a signature alone', () => {
    const { approvals, asked } = approvalsWith();
    const id = asked();
    const other = approvals.check('default', path, asker, 'sign')?.approval ?? '';
    assert.notEqual(other, id);
    approvals.decide('default', other, false, operator);
    assert.match(
      approvals.check('default', path, asker, 'sign')?.message ?? '',
      /refused this signature with /,
    );
    approvals.decide('default', id, true, operator);
    assert.equal(approvals.check('default', path, asker), undefined);
    assert.deepEqual(
      approvals.list().map(({ right, state }) => [right, state]),
      [
        ['read', 'used'],
        ['sign', 'denied'],
      ],
    );
  });

  test('is that of one identity, one path and one profile', () => {
    const toml = ['default', 'other'].map((name) => `[profiles.${name}]\napprove = ['global/*']\n`).join('');
    const { approvals, asked } = approvalsWith(toml);
    approvals.decide('default', asked(), true, operator);
    asked(identity('somebody else'));
    asked(asker, 'global/prod.db2');
    asked(asker, path, 'other');
    assert.equal(approvals.check('default', path, asker), undefined);
  });

  test('is refused once it was denied, for as long as an approval lives, and may then be asked for anew', () => {
    const { approvals, asked, state } = approvalsWith();
    const id = asked();
    approvals.decide('default', id, false, operator);
    for (const at of [0, 299_999]) {
      state.now = at;
      const denial = approvals.check('default', path, asker);
      assert.equal(denial?.code, 'APPROVAL_DENIED');
      assert.match(denial.message, /^operator:0 refused/);
    }
    state.now = 300_000;
    assert.notEqual(asked(), id);
  });

  test('is no use to whoever asked: they cannot decide it, whatever else they may do', () => {
    const { approvals, asked } = approvalsWith();
    const id = asked();
    for (const approve of [true, false]) {
      const self = { identity: identity('asker', 7) };
      assert.throws(() => approvals.decide('default', id, approve, self), { code: 'ACCESS_DENIED' });
    }
    assert.equal(asked(), id);
  });

  test('is not decided by another program of the same uid, unless that uid owns the daemon', () => {
    const { approvals, asked } = approvalsWith();
    const id = asked();
    assert.throws(() => approvals.decide('default', id, true, { identity: identity('second program') }), {
      code: 'ACCESS_DENIED',
      message: /uid 1000/,
    });
    assert.notEqual(asked(identity('asker', 1001)), id, 'the same name with another uid asks for itself');
    const owner: Identity = { ...identity('owner'), kind: 'owner' };
    assert.equal(approvals.decide('default', id, true, { identity: owner }).state, 'approved');
  });

  test('is decided by an enrolled client, whatever uid relays it, but by none that was enrolled since', () => {
    const { approvals, asked } = approvalsWith();
    const id = asked();
    const boss = { identity: identity('boss', 1000, true) };
    assert.throws(
      () => approvals.decide('default', id, true, { ...boss, enrolledAt: '2999-01-01T00:00:00.000Z' }),
      { code: 'ACCESS_DENIED', message: /enrolled after/ },
    );
    approvals.decide('default', id, true, { ...boss, enrolledAt: '2020-01-01T00:00:00.000Z' });
    assert.equal(approvals.check('default', path, identity('asker')), undefined);
  });

  test('ends with the enrolment of the client that asked, or that approved it', () => {
    const { approvals, asked } = approvalsWith();
    const [first, second] = [asked(), asked(identity('somebody else'))];
    approvals.cancelOf('asker');
    assert.deepEqual(
      approvals.list().map(({ id }) => id),
      [second],
    );
    assert.notEqual(asked(), first);
    approvals.decide('default', second, true, operator);
    approvals.cancelOf('operator:0');
    assert.equal(approvals.list().length, 1);
  });

  test('is decided once: whoever comes second hears how, even after it was used', () => {
    const { approvals, asked } = approvalsWith();
    const id = asked();
    approvals.decide('default', id, true, operator);
    const taken = { code: 'CONFLICT', message: 'operator:0 has approved this already' };
    assert.throws(() => approvals.decide('default', id, false, operator1), taken);
    assert.equal(approvals.check('default', path, asker), undefined);
    assert.throws(() => approvals.decide('default', id, true, operator1), taken);
  });

  test('ends with its time, waiting or approved; the approval has a time of its own', () => {
    const { approvals, asked, state } = approvalsWith(
      "[profiles.default]\napprove = ['*']\napproval_s = 60\n",
    );
    const first = asked();
    state.now += 60_000;
    assert.throws(() => approvals.decide('default', first, true, operator), { code: 'NOT_FOUND' });
    const second = asked();
    state.now += 59_000;
    approvals.decide('default', second, true, operator);
    state.now += 59_999;
    assert.equal(approvals.remainingMs(approvals.list()[0] ?? assert.fail()), 1);
    assert.equal(approvals.check('default', path, asker), undefined);
    const third = asked();
    approvals.decide('default', third, true, operator);
    state.now += 60_000;
    assert.notEqual(asked(), third);
  });

  test('ends when its profile is locked, approved or not, and those of other profiles do not', () => {
    const toml = ['default', 'other'].map((name) => `[profiles.${name}]\napprove = ['*']\n`).join('');
    const { approvals, asked } = approvalsWith(toml);
    const approved = asked();
    const waiting = asked(asker, 'global/x');
    const elsewhere = asked(asker, path, 'other');
    approvals.decide('default', approved, true, operator);
    approvals.cancel('default');
    assert.throws(() => approvals.decide('default', waiting, true, operator), { code: 'NOT_FOUND' });
    assert.notEqual(asked(), approved);
    assert.equal(asked(asker, path, 'other'), elsewhere);
  });

  test('is found in its own profile only', () => {
    const { approvals, asked } = approvalsWith();
    const id = asked();
    assert.throws(() => approvals.decide('other', id, true, operator), { code: 'NOT_FOUND' });
  });

  test('follows the patterns of the config in force', () => {
    const { approvals, asked, state } = approvalsWith();
    assert.equal(approvals.check('default', 'global/test.db', asker), undefined);
    assert.equal(approvals.check('other', path, asker), undefined);
    asked();
    state.config = parseConfig('', 'config.toml');
    assert.equal(approvals.check('default', path, asker), undefined);
    state.config = parseConfig("[profiles.other]\napprove = ['*']\n", 'config.toml');
    asked(asker, path, 'other');
  });

  test('is one of a bounded number: of each identity, and of all', () => {
    const { approvals, asked } = approvalsWith();
    for (let count = 0; count < mostRequests.own; count += 1) asked(asker, `global/prod.${count}`);
    assert.equal(approvals.check('default', path, asker)?.code, 'LIMIT_EXCEEDED');
    for (let who = 1; who < mostRequests.all / mostRequests.own; who += 1) {
      for (let count = 0; count < mostRequests.own; count += 1) {
        asked(identity(`asker${who}`), `global/prod.${count}`);
      }
    }
    const late = identity('late');
    assert.equal(approvals.check('default', path, late)?.limit, 'approvals');
    // What was used is forgotten first.
    const [first] = approvals.list();
    assert.ok(first !== undefined);
    approvals.decide('default', first.id, true, operator);
    assert.equal(approvals.check('default', first.path, asker), undefined);
    asked(late);
    assert.equal(approvals.list().length, mostRequests.all);
  });
});
