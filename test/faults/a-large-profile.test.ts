import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { seedByImport } from '../bench/legacy-seed.ts';
import { openLoad } from '../bench/load.ts';
import { startUnlocked } from '../support/daemon.ts';

const many = 100_000;
/** One for each commit of a rotation of so many, which holds 1,024. */
const wantedCalls = Math.ceil(many / 1_024);
const valueBytes = 1_000;
/** Half of what the daemon would be larger by with all rows in memory at once. Garbage takes some of it. */
const mostBytes = (many * (valueBytes + 250)) / 2;

const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

test('B11: a profile of 100,000 secrets lists in pages, serves while all are sealed anew, and takes no more memory for it', async (t) => {
  const { client, home } = await startUnlocked(t, '[rate]\nrate = 1000000\nburst = 1000000\n');
  const { pid } = await client.status();
  const load = await openLoad(home.paths.socket);
  await seedByImport(load, many, valueBytes);
  load.close();

  const listed = new Set<string>();
  let pages = 0;
  for (let after: string | undefined; pages === 0 || after !== undefined; pages += 1) {
    const page = await client.call('secret.list', {
      limit: 1_000,
      ...(after === undefined ? {} : { after }),
    });
    assert.ok(page.entries.length <= 1_000);
    for (const { path } of page.entries) listed.add(path);
    after = page.next;
  }
  assert.equal(listed.size, many);
  assert.ok(pages >= many / 1_000, `${pages} pages`);

  const before = memoryOf(pid);
  await client.call('keys.rotate', {});
  for (let number = 0; number < wantedCalls; number += 1) {
    const { value } = await client.get(`global/secret-${(number * 7_919) % many}`);
    assert.equal(value.length, valueBytes);
  }
  const { left } = await client.call('keys.resealing', {});
  assert.ok(left > 0, `all ${many} values were moved before ${wantedCalls} calls were answered`);
  let most = before;
  let state = 'running';
  while (state === 'running') {
    await delay(50);
    most = Math.max(most, memoryOf(pid));
    ({ state } = await client.call('keys.resealing', {}));
  }
  assert.equal(state, 'idle');
  t.diagnostic(`${Math.round((most - before) / 2 ** 20)} MiB more at most`);
  assert.ok(most - before < mostBytes, `${Math.round((most - before) / 2 ** 20)} MiB more`);
});
