import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAutoLock } from '../../daemon/auto-lock.ts';
import { parseConfig } from '../../daemon/config/parse.ts';
import { bootTimeMs } from '../../native/clocks.ts';
import type { OperationName } from '../../protocol/index.ts';

/** A machine with two unlocked profiles, whose clocks the test sets. */
function machine(toml: string, ...stalled: readonly number[]) {
  const state = { clock: 5_000, boot: 9_000, busy: false, config: parseConfig(toml, 'config.toml') };
  /** For how long the process does not run, before and after it reads the clock since boot. */
  const stalls: number[] = [...stalled];
  const stall = (): void => {
    const ms = stalls.shift() ?? 0;
    state.clock += ms;
    state.boot += ms;
  };
  const open = new Map<string, number>([
    ['a', state.boot],
    ['b', state.boot],
  ]);
  const locked: string[] = [];
  const lock = createAutoLock({
    config: () => state.config,
    unlocked: () => [...open].map(([name, openedAt]) => ({ name, openedAt, busy: state.busy })),
    lock: (name, reason) => {
      open.delete(name);
      locked.push(`${name} ${reason}`);
    },
    clock: () => state.clock,
    bootClock: () => {
      stall();
      const { boot } = state;
      stall();
      return boot;
    },
  });
  /** So many seconds of work, each with what is done in it. */
  const pass = (seconds: number, during: () => void = () => undefined): void => {
    for (let second = 0; second < seconds; second += 1) {
      state.clock += 1000;
      state.boot += 1000;
      during();
      lock.tick();
    }
  };
  const sleep = (seconds: number): void => {
    state.boot += seconds * 1000;
  };
  const use = (name: OperationName, profile = 'a') => {
    lock.used({ name, profile });
  };
  lock.tick();
  return { state, open, locked, lock, pass, sleep, use };
}

const idle = '[profiles.a.autolock]\nidle_s = 10\n';
const age = '[profiles.a.autolock]\nage_s = 10\n';

describe('auto-lock', () => {
  test('is off unless the config asks for it', () => {
    const { pass, sleep, locked } = machine('');
    pass(100_000);
    sleep(1_000_000);
    pass(1);
    assert.deepEqual(locked, []);
  });

  test('locks what was not used for the idle time, and nothing else', () => {
    const { pass, locked } = machine(idle);
    pass(9);
    assert.deepEqual(locked, []);
    pass(1);
    assert.deepEqual(locked, ['a idle']);
    pass(100);
    assert.deepEqual(locked, ['a idle']);
  });

  test('is put off by an operation that needs the profile unlocked, and by no other', () => {
    const { pass, use, locked } = machine(idle);
    pass(100, () => {
      use('secret.get');
    });
    assert.deepEqual(locked, []);
    pass(10, () => {
      for (const name of ['status', 'unlock', 'lock.all', 'hello'] as const) use(name);
      use('secret.get', 'b');
    });
    assert.deepEqual(locked, ['a idle']);
  });

  test('comes by age, whatever is done', () => {
    const { pass, use, locked } = machine(age);
    pass(9, () => {
      use('secret.get');
    });
    assert.deepEqual(locked, []);
    pass(1, () => {
      use('secret.get');
    });
    assert.deepEqual(locked, ['a age']);
  });

  test('B6: counts the time in which the machine was suspended, for idle time and for age', () => {
    for (const toml of [idle, age]) {
      const { pass, sleep, locked } = machine(toml);
      pass(2);
      sleep(8);
      pass(1);
      assert.deepEqual(locked, [toml === idle ? 'a idle' : 'a age']);
    }
  });

  test('B6: what comes right after the machine woke up does not undo the time that it slept', () => {
    const { pass, sleep, use, locked } = machine(idle);
    pass(2);
    sleep(100);
    pass(1, () => {
      use('secret.get');
    });
    assert.deepEqual(locked, ['a idle']);
  });

  test('comes when the machine was suspended at all, where the config says so', () => {
    const { pass, sleep, locked } = machine('[profiles.a.autolock]\nsuspend = true\n');
    pass(1000);
    assert.deepEqual(locked, []);
    sleep(1);
    pass(1);
    assert.deepEqual(locked, ['a suspend']);
  });

  test('B6: a delay between the two clocks’ readings is no suspension', () => {
    const stalls = [5_000, 0, 0, 0, 5_000, 5_000, 0, 5_000, 0, 0, 5_000, 0];
    for (let from = 0; from < stalls.length; from += 1) {
      const { pass, locked } = machine('[profiles.a.autolock]\nsuspend = true\n', ...stalls.slice(from));
      pass(stalls.length);
      assert.deepEqual(locked, []);
    }
  });

  test('waits for a change of keys that is under way, unless the age is reached', () => {
    const { pass, state, locked } = machine('[profiles.a.autolock]\nidle_s = 10\nage_s = 20\n');
    state.busy = true;
    pass(19);
    assert.deepEqual(locked, []);
    pass(1);
    assert.deepEqual(locked, ['a age']);
  });

  test('obeys a reload: the idle time begins when it is asked for', () => {
    const { pass, state, locked } = machine('');
    pass(1000);
    state.config = parseConfig(idle, 'config.toml');
    pass(9);
    assert.deepEqual(locked, []);
    pass(1);
    assert.deepEqual(locked, ['a idle']);
  });

  test('begins anew with each unlock', () => {
    const { pass, state, open, locked } = machine(`${idle}age_s = 15\n`);
    pass(10);
    open.set('a', state.boot);
    pass(9);
    assert.deepEqual(locked, ['a idle']);
    pass(1);
    assert.deepEqual(locked, ['a idle', 'a idle']);
  });

  test('B6: the clock since boot goes on by itself, and is at least as far as the one without suspensions', () => {
    const first = bootTimeMs();
    assert.ok(first > 0 && first >= Number(process.hrtime.bigint()) / 1e6 - 1000);
    assert.ok(bootTimeMs() >= first);
  });
});
