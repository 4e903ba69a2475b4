import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { z } from 'zod';
import { makeHome, startUnlocked, type TestHome } from '../support/daemon.ts';
import { eventually, recordsIn, utf8 } from './facts.ts';
import { otherProgram, otherUser, skippedUnlessRoot, startOpenToAll, wireAs } from './peers.ts';
import { codeOf, greet, type Wire } from './wire.ts';

const profile = 'default';
const size = 4_000;

/** Sends denied calls, 200 in flight at a time, and counts what they came to. */
async function flood(wire: Wire, params: object): Promise<Map<string, number>> {
  const codes = new Map<string, number>();
  for (let sent = 0; sent < size; sent += 200) {
    const replies = await Promise.all(Array.from({ length: 200 }, () => wire.ask('secret.get', params)));
    for (const reply of replies) codes.set(codeOf(reply), (codes.get(codeOf(reply)) ?? 0) + 1);
  }
  return codes;
}

const counted = z.object({
  event: z.literal('denials.counted'),
  detail: z.object({ client: z.string(), count: z.number() }),
});

/** How many denials of a client were counted instead of written, and in how many records. */
function countedFor(home: TestHome, client: string): { readonly sum: number; readonly records: number } {
  const lines = readFileSync(join(home.paths.daemonAudit, '0000000001.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1);
  const counts = lines.flatMap((line) => {
    const { data } = counted.safeParse(JSON.parse(line));
    return data?.detail.client === client ? [data.detail.count] : [];
  });
  return { sum: counts.reduce((sum, count) => sum + count, 0), records: counts.length };
}

/** Asserts that each denial of a client is on record, most of them as a number; `since` is when the flood began. */
async function assertCounted(home: TestHome, client: string, since: number): Promise<void> {
  const written = () =>
    [home.profile().audit, home.paths.daemonAudit]
      .flatMap(recordsIn)
      .filter((record) => record.client === client && record.outcome === 'denied').length;
  await eventually('all denials are on record', () => written() + countedFor(home, client).sum === size);
  const seconds = Math.ceil((performance.now() - since) / 1_000);
  assert.ok(written() <= 200 + 10 * seconds, `${written()} records of denials in ${seconds} s`);
  assert.ok(countedFor(home, client).records <= seconds + 1);
}

describe('A9: a flood of denied calls', () => {
  test('A9: on a locked profile costs a bounded number of records, and others are served meanwhile', async (t: TestContext) => {
    const exe = otherProgram(t);
    const {
      daemon,
      client: own,
      home,
    } = await startUnlocked(
      t,
      `[clients.app]\nexe = '${exe}'\n[profiles.default.grants.app]\nread = ['global/a']\n`,
    );
    await own.set('global/a', utf8('x'));
    await own.call('lock', { profile });
    const app = await greet(await wireAs(t, daemon.socket, { exe }));
    const since = performance.now();
    const flooding = flood(app, { profile, path: 'global/a' });
    let served = 0;
    const isOver = flooding.then(() => true);
    while (!(await Promise.race([isOver, own.status().then(() => false)]))) served += 1;
    assert.deepEqual([...(await flooding)], [['LOCKED', size]]);
    assert.ok(served >= 20, `${served} other requests were served meanwhile`);
    await assertCounted(home, 'app', since);
  });

  test('A9: from an unknown user is limited, all such users together', async (t: TestContext) => {
    if (skippedUnlessRoot(t)) return;
    const home = makeHome(t);
    await home.init();
    const { socket } = await startOpenToAll(t, home);
    const stranger = await greet(await wireAs(t, socket, { uid: otherUser }));
    const since = performance.now();
    const codes = await flood(stranger, { profile, path: 'global/a' });
    const seconds = Math.ceil((performance.now() - since) / 1_000);
    const passed = codes.get('ACCESS_DENIED') ?? 0;
    assert.ok(passed <= 40 + 20 * seconds, `${passed} denials in ${seconds} s`);
    assert.equal(passed + (codes.get('RATE_LIMITED') ?? 0), size);
    const third = await greet(await wireAs(t, socket, { uid: otherUser + 1 }));
    const more = await Promise.all(Array.from({ length: 200 }, () => third.ask('status', {})));
    assert.ok(
      more.some((reply) => codeOf(reply) === 'RATE_LIMITED'),
      'another stranger has no bucket of its own',
    );
    const fourth = await greet(await wireAs(t, socket, { uid: otherUser + 2 }));
    const shaken = await fourth.ask('handshake', { pattern: 'NN', message: new Uint8Array(32).fill(1) });
    assert.notEqual(codeOf(shaken), 'RATE_LIMITED', 'the handshake of another user has one');
    await assertCounted(home, `stranger:${otherUser}`, since);
  });
});
