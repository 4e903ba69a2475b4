import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import {
  delayAfter,
  isSettled,
  lostBackoff,
  mostIdentities,
  noBackoff,
  othersName,
  ownRule,
  totalRule,
  waitOf,
  withSuccess,
  withWrong,
  type Backoff,
} from '../../daemon/unlock/backoff.ts';
import { vector } from '../support/vectors.ts';
import { backoffFileBytes, decodeBackoff, encodeBackoff } from '../../daemon/unlock/backoff-format.ts';

/** A guesser that never rests: it tries as soon as it may, each attempt with one wrong passphrase. */
function guessFor(durationMs: number, names: readonly string[]): { guesses: number; backoff: Backoff } {
  let backoff = noBackoff;
  let guesses = 0;
  for (let now = 0; ;) {
    const waits = names.map((name) => waitOf(backoff, name, now));
    const wait = Math.min(...waits);
    now += wait;
    if (now >= durationMs) return { guesses, backoff };
    backoff = withWrong(backoff, names[waits.indexOf(wait)] ?? '', 1, now);
    guesses += 1;
  }
}

const hour = 3_600_000;

describe('A3: the delays after wrong passphrases', () => {
  test('A3: two cost nothing, the next half a second, and each further one twice as much, up to five minutes', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 12, 13, 14, 1_000, 1_000_000].map((wrong) => delayAfter(wrong, ownRule)),
      [0, 0, 0, 500, 1_000, 2_000, 256_000, 300_000, 300_000, 300_000, 300_000],
    );
  });

  test('A3: 1,000 wrong passphrases of one identity take more than three days', () => {
    let backoff = noBackoff;
    let now = 0;
    for (let count = 0; count < 1_000; count += 1) {
      now += waitOf(backoff, 'owner', now);
      backoff = withWrong(backoff, 'owner', 1, now);
    }
    assert.ok(now > 72 * hour);
  });

  test('A3: a guesser takes little of the time of another identity, and one with fifty identities has a bound', () => {
    const one = guessFor(hour, ['guesser']);
    assert.equal(one.guesses, 13 + 10);
    assert.ok(waitOf(one.backoff, 'guesser', hour) > 0);
    assert.ok(waitOf(one.backoff, 'operator:0', hour) <= totalRule.longestMs);
    const many = guessFor(
      hour,
      Array.from({ length: 50 }, (_, index) => `client${index}`),
    );
    assert.ok(many.guesses <= totalRule.free + 10 + hour / totalRule.longestMs, String(many.guesses));
  });

  test('A3: a success clears the debt of its identity and the total, and nobody else’s', () => {
    let backoff = noBackoff;
    for (let count = 0; count < 40; count += 1) backoff = withWrong(backoff, 'guesser', 1, 0);
    backoff = withWrong(backoff, 'owner', 3, 0);
    assert.equal(waitOf(backoff, 'owner', 0), totalRule.longestMs);
    const after = withSuccess(backoff, 'owner');
    assert.equal(waitOf(after, 'owner', 0), 0);
    assert.equal(waitOf(after, 'operator:0', 0), 0);
    assert.equal(waitOf(after, 'guesser', 0), ownRule.longestMs);
    assert.ok(isSettled(withSuccess(after, 'guesser')));
  });

  test('identities past the bound are counted together, and the file stays within its size', () => {
    let backoff = noBackoff;
    for (let index = 0; index < mostIdentities + 100; index += 1) {
      backoff = withWrong(backoff, `client-${'x'.repeat(50)}-${index}`, 1, index);
    }
    assert.equal(backoff.identities.size, mostIdentities + 1);
    assert.equal(backoff.identities.get(othersName)?.wrong, 100);
    assert.ok(waitOf(backoff, 'yet another', 0) > 0);
    const bytes = encodeBackoff(backoff, 2_000);
    assert.ok(bytes.length < backoffFileBytes);
    assert.equal(decodeBackoff(bytes, 0).identities.size, mostIdentities + 1);
  });
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('try' as const),
      who: fc.nat(2),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), since: fc.nat(1_000_000_000) }),
  },
);

