import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { test } from 'node:test';
import type { Credential, HushClient } from '../../client/index.ts';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { HushError } from '../../protocol/errors.ts';
import { keyCredential, makeHome, passphraseCredential, startDaemon } from '../support/daemon.ts';

const kills = Number(process.env['FAULT_KILLS'] ?? 6);
const value = copyBytes(Buffer.from('kept'));
const key = keyCredential(copyBytes(randomBytes(32)));

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'ok',
    (error: unknown) => {
      assert(error instanceof HushError, String(error));
      return error.code;
    },
  );

/** Whether these open the profile, which is locked before and after. */
async function opens(client: HushClient, ...credentials: Credential[]): Promise<boolean> {
  const code = await codeOf(client.unlock(credentials));
  assert.match(code, /^(ok|WRONG_KEY|WRONG_PASSPHRASE)$/);
  await client.lock();
  return code === 'ok';
}

test(`B1: killed at ${kills} random moments of changes of slots, the header is the old one or the new one`, async (t) => {
  const home = makeHome(t);
  await home.init('default', [passphraseCredential('passphrase 0'), key]);
  let passphrase = 'passphrase 0';
  const counts = { old: 0, new: 0 };
  /** How long a change took when nobody killed it, or was last seen to take. */
  let usualMs = 0;
  for (let round = 1; round <= kills; round += 1) {
    const daemon = await startDaemon(t, home);
    const client = await daemon.connect();
    await client.unlock([key]);
    if (round === 1) await client.set('global/a', value);
    assert.deepEqual(Buffer.from((await client.get('global/a')).value), Buffer.from(value));
    const { slots } = await client.call('slot.list', {});
    const slot = slots.find(({ kind }) => kind === 'passphrase')?.id ?? assert.fail();
    const next = `passphrase ${round}`;
    if (usualMs === 0) {
      const begin = performance.now();
      const replacement = passphraseCredential('for the clock');
      await client.call('slot.change', { credentials: [key], slot, replacement });
      usualMs = performance.now() - begin;
      passphrase = 'for the clock';
    }
    const begin = performance.now();
    const change = codeOf(
      client.call('slot.change', { credentials: [key], slot, replacement: passphraseCredential(next) }),
    );
    // The moment is what is random here, so it is waited for by the clock: most of them near the end of the change.
    const moment = usualMs * (0.7 + randomInt(500) / 1000);
    await Promise.race([change, new Promise((resolve) => setTimeout(resolve, moment))]);
    await daemon.kill();
    const outcome = await change;
    if (outcome === 'ok') usualMs = performance.now() - begin;
    else usualMs *= 1.05;

    const after = await startDaemon(t, home);
    const later = await after.connect();
    const [isOld, isNew] = [
      await opens(later, passphraseCredential(passphrase)),
      await opens(later, passphraseCredential(next)),
    ];
    assert.equal(
      Number(isOld) + Number(isNew),
      1,
      `round ${round}: ${isOld ? 'both open' : 'neither opens'}`,
    );
    if (outcome === 'ok') assert.ok(isNew, 'an acknowledged change was lost');
    assert.ok(await opens(later, key));
    if (isNew) passphrase = next;
    counts[isNew ? 'new' : 'old'] += 1;
    await after.kill();
  }
  t.diagnostic(`${counts.old} kept the old passphrase, ${counts.new} have the new one`);
});
