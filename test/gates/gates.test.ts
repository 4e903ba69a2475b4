import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity } from '../../daemon/access/identity.ts';
import { accessGate } from '../../daemon/gates/access.ts';
import { approvalGate } from '../../daemon/gates/approval.ts';
import { createBuckets } from '../../daemon/gates/buckets.ts';
import type { GateCall, GatePeer, GateState, ProfileState } from '../../daemon/gates/gate.ts';
import { identityGate } from '../../daemon/gates/identity.ts';
import { firstDenial } from '../../daemon/gates/index.ts';
import { lockGate } from '../../daemon/gates/lock.ts';
import { nameGate } from '../../daemon/gates/name.ts';
import { profileGate } from '../../daemon/gates/profile.ts';
import { rateGate } from '../../daemon/gates/rate.ts';
import { HushError } from '../../protocol/errors.ts';

const call = (given: Partial<GateCall> = {}): GateCall => ({
  name: 'secret.get',
  profile: 'default',
  profileFault: undefined,
  pathFault: undefined,
  rights: [{ kind: 'read', path: 'global/a' }],
  ...given,
});
const owner: Identity = { kind: 'owner', name: 'owner', pid: 1, uid: 1000, gid: 1000, enrolled: false };
const peer = (given: Partial<GatePeer> = {}): GatePeer => ({
  identified: true,
  identity: owner,
  lacksFields: false,
  lacksEnrolment: () => false,
  allows: () => true,
  hasAnyRight: () => true,
  takeToken: () => 0,
  ...given,
});
const state = (profileState: ProfileState, approval: GateState['approval'] = () => undefined): GateState => ({
  profileState: () => profileState,
  approval,
});
const fault = new HushError('INVALID_NAME');

describe('the lock gate', () => {
  test('denies a locked profile', () => {
    assert.equal(lockGate(call(), peer(), state('locked'))?.code, 'LOCKED');
  });
  test('lets an unlocked one pass, and leaves a missing or inactive one to the next gate', () => {
    for (const each of ['unlocked', 'missing', 'inactive'] as const) {
      assert.equal(lockGate(call(), peer(), state(each)), undefined);
    }
  });
  test('has nothing to say of a call without a profile', () => {
    assert.equal(lockGate(call({ profile: undefined }), peer(), state('locked')), undefined);
  });
});

describe('the profile gate', () => {
  test('denies a missing profile, an inactive one, and what cannot be the name of one', () => {
    assert.equal(profileGate(call(), peer(), state('missing'))?.code, 'NO_SUCH_PROFILE');
    assert.equal(profileGate(call(), peer(), state('inactive'))?.code, 'PROFILE_INACTIVE');
    assert.equal(profileGate(call({ profileFault: fault }), peer(), state('missing')), fault);
  });
  test('lets a profile pass that is there, and a call without one', () => {
    assert.equal(profileGate(call(), peer(), state('locked')), undefined);
    assert.equal(profileGate(call(), peer(), state('unlocked')), undefined);
    assert.equal(profileGate(call({ profile: undefined }), peer(), state('missing')), undefined);
  });
});

test('A4: a profile that is missing or unknown to the caller has no unlock bucket of its own', () => {
  const taken: unknown[] = [];
  const takeToken: GatePeer['takeToken'] = (profile, use) => {
    taken.push([profile, use]);
    return 0;
  };
  const unlock = call({ name: 'unlock', rights: [{ kind: 'unlock' }] });
  rateGate({ ...unlock, hasPassphrase: true }, peer({ takeToken }), state('locked'));
  rateGate(unlock, peer({ takeToken }), state('locked'));
  rateGate(unlock, peer({ takeToken }), state('missing'));
  rateGate(unlock, peer({ takeToken, hasAnyRight: () => false }), state('locked'));
  assert.deepEqual(taken, [
    ['default', 'unlock'],
    ['default', 'unlock by key'],
    [undefined, 'unlock by key'],
    [undefined, 'unlock by key'],
  ]);
});

