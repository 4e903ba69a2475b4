import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type HeaderBody, parseHeader, serialiseHeader, type Slot } from '../../daemon/keys/header.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { raisedCost } from '../../daemon/keys/passphrase.ts';
import { makeSlot, remakeSlot, type Credential } from '../../daemon/keys/slot.ts';
import {
  freeLabel,
  withGroup,
  withoutGroup,
  withoutSlot,
  withSlot,
  withSlotRenamed,
  withSlotReplaced,
} from '../../daemon/keys/slots.ts';
import { deriveMacKey } from '../../daemon/keys/subkeys.ts';
import { arena, argon2Queue, filled, key, leastCost, newProfileKeys, now, withCode } from './fixtures.ts';

const made = await newProfileKeys([key(1)]);
made.keyring.close();
const vaultKey = filled(32, 99);

const slotFor = (credential: Credential, label: string): Promise<Slot> =>
  makeSlot(credential, { label, createdAt: now, cost: leastCost }, arena, argon2Queue);

/** A header of key slots 1 to `count`, labelled `key-1` and so on; its vault key is `vaultKey`. */
async function headerOf(count: number): Promise<HeaderBody> {
  const slots = await Promise.all(
    Array.from({ length: count }, (_, index) => slotFor(key(index + 1), `key-${index + 1}`)),
  );
  const [first, ...rest] = slots;
  assert.ok(first !== undefined);
  const empty: HeaderBody = { ...made.header, slots: [], openers: [] };
  return rest.reduce((body, slot) => withSlot(body, slot, vaultKey), withSlot(empty, first, vaultKey));
}

/** Whether the credentials give the vault key. */
async function opens(body: HeaderBody, ...credentials: Credential[]): Promise<boolean> {
  const macKey = deriveMacKey(vaultKey, arena);
  const header = parseHeader(serialiseHeader(body, macKey.bytes));
  macKey.wipe();
  try {
    const opened = await openHeader(header, credentials, arena, argon2Queue);
    assert.deepEqual(Uint8Array.from(opened.vaultKey.bytes), vaultKey);
    opened.vaultKey.wipe();
    return true;
  } catch (error) {
    withCode('WRONG_KEY', 'WRONG_PASSPHRASE')(error);
    return false;
  }
}

const idsOf = ({ slots }: HeaderBody): string[] => slots.map(({ id }) => id);

