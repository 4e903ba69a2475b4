import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRuntimeGrants, type Granted } from '../../daemon/access/runtime-grants.ts';
import { createWallClock } from '../../daemon/access/wall-clock.ts';
import { isClientName } from '../../protocol/names.ts';

const granted = (more: Partial<Granted> = {}): Granted => ({
  profile: 'p',
  client: 'app',
  right: 'read',
  pattern: 'global/a',
  ...more,
});

describe('grants for a time', () => {
  test('are there until their time has passed, and are told once as ended', () => {
    let now = 1_000;
    const grants = createRuntimeGrants(() => now);
    const first = grants.add(granted(), 60, 'owner');
    const second = grants.add(granted({ pattern: 'global/b' }), 61, 'owner');
    const before = grants.revision();
    now += 59_999;
    assert.deepEqual(grants.list({ profile: 'p' }), [first, second]);
    assert.equal(grants.revision(), before);
    now += 1;
    assert.deepEqual(grants.list(), [second]);
    assert.notEqual(grants.revision(), before);
    assert.deepEqual(grants.takeEnded(), [first]);
    assert.deepEqual(grants.takeEnded(), []);
  });

  test('are taken back by id, by client and by profile; none of that is told as ended', () => {
    const grants = createRuntimeGrants(() => 0);
    const { id } = grants.add(granted(), 60, 'owner');
    grants.add(granted({ client: 'other' }), 60, 'owner');
    grants.add(granted({ profile: 'q' }), 60, 'owner');
    assert.equal(grants.remove({ id: 'g.000000000000' }).length, 0);
    assert.equal(grants.remove({ id }).length, 1);
    assert.equal(grants.remove({ profile: 'p', client: 'app' }).length, 0);
    assert.equal(grants.remove({ client: 'app' }).length, 1);
    assert.deepEqual(
      grants.list().map(({ client }) => client),
      ['other'],
    );
    assert.deepEqual(grants.takeEnded(), []);
  });

  test('the same again is one grant with the new end', () => {
    let now = 0;
    const grants = createRuntimeGrants(() => now);
    const { id } = grants.add(granted(), 10, 'owner');
    now = 5_000;
    assert.equal(grants.add(granted(), 10, 'operator:0').id, id);
    now = 10_000;
    assert.equal(grants.list().length, 1);
    now = 15_000;
    assert.equal(grants.list().length, 0);
  });

  test('are at most 1,000, and those that ended make room', () => {
    let now = 0;
    const grants = createRuntimeGrants(() => now);
    for (let index = 0; index < 1_000; index += 1) {
      grants.add(granted({ pattern: `global/${index}` }), 60, 'owner');
    }
    assert.throws(() => grants.add(granted(), 60, 'owner'), { code: 'LIMIT_EXCEEDED' });
    assert.doesNotThrow(() => grants.add(granted({ pattern: 'global/7' }), 60, 'owner'));
    now = 60_000;
    assert.doesNotThrow(() => grants.add(granted(), 60, 'owner'));
  });

  test('have ids that are no name of a client', () => {
    const { id } = createRuntimeGrants(() => 0).add(granted(), 60, 'owner');
    assert.match(id, /^g\.[0-9a-f]{12}$/);
    assert.equal(isClientName(id), false);
  });
});

describe('B6: the clock for ends that are dates', () => {
  test('follows the system forwards, and goes on from the latest time when that jumps back', () => {
    let wall = 1_000_000;
    let mono = 0;
    const clock = createWallClock(
      () => wall,
      () => mono,
    );
    const pass = (ms: number): void => {
      wall += ms;
      mono += ms;
    };
    pass(500);
    assert.equal(clock(), 1_000_500);
    wall -= 900_000;
    assert.equal(clock(), 1_000_500);
    pass(60_000);
    assert.equal(clock(), 1_060_500, 'time passes all the same');
    wall = 3_000_000;
    assert.equal(clock(), 3_000_000);
    wall = 1_000;
    pass(10);
    assert.equal(clock(), 3_000_010);
  });

  test('counts what the system slept', () => {
    let wall = 1_000_000;
    const clock = createWallClock(
      () => wall,
      () => 0,
    );
    wall += 3_600_000;
    assert.equal(clock(), 4_600_000);
  });
});