test('the identity gate denies whom the kernel does not name', () => {
  assert.equal(identityGate(call(), peer({ identified: false }), state('unlocked'))?.code, 'UNIDENTIFIED');
  assert.equal(identityGate(call(), peer(), state('unlocked')), undefined);
});

test('the identity gate denies who sends values in the clear where that is not wanted, and says what to do', () => {
  const denial = identityGate(call(), peer({ lacksFields: true }), state('unlocked'));
  assert.equal(denial?.code, 'ACCESS_DENIED');
  assert.match(denial.message, /field encryption/);
  assert.match(denial.hint, /fieldEncryption/);
});

test('the rate gate denies an empty bucket, and says how long to wait', () => {
  const denial = rateGate(call(), peer({ takeToken: () => 40 }), state('unlocked'));
  assert.equal(denial?.code, 'RATE_LIMITED');
  assert.equal(denial.retryAfterMs, 40);
  assert.equal(rateGate(call(), peer(), state('unlocked')), undefined);
});

test('the access gate denies a right that is not granted, and asks for none where none is needed', () => {
  const nobody = peer({ allows: () => false });
  assert.equal(accessGate(call(), nobody, state('unlocked'))?.code, 'ACCESS_DENIED');
  assert.equal(accessGate(call({ rights: [] }), nobody, state('unlocked')), undefined);
  assert.equal(accessGate(call(), peer(), state('unlocked')), undefined);
});

test('the access gate tells who lacks only an enrolled key how to get one', () => {
  const operator = peer({ allows: () => false, lacksEnrolment: (profile) => profile === 'default' });
  const denial = accessGate(call(), operator, state('unlocked'));
  assert.equal(denial?.code, 'ACCESS_DENIED');
  assert.match(denial.message, /default serves enrolled clients only/);
  assert.match(denial.hint, /hush client add/);
  assert.doesNotMatch(
    accessGate(call({ profile: 'p' }), operator, state('unlocked'))?.message ?? '',
    /enrolled/,
  );
  const client = peer({ hasAnyRight: () => false, lacksEnrolment: () => true });
  assert.match(firstDenial(call(), client, state('locked'))?.message ?? '', /enrolled clients only/);
  assert.doesNotMatch(
    firstDenial(call(), peer({ hasAnyRight: () => false }), state('locked'))?.message ?? '',
    /enrolled/,
  );
});

describe('the approval gate', () => {
  const waiting = new HushError('APPROVAL_PENDING');
  const pending = state('unlocked', () => waiting);
  test('denies a read, of whatever operation, for as long as its approval is pending', () => {
    assert.equal(approvalGate(call(), peer(), pending), waiting);
    assert.equal(approvalGate(call({ name: 'secret.list' }), peer(), pending), waiting);
    assert.equal(approvalGate(call(), peer(), state('unlocked')), undefined);
  });
  test('asks for the caller by the name that the daemon knows it by, and for what it would do', () => {
    const asked: unknown[] = [];
    const noting = state('unlocked', (...given) => {
      asked.push(given);
      return undefined;
    });
    approvalGate(call(), peer(), noting);
    approvalGate(call({ rights: [{ kind: 'sign', path: 'global/a' }] }), peer(), noting);
    assert.deepEqual(asked, [
      ['default', 'global/a', owner, 'read'],
      ['default', 'global/a', owner, 'sign'],
    ]);
  });
  test('has nothing to say of what is no read and no signature, of no profile, or of what is no path', () => {
    const others: Partial<GateCall>[] = [
      { rights: [{ kind: 'write', path: 'global/a' }] },
      { rights: [{ kind: 'admin' }] },
      { rights: [{ kind: 'key', path: 'global/a' }] },
      { rights: [] },
      { profile: undefined },
      { pathFault: fault },
    ];
    for (const other of others) assert.equal(approvalGate(call(other), peer(), pending), undefined);
  });
});