describe('the slots of a header', () => {
  test('each change is one generation, and touches no other opener', async () => {
    const body = await headerOf(3);
    const [first = '', second = ''] = idsOf(body);
    for (const next of [
      withoutSlot(body, first),
      withSlotRenamed(body, first, 'other'),
      withGroup(body, [first, second], vaultKey).body,
    ]) {
      assert.equal(next.generation, body.generation + 1);
      assert.deepEqual(
        next.openers.find(({ slots }) => slots[0] === body.slots[2]?.id),
        body.openers[2],
      );
      assert.ok(await opens(next, key(3)));
    }
  });

  test('two members of a group open it together, one does not, and the group keeps its id when one changes', async () => {
    const body = await headerOf(3);
    const [first = '', second = ''] = idsOf(body);
    const { body: grouped, group } = withGroup(body, [first, second], vaultKey);
    assert.equal(grouped.openers.length, 2);
    assert.deepEqual(
      [await opens(grouped, key(1)), await opens(grouped, key(2)), await opens(grouped, key(2), key(1))],
      [false, false, true],
    );
    const slot = grouped.slots[0] ?? assert.fail();
    const changed = withSlotReplaced(
      grouped,
      await remakeSlot(slot, key(9), leastCost, arena, argon2Queue),
      vaultKey,
    );
    assert.equal(changed.openers.find(({ slots }) => slots.length === 2)?.id, group);
    assert.deepEqual([changed.slots[0]?.id, changed.slots[0]?.label], [slot.id, slot.label]);
    assert.notEqual(changed.slots[0]?.kdf.salt, slot.kdf.salt);
    assert.deepEqual(
      [await opens(changed, key(1), key(2)), await opens(changed, key(9), key(2))],
      [false, true],
    );
  });

  test('a member of two groups opens alone only after both have ended', async () => {
    const body = await headerOf(3);
    const [a = '', b = '', c = ''] = idsOf(body);
    const one = withGroup(body, [a, b], vaultKey);
    const two = withGroup(one.body, [a, c], vaultKey);
    const third = withGroup(two.body, [b, c], vaultKey);
    assert.equal(third.body.openers.length, 3);
    for (const [x, y] of [
      [1, 2],
      [1, 3],
      [2, 3],
    ] as const) {
      assert.ok(await opens(third.body, key(x), key(y)));
    }
    for (const x of [1, 2, 3]) assert.equal(await opens(third.body, key(x)), false);
    const afterOne = withoutGroup(third.body, one.group, vaultKey);
    assert.deepEqual(afterOne.alone, []);
    const afterTwo = withoutGroup(afterOne.body, two.group, vaultKey);
    assert.deepEqual(afterTwo.alone, [a]);
    assert.deepEqual([await opens(afterTwo.body, key(1)), await opens(afterTwo.body, key(2))], [true, false]);
    const afterAll = withoutGroup(afterTwo.body, third.group, vaultKey);
    assert.deepEqual(afterAll.alone, [b, c]);
    for (const x of [1, 2, 3]) assert.ok(await opens(afterAll.body, key(x)));
  });

  test('what cannot be done is refused with a name and a way out', async () => {
    const body = await headerOf(5);
    const ids = idsOf(body);
    const [a = '', b = ''] = ids;
    const grouped = withGroup(body, [a, b], vaultKey);
    const alone = await headerOf(1);
    const refusals: [() => unknown, Parameters<typeof withCode>[0]][] = [
      [() => withoutSlot(alone, idsOf(alone)[0] ?? ''), 'CONFLICT'],
      [() => withoutSlot(grouped.body, a), 'CONFLICT'],
      [() => withoutSlot(body, '0'.repeat(16)), 'NOT_FOUND'],
      [() => withSlotRenamed(body, a, 'key-2'), 'EXISTS'],
      [() => withGroup(body, [a], vaultKey), 'BAD_REQUEST'],
      [() => withGroup(body, [a, a], vaultKey), 'BAD_REQUEST'],
      [() => withGroup(body, ids, vaultKey), 'BAD_REQUEST'],
      [() => withGroup(body, [a, '0'.repeat(16)], vaultKey), 'NOT_FOUND'],
      [() => withGroup(grouped.body, [b, a], vaultKey), 'EXISTS'],
      [() => withoutGroup(body, a, vaultKey), 'NOT_FOUND'],
      [() => withSlot(body, body.slots[0] ?? assert.fail(), vaultKey), 'EXISTS'],
    ];
    for (const [refusal, code] of refusals) assert.throws(refusal, withCode(code));
    assert.deepEqual(withSlotRenamed(body, a, 'key-1').slots, body.slots);
  });

  test('there are 64 at most, also of openers', async () => {
    const body = await headerOf(64);
    assert.throws(
      () =>
        withSlot(body, { ...(body.slots[0] ?? assert.fail()), id: 'ffffffffffffffff', label: 'x' }, vaultKey),
      { code: 'LIMIT_EXCEEDED', limit: 'slots' },
    );
    const [a = '', b = '', c = '', d = ''] = idsOf(body);
    const pairs = [
      [a, b],
      [c, d],
      [a, c],
      [a, d],
    ];
    const full = pairs.reduce((before, pair) => withGroup(before, pair, vaultKey).body, body);
    assert.equal(full.openers.length, 64);
    assert.throws(() => withGroup(full, [b, c], vaultKey), { code: 'LIMIT_EXCEEDED', limit: 'openers' });
    assert.ok(await opens(full, key(1), key(4)));
  });

  test('a free label is the kind, with a number when it is taken', async () => {
    const body = await headerOf(2);
    assert.equal(freeLabel(body, 'key'), 'key');
    const named = withSlotRenamed(body, idsOf(body)[0] ?? '', 'key');
    assert.equal(freeLabel(named, 'key'), 'key-3');
  });

  test('any series of changes leaves a header that opens as it says', async () => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom('remove', 'rename', 'group', 'ungroup'), fc.nat(), fc.nat()),
      {
        maxLength: 12,
      },
    );
    const start = await headerOf(4);
    const keyFor = new Map(idsOf(start).map((id, index) => [id, key(index + 1)]));
    await fc.assert(
      fc.asyncProperty(steps, async (series) => {
        let body = start;
        for (const [what, x, y] of series) {
          const ids = idsOf(body);
          const [a = '', b = ''] = [ids[x % ids.length], ids[y % ids.length]];
          const opener = body.openers[x % body.openers.length];
          try {
            if (what === 'remove') body = withoutSlot(body, a);
            else if (what === 'rename') body = withSlotRenamed(body, a, `label ${y}`);
            else if (what === 'group') ({ body } = withGroup(body, [a, b], vaultKey));
            else ({ body } = withoutGroup(body, opener?.id ?? '', vaultKey));
          } catch (error) {
            withCode('CONFLICT', 'NOT_FOUND', 'EXISTS', 'BAD_REQUEST')(error);
          }
        }
        for (const { slots } of body.openers) {
          const credentials = slots.map((id) => keyFor.get(id) ?? assert.fail());
          assert.ok(await opens(body, ...credentials));
          const [some, ...more] = credentials;
          const alone = body.openers.some(
            ({ slots: [only, ...rest] }) => rest.length === 0 && only === slots[0],
          );
          if (more.length > 0 && some !== undefined) assert.equal(await opens(body, some), alone);
        }
        for (const id of idsOf(body)) assert.ok(body.openers.some(({ slots }) => slots.includes(id)));
      }),
      { numRuns: 40 },
    );
  });
});

test('the cost of Argon2id is raised in each of its parts, and never lowered', () => {
  const present = { memoryKiB: 64 * 1024, passes: 3 };
  assert.equal(raisedCost(present, {}), undefined);
  assert.equal(raisedCost(present, { memoryKiB: 32 * 1024, passes: 2 }), undefined);
  assert.equal(raisedCost(present, { memoryKiB: 64 * 1024, passes: 3 }), undefined);
  assert.deepEqual(raisedCost(present, { memoryKiB: 32 * 1024, passes: 4 }), { ...present, passes: 4 });
  assert.deepEqual(raisedCost(present, { memoryKiB: 65 * 1024 }), { ...present, memoryKiB: 65 * 1024 });
});