test('A3: whatever is waited and however often the daemon restarts, no passphrase is tried before its delay was served', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let backoff = noBackoff;
      let now = 1_000;
      /** What an onlooker knows: how many were wrong, and how much time went by since the last, restarts left out. */
      const seen = new Map<string, { wrong: number; served: number }>();
      for (const each of steps) {
        if (each.kind === 'wait') {
          now += each.ms;
          for (const known of seen.values()) known.served += each.ms;
        } else if (each.kind === 'restart') {
          // What was served since the file was last written is served again.
          backoff = decodeBackoff(encodeBackoff(backoff, now), each.since);
          now = each.since;
        } else {
          const name = `identity${each.who}`;
          const known = seen.get(name) ?? { wrong: 0, served: 0 };
          const owed = delayAfter(known.wrong, ownRule);
          if (waitOf(backoff, name, now) > 0) continue;
          assert.ok(known.served >= owed, `${known.served} of ${owed} ms`);
          backoff = withWrong(backoff, name, each.count, now);
          seen.set(name, { wrong: known.wrong + each.count, served: 0 });
        }
      }
    }),
  );
});

const debts = fc.record({ wrong: fc.integer({ min: 1, max: 1_000 }), until: fc.nat(300_000) });
const states = fc.record({
  total: debts,
  identities: fc
    .uniqueArray(fc.string({ minLength: 1, maxLength: 64 }), { maxLength: 20 })
    .chain((names) =>
      fc
        .array(debts, { minLength: names.length, maxLength: names.length })
        .map((all) => new Map(names.map((name, index) => [name, all[index] ?? { wrong: 1, until: 0 }]))),
    ),
});

describe('the file of the back-off', () => {
  test('is what docs/formats.md says', () => {
    const debt = { wrong: z.number(), until: z.number() };
    const shape = {
      now: z.number(),
      total: z.strictObject(debt),
      identities: z.array(z.strictObject({ name: z.string(), ...debt })),
      file: z.string(),
    };
    const { now, total, identities, file } = vector('backoff', shape);
    const backoff: Backoff = {
      total,
      identities: new Map(identities.map(({ name, ...owed }) => [name, owed])),
    };
    assert.equal(new TextDecoder().decode(encodeBackoff(backoff, now)), file);
    assert.equal(waitOf(decodeBackoff(new TextEncoder().encode(file), 0), 'operator:1001', 0), 1000);
  });

  test('gives each delay back, to be served from another moment on', () => {
    fc.assert(
      fc.property(states, fc.nat(200_000), fc.nat(1e9), (backoff, now, since) => {
        const read = decodeBackoff(encodeBackoff(backoff, now), since);
        for (const name of [...backoff.identities.keys(), 'somebody else']) {
          assert.equal(waitOf(read, name, since), waitOf(backoff, name, now));
          assert.equal(read.identities.get(name)?.wrong, backoff.identities.get(name)?.wrong);
        }
      }),
    );
  });

  test('is DAMAGED when a byte of it was changed or lost', () => {
    fc.assert(
      fc.property(
        states,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (backoff, at, flip, isCut) => {
          const bytes = encodeBackoff(backoff, 0);
          const where = at % bytes.length;
          if (isCut) assert.throws(() => decodeBackoff(bytes.subarray(0, where), 0), { code: 'DAMAGED' });
          else {
            bytes[where] = (bytes[where] ?? 0) ^ flip;
            assert.throws(
              () => decodeBackoff(bytes, 0),
              (error) =>
                error instanceof Error &&
                'code' in error &&
                /^(DAMAGED|NEWER_FORMAT)$/.test(String(error.code)),
            );
          }
        },
      ),
    );
  });

  test('of a newer format is refused by name', () => {
    const bytes = new TextEncoder().encode('hushd-backoff 2\nwhatever\n');
    assert.throws(() => decodeBackoff(bytes, 0), { code: 'NEWER_FORMAT', message: /format 2/ });
  });

  test('that is lost costs everybody the longest delay', () => {
    assert.equal(waitOf(lostBackoff(50), 'owner', 50), ownRule.longestMs);
    assert.equal(waitOf(decodeBackoff(encodeBackoff(lostBackoff(50), 50), 0), 'owner', 0), ownRule.longestMs);
  });
});
