import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import type { HushClient } from '../../client/index.ts';
import { HushError } from '../../protocol/errors.ts';
import { vaultFileKeyOf } from '../security/facts.ts';
import { keyCredential, makeHome, startDaemon, type TestHome } from '../support/daemon.ts';
import { contentOf } from '../vault/vault-pages.ts';
import { randomOf } from './random.ts';

const kills = Number(process.env['FAULT_KILLS'] ?? 8);
/** A shred takes a few milliseconds; some kills come before it and some after. */
const longestMs = 20;
const place = { keyring: 'default', namespace: 'faults', key: 'shred' };

const encrypt = async (client: HushClient, tenant: string) =>
  (
    await client.call('crypto.encrypt', {
      ...place,
      tenant,
      plaintext: new TextEncoder().encode(tenant),
    })
  ).handle;

type Handle = Awaited<ReturnType<typeof encrypt>>;

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error instanceof HushError ? error.code : String(error)),
  );

/** The wrapped keys in the key set's file, by tenant. */
function wrappedIn(home: TestHome): Map<string, string> {
  const entries = readFileSync(home.profile().keyset, 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line) as { tenant?: string; wrapped?: string });
  return new Map(entries.flatMap(({ tenant, wrapped }) => (tenant && wrapped ? [[tenant, wrapped]] : [])));
}

test('B1: killed at random moments of a shred, a tenant is destroyed for good or not at all, and no other is', async (t) => {
  const random = randomOf(t);
  const home = makeHome(t);
  const key = random.bytes(32);
  await home.init('default', [keyCredential(key)]);
  const kept: Handle[] = [];
  const came = { destroyed: 0, whole: 0 };
  let daemon = await startDaemon(t, home);
  let client = await daemon.connect();
  await client.unlock([keyCredential(key)]);
  for (let round = 0; round < kills; round++) {
    const tenant = `tenant-${round}`;
    const handle = await encrypt(client, tenant);
    kept.push(await encrypt(client, `other-${round}`));
    const wrapped = wrappedIn(home).get(tenant);
    assert.ok(wrapped);

    const shredding = codeOf(client.call('keys.shred', { tenant }));
    await delay(random.below(longestMs));
    await daemon.kill();
    const acknowledged = (await shredding) === 'ok';

    daemon = await startDaemon(t, home);
    client = await daemon.connect();
    await client.unlock([keyCredential(key)]);
    const code = await codeOf(client.call('crypto.decrypt', { ...place, handle }));
    assert.ok(code === 'KEY_DESTROYED' || (code === 'ok' && !acknowledged), `${tenant}: ${code}`);
    assert.equal(await codeOf(encrypt(client, tenant)), code);
    for (const other of kept) {
      assert.equal(await codeOf(client.call('crypto.decrypt', { ...place, handle: other })), 'ok');
    }
    came[code === 'ok' ? 'whole' : 'destroyed']++;
    if (code === 'ok') continue;
    assert.equal(wrappedIn(home).get(tenant), undefined);
    const file = {
      path: home.profile().vault,
      label: 'vault.db',
      key: await vaultFileKeyOf(home.profile(), keyCredential(key)),
    };
    assert.ok(!contentOf(file).includes(wrapped), `${tenant} is still in the vault`);
  }
  t.diagnostic(`${came.destroyed} destroyed, ${came.whole} whole`);
});
