import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createUpkeep, type UpkeepEvent } from '../../daemon/profiles/upkeep.ts';
import { HushError } from '../../protocol/errors.ts';

test('a step that fails again and again is told once, whatever becomes of the other steps', () => {
  const told: UpkeepEvent[] = [];
  let time = 0;
  let isFull = true;
  const full = (what: string) => () => {
    if (isFull) throw new HushError('UNAVAILABLE', `${what}: no space left on device`);
  };
  const upkeep = createUpkeep({
    vault: {
      resealing: {
        start: () => undefined,
        settled: () => Promise.resolve(),
        progress: () => ({ state: 'idle', moved: 0, left: 0, elapsedMs: 0, error: undefined }),
      },
      dueKeys: {
        find: () => [{ keyring: 'default', tenant: '', version: 1, reason: 'age' }],
        renew: () => {
          full('keys')();
          return 1;
        },
      },
      keyUse: {
        look: () => undefined,
        lastDecryptAt: () => undefined,
        kept: () => ({ times: 1, isChanged: true }),
        persist: full('times'),
      },
    },
    rule: () => ({ afterDays: 1, afterMessages: undefined }),
    onEvent: (event) => told.push(event),
    clock: () => time,
  });
  const messages = (): (string | undefined)[] =>
    told.splice(0).map((event) => (event.kind === 'failed' ? event.error.message : event.kind));
  for (; time < 300_000; time += 1_000) upkeep.tick(true);
  assert.deepEqual(messages(), ['keys: no space left on device', 'times: no space left on device']);
  isFull = false;
  upkeep.tick(true);
  assert.deepEqual(messages(), ['rotated']);
  isFull = true;
  upkeep.tick(true);
  assert.deepEqual(messages(), ['keys: no space left on device']);
});
