import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createMessageBudget, messagesPerBlock, mostMessages } from '../../daemon/vault/message-budget.ts';
import type { Dek } from '../../daemon/keys/dek-index.ts';
import { createAesGcm } from '../../daemon/keys/aes-gcm.ts';
import { emptyKeyset, addEntries } from '../../daemon/keys/keyset.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { newProfile } from './profile.ts';
import { withRawFile } from './raw-file.ts';

const macKey = new Uint8Array(32);
const entry = {
  type: 'key',
  id: '00112233445566aa',
  use: 'dek',
  keyring: 'default',
  tenant: '',
  version: 1,
  wrapped: Buffer.alloc(60).toString('base64'),
  createdAt: '2025-01-02T03:04:05.678Z',
  by: 'test',
} as const;
const { keyset } = addEntries(emptyKeyset('0'.repeat(32), 1, macKey), [entry], macKey);
const dek: Dek = { keyring: 'default', tenant: '', version: 1, cipher: createAesGcm(macKey), opened: false };

describe('the count of messages under a key', () => {
  test('is reserved in blocks, and a block is asked for only when it is needed', () => {
    const budget = createMessageBudget(
      () => keyset,
      () => 0,
    );
    const first = budget.spend(dek, 2);
    assert.deepEqual(first, [{ key: entry.id, reserved: messagesPerBlock }]);
    budget.granted(first);
    assert.deepEqual(budget.spend(dek, messagesPerBlock - 2), []);
    assert.deepEqual(budget.spend(dek, 1), [{ key: entry.id, reserved: 2 * messagesPerBlock }]);
  });

  test('asks again for a block that could not be committed', () => {
    const budget = createMessageBudget(
      () => keyset,
      () => 0,
    );
    assert.equal(budget.spend(dek, 1).length, 1);
    assert.equal(budget.spend(dek, 1).length, 1);
  });

  test('goes on behind what was reserved before, and stops at the limit with what to do', () => {
    const budget = createMessageBudget(
      () => keyset,
      () => mostMessages - messagesPerBlock,
    );
    const last = budget.spend(dek, 1);
    assert.deepEqual(last, [{ key: entry.id, reserved: mostMessages }]);
    budget.granted(last);
    assert.deepEqual(budget.spend(dek, messagesPerBlock - 1), []);
    assert.throws(() => budget.spend(dek, 1), { code: 'UNAVAILABLE', hint: 'hush keys rotate' });
  });

  test('is on the disk before a message leaves, for stored values and handles alike', async (t) => {
    const profile = await newProfile(t, 'SQLCipher');
    const counters = (): number[] => {
      profile.close();
      return withRawFile(profile.file, (db) =>
        db.prepare<[], number>('select reserved from counter order by reserved').pluck().all(),
      );
    };
    const path = parseSecretPath('global/a');
    const place = { keyring: 'default', namespace: 'n', key: 'k' };
    (await profile.open()).set(path, new Uint8Array(1));
    assert.deepEqual(counters(), [messagesPerBlock]);
    (await profile.open()).encrypt(place, new Uint8Array(1));
    assert.deepEqual(counters(), [2 * messagesPerBlock]);
    const vault = await profile.open();
    vault.encrypt({ ...place, tenant: 't1' }, new Uint8Array(1));
    vault.set(path, new Uint8Array(1));
    vault.encrypt(place, new Uint8Array(1));
    assert.deepEqual(counters(), [messagesPerBlock, 3 * messagesPerBlock]);
  });
});
