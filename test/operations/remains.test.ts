import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Context } from '../../daemon/operations/handler.ts';
import { keyHandlers } from '../../daemon/operations/keys.ts';
import { tenantHandlers } from '../../daemon/operations/tenants.ts';
import { HushError } from '../../protocol/errors.ts';
import { bytesOf, textOf, withCode } from '../keys/fixtures.ts';
import { makeHome } from '../support/daemon.ts';
import { inHome } from '../support/open-home.ts';

const place = { keyring: 'default', namespace: 'n', key: 'k' };

test('no key is destroyed where the home cannot be searched for copies of it', async (t) => {
  const home = makeHome(t);
  await home.init();
  await inHome(home, new Date(), async ({ vault: open, keyring }) => {
    const vault = await open();
    const handle = vault.encrypt({ ...place, tenant: 'acme' }, bytesOf('x'));
    const first = vault.encrypt(place, bytesOf('y'));
    await vault.rotateKeys('default', 'test');
    const profiles = {
      change: (_name: string, _what: string, work: (session: unknown) => Promise<unknown>) =>
        work({ vault, keyring }),
      copies: () => {
        throw new HushError('UNAVAILABLE', 'cannot look for copies of the keys in the home');
      },
    };
    // All that these two handlers use of it.
    const context = { peer: { identity: { name: 'test' } }, profiles } as unknown as Context;
    const run = (what: () => unknown) =>
      assert.rejects(Promise.resolve().then(what), withCode('UNAVAILABLE'));
    // Neither handler looks at the call.
    await run(() =>
      tenantHandlers['keys.shred']({ profile: 'default', tenant: 'acme' }, context, undefined as never),
    );
    await run(() =>
      keyHandlers['keys.retire']({ profile: 'default', version: 1 }, context, undefined as never),
    );
    const anyTenant = (): boolean => true;
    assert.equal(textOf(vault.decrypt({ ...place, tenant: 'acme' }, handle, anyTenant)), 'x');
    assert.equal(textOf(vault.decrypt(place, first, anyTenant)), 'y');
  });
});
