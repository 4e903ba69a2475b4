import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { operations } from '../../protocol/operations.ts';
import { shapeFault } from '../../protocol/shape-fault.ts';

function faultOf(schema: z.ZodType, value: unknown): string {
  const { error } = schema.safeParse(value);
  assert.ok(error !== undefined);
  return shapeFault(error, 'it');
}

describe('the fault of a shape', () => {
  test('names the place and what is not there, and repeats nothing of the value', () => {
    const group = operations['slot.group'].params;
    const slot = 'aaaaaaaaaaaaaaaa';
    const credentials = [{ kind: 'key', secret: new Uint8Array(32) }];
    assert.equal(
      faultOf(group, { profile: 'default', credentials, slots: [slot] }),
      'it.slots: fewer than 2 items',
    );
    assert.equal(
      faultOf(group, { profile: 'default', credentials: [], slots: [slot, slot] }),
      'it.credentials: fewer than 1 items',
    );
    assert.equal(faultOf(group, { profile: 'default', credentials }), 'it.slots: not a list');
    assert.equal(
      faultOf(group, { profile: 'default', credentials, slots: [slot, slot], hunter2: 1 }),
      'it: a field too many',
    );
    assert.equal(
      faultOf(group, { profile: 'default', credentials, slots: [slot, 'hunter2'] }),
      'it.slots.1: not the 16 hex digits of an id',
    );
    assert.equal(
      faultOf(group, { profile: 'default', credentials: [{ kind: 'hunter2', secret: 0 }], slots: [] }),
      'it.credentials.0.kind: none of passphrase, key, recovery',
    );
    const retire = operations['keys.retire'].params;
    assert.equal(faultOf(retire, { profile: 'default', version: 2 ** 32 }), 'it.version: above 4294967295');
    assert.equal(faultOf(retire, { profile: 'default', version: 1.5 }), 'it.version: not a whole number');
    assert.equal(faultOf(retire, 'hunter2'), 'it: not an object');
  });

  test('has words for every kind of fault that zod knows', () => {
    assert.equal(faultOf(z.number().positive(), 0), 'it: not above 0');
    assert.equal(faultOf(z.number().lt(3), 3), 'it: not below 3');
    assert.equal(faultOf(z.string().min(2), 'x'), 'it: fewer than 2 characters');
    assert.equal(faultOf(z.string().regex(/y/), 'x'), 'it: not well formed');
    assert.equal(faultOf(z.union([z.string(), z.number()]), true), 'it: not well formed');
    assert.equal(shapeFault({ issues: [] }, 'it'), 'it: not well formed');
  });
});