test('the name gate denies what is wrong with a name', () => {
  assert.equal(nameGate(call({ pathFault: fault }), peer(), state('unlocked')), fault);
  assert.equal(nameGate(call({ profileFault: fault }), peer(), state('unlocked')), fault);
  assert.equal(nameGate(call(), peer(), state('unlocked')), undefined);
});

describe('the order of the gates', () => {
  const everythingWrong = { pathFault: fault };
  const pending = state('unlocked', () => new HushError('APPROVAL_PENDING'));
  const deniedPeer = peer({ takeToken: () => 5, allows: () => false });
  test('is lock, profile, rate, access, approval, name', () => {
    const codes = [
      firstDenial(call(everythingWrong), deniedPeer, state('locked')),
      firstDenial(call(everythingWrong), deniedPeer, state('inactive')),
      firstDenial(call(everythingWrong), deniedPeer, state('unlocked')),
      firstDenial(call(everythingWrong), peer({ allows: () => false }), state('unlocked')),
      firstDenial(call(), peer(), pending),
      firstDenial(call(everythingWrong), peer(), state('unlocked')),
      firstDenial(call(), peer(), state('unlocked')),
    ].map((denial) => denial?.code);
    assert.deepEqual(codes, [
      'LOCKED',
      'PROFILE_INACTIVE',
      'RATE_LIMITED',
      'ACCESS_DENIED',
      'APPROVAL_PENDING',
      'INVALID_NAME',
      undefined,
    ]);
  });
  test('tells a caller without any right the same of every profile, at the price of a token', () => {
    let tokens = 0;
    const stranger = peer({
      hasAnyRight: () => false,
      takeToken: () => {
        tokens++;
        return 0;
      },
    });
    for (const each of ['missing', 'locked', 'unlocked', 'inactive'] as const) {
      const denial = firstDenial(call({ pathFault: fault, profileFault: fault }), stranger, state(each));
      assert.equal(denial?.code, 'ACCESS_DENIED');
    }
    assert.equal(tokens, 4);
  });
  test('tells an unidentified caller nothing but that, whatever it asks', () => {
    for (const name of ['secret.get', 'status', 'unlock', 'batch', 'daemon.stop'] as const) {
      const denial = firstDenial(call({ name }), peer({ identified: false }), state('locked'));
      assert.equal(denial?.code, 'UNIDENTIFIED');
    }
  });
  test('lets unlock, lock and status pass a locked profile', () => {
    for (const name of ['unlock', 'lock', 'status'] as const) {
      assert.equal(firstDenial(call({ name }), peer(), state('locked')), undefined);
    }
  });
});

describe('token buckets', () => {
  const rate = { rate: 10, burst: 2 };
  test('give what was saved up, then one token per 1/rate seconds', () => {
    let now = 1000;
    const buckets = createBuckets(10, () => now);
    assert.deepEqual(
      [1, 2, 3].map(() => buckets.take('a', rate)),
      [0, 0, 100],
    );
    now += 99;
    assert.equal(buckets.take('a', rate), 1);
    now += 1;
    assert.equal(buckets.take('a', rate), 0);
  });
  test('belong to one owner each', () => {
    const buckets = createBuckets(10, () => 0);
    while (buckets.take('a', rate) === 0);
    assert.equal(buckets.take('b', rate), 0);
  });
  test('A4: are bounded in number, and make room only when they are full again: no other owner resets one', () => {
    let now = 0;
    const buckets = createBuckets(2, () => now);
    while (buckets.take('a', rate) === 0);
    while (buckets.take('b', rate) === 0);
    for (let index = 0; index < 100; index += 1) buckets.take(`c${index}`, rate);
    assert.notEqual(buckets.take('a', rate), 0);
    assert.notEqual(buckets.take('c-new', rate), 0, 'those without a bucket of their own share one');
    now += 200;
    assert.equal(buckets.take('c-new', rate), 0);
    assert.equal(buckets.take('a', rate), 0);
  });
});
