import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { DekLine } from '../../daemon/keys/dek-index.ts';
import { createDueKeys } from '../../daemon/vault/due-keys.ts';
import { newProfileKeys, note, now } from '../keys/fixtures.ts';

const years = (count: number) => new Date(Date.parse(now) + count * 366 * 86_400_000);

test('of very many lines of keys each look sees some, and a round of looks sees every one of them once', async () => {
  const { keyring, vaultFileKey } = await newProfileKeys();
  vaultFileKey.wipe();
  const tenants = Array.from({ length: 9_000 }, (_, at) => ({ keyring: 'default', tenant: `t${at}` }));
  keyring.commit(keyring.prepareDeks(tenants, note));
  let looked = 0;
  const renewed: DekLine[] = [];
  const dueKeys = createDueKeys({
    keyring,
    keyLines: {
      spent: () => {
        looked++;
        return 0;
      },
      renew: (lines) => {
        renewed.push(...lines);
        keyring.commit(keyring.prepareDeks(lines, { ...note, at: years(2).toISOString() }));
        return 0;
      },
    },
    resealing: { progress: () => ({ state: 'idle', moved: 0, left: 0, elapsedMs: 0, error: undefined }) },
    rotations: { unfinished: () => [], settle: () => undefined },
    now: () => years(2),
  });

  const never = { afterDays: undefined, afterMessages: undefined };
  assert.deepEqual(dueKeys.find(never, 64), []);
  assert.ok(looked < tenants.length / 2, String(looked));
  dueKeys.find(never, 64);
  dueKeys.find(never, 64);
  assert.equal(looked, tenants.length + 1);

  for (let look = 0; look < 4; look++) {
    const due = dueKeys.find({ ...never, afterDays: 365 }, 3_000);
    if (due.length > 0) dueKeys.renew(due);
  }
  assert.equal(new Set(renewed.map(({ tenant }) => tenant)).size, tenants.length + 1);
  assert.equal(renewed.length, tenants.length + 1);
  assert.deepEqual(dueKeys.find({ ...never, afterDays: 365 }, 3_000), []);
  keyring.close();
});
