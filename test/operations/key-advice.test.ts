import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { keyAdvice } from '../../daemon/operations/key-advice.ts';
import type { KeyStatus } from '../../daemon/vault/key-status.ts';
import { HushError } from '../../protocol/errors.ts';

const now = new Date('2026-06-01T00:00:00.000Z');
const noRule = { afterDays: undefined, afterMessages: 2 ** 31 };

const active: KeyStatus['keys'][number] = {
  version: 2,
  kmsKeyId: 'hush:x:default:v2',
  state: 'active',
  createdAt: '2026-05-01T00:00:00.000Z',
  createdBy: 'anna',
  values: 10,
  messages: 20,
  isBackedUp: true,
};
const keyring: KeyStatus['keyrings'][number] = {
  keyring: 'default',
  tenants: 0,
  shredded: 0,
  active: 1,
  retired: 0,
  destroyed: 0,
  mostMessages: 20,
};
const fine: KeyStatus = {
  keyring: 'default',
  tenant: '',
  active: 2,
  keys: [active],
  next: undefined,
  values: 10,
  legacyValues: 0,
  legacyKeys: [],
  resealing: { state: 'idle', moved: 0, left: 0, elapsedMs: 0, error: undefined },
  keyrings: [keyring],
  lastBackup: undefined,
  newerThanBackup: 0,
};

/** The topics, levels and hints of what is advised. */
const advised = (status: KeyStatus, rule: Parameters<typeof keyAdvice>[1] = noRule): (readonly string[])[] =>
  keyAdvice(status, rule, now).map(({ topic, level, hint = '' }) => [topic, level, hint]);

describe('what to do next about keys', () => {
  test('is nothing where all is well', () => {
    assert.deepEqual(advised(fine), []);
  });

  test('is to mend what keeps values from being sealed anew, before anything else', () => {
    const error = new HushError('UNAVAILABLE', 'the disk is full', { hint: 'free some space' });
    const stalled = { state: 'stalled', moved: 3, left: 7, elapsedMs: 1, error } as const;
    const status = { ...fine, resealing: stalled, newerThanBackup: 1 };
    assert.deepEqual(advised(status), [
      ['resealing', 'warning', 'free some space'],
      ['backup', 'warning', 'hush backup create FILE'],
    ]);
    assert.match(keyAdvice(status, noRule, now)[0]?.message ?? '', /^7 values are not sealed anew/);
  });

  test('is to wait while values are being sealed anew, legacy ones among them', () => {
    const running = { ...fine.resealing, state: 'running', left: 1 } as const;
    assert.deepEqual(advised({ ...fine, resealing: running, legacyValues: 1 }), [['resealing', 'note', '']]);
  });

  test('is to rotate a key that has sealed a quarter of what it may, in whatever keyring', () => {
    const busy = { ...keyring, keyring: 'mail', mostMessages: 2 ** 30 };
    assert.deepEqual(advised({ ...fine, keyrings: [keyring, busy] }), [
      ['messages', 'warning', 'hush keys rotate --keyring mail'],
    ]);
  });

  test('is to rotate a key of a year, or one that a rule should have rotated', () => {
    const old = { ...fine, keys: [{ ...active, createdAt: '2025-06-01T00:00:00.000Z' }] };
    assert.deepEqual(advised(old), [['age', 'note', 'hush keys rotate']]);
    assert.deepEqual(advised(fine, { afterDays: 30, afterMessages: 2 ** 31 }), []);
    assert.deepEqual(advised(fine, { afterDays: 20, afterMessages: 2 ** 31 }), [
      ['age', 'note', 'hush keys rotate'],
    ]);
  });

  test('is to rotate legacy values, and then to destroy their key', () => {
    const legacyKeys = [{ version: 1, state: 'retired', importedAt: '', importedBy: '' }] as const;
    assert.deepEqual(advised({ ...fine, legacyValues: 3, legacyKeys }), [
      ['legacy', 'note', 'hush keys rotate'],
    ]);
    assert.deepEqual(advised({ ...fine, legacyKeys }), [
      ['legacy', 'note', 'hush keys retire 1 --legacy --yes'],
    ]);
  });

  test('is to rewrap what retired keys open, with the time of the last use; a shredded tenant can be reopened', () => {
    const retired = {
      ...active,
      version: 1,
      state: 'retired',
      lastDecryptAt: '2026-05-02T00:00:00.000Z',
    } as const;
    const [advice] = keyAdvice({ ...fine, keys: [active, retired] }, noRule, now);
    assert.match(advice?.message ?? '', /^retired key v1 only opens .+ about 2026-05-02/);
    assert.deepEqual(advised({ ...fine, tenant: 'acme', active: undefined, keys: [] }), [
      ['tenant', 'note', 'hush keys reopen --tenant ID'],
    ]);
  });
});
