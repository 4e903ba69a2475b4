import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openChain } from '../../daemon/audit/chain.ts';
import { loadConfig } from '../../daemon/config/load.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { createScratch } from '../../daemon/memory/scratch.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { createProfiles, type Profiles } from '../../daemon/profiles/profiles.ts';
import { runAll } from '../../daemon/profiles/run-all.ts';
import { parseSecretPath } from '../../protocol/names.ts';
import { makeHome, passphraseCredential } from '../support/daemon.ts';
import { recordsIn } from '../security/facts.ts';

// A lock collects garbage, which the daemon is started with a flag for.
setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as NonNullable<typeof globalThis.gc>;

const path = parseSecretPath('global/a');
const value = new TextEncoder().encode('a value that is cached');

/** Profiles of a home in this process, with one that is unlocked and has a value in its cache. */
async function unlocked(t: TestContext) {
  const home = makeHome(t);
  await home.init();
  const arena = createSecureArena({ prefer: 'sodium_malloc' });
  const daemonChain = openChain(home.paths.daemonAudit, 'daemon');
  const config = loadConfig(home.paths.config);
  const told: string[] = [];
  const profiles = createProfiles({
    paths: home.paths,
    daemonChain,
    config: () => config,
    cache: () => config.cache,
    arena,
    argon2Queue: createArgon2Queue(),
    scratch: createScratch(1024),
    clock: () => performance.now(),
    bootClock: () => 0,
    onUnsealed: () => undefined,
    onRaised: () => undefined,
    onUpkeep: () => undefined,
    onDaemonDoubt: () => undefined,
    onGuardTrouble: () => undefined,
    onLock: (name) => {
      told.push(name);
      assert.notEqual(profiles.state(name), 'unlocked', 'all authority is gone first');
      assert.throws(() => profiles.vault(name), { code: 'LOCKED' });
      // Whatever the vault and its keys are needed for comes before they go.
      if (told.length === 1) assert.deepEqual(session.vault.get(path).value, value);
    },
  });
  await profiles.unlock('default', [passphraseCredential()], undefined, undefined);
  const session = profiles.session('default');
  session.vault.set(path, value);
  session.vault.get(path);
  const used = arena.used;
  return { home, profiles, session, told, arena, used };
}

const waysOut: readonly (readonly [name: string, leave: (profiles: Profiles) => unknown, reason?: string])[] =
  [
    ['lock', (profiles) => profiles.lock('default')],
    ['lock of all profiles', (profiles) => profiles.lockAll(() => true)],
    ['deactivation', (profiles) => profiles.deactivate('default')],
    ['deletion', (profiles) => profiles.delete('default')],
    ['auto-lock', (profiles) => profiles.lock('default', 'idle'), 'idle'],
    ['a signal', (profiles) => profiles.lockAll(() => true, 'signal'), 'signal'],
    ['the end of the daemon', (profiles) => profiles.close(), 'stop'],
  ];

describe('every way out of an unlocked profile', () => {
  for (const [name, leave, reason] of waysOut) {
    test(`${name}: authority ends first, then the cache, the store and the keys; a second time does nothing`, async (t) => {
      const { home, profiles, session, told, arena, used } = await unlocked(t);
      await leave(profiles);
      assert.deepEqual(told, ['default']);
      assert.equal(session.vault.stats().cache.entries, 0);
      assert.throws(() => session.vault.get(path), { code: 'LOCKED' });
      assert.throws(() => session.keyring.auditKey(), { code: 'LOCKED' });
      assert.ok(arena.used < used, 'the keys are out of the arena');
      session.close();
      if (name !== 'deletion') {
        assert.equal(profiles.lock('default'), false);
        const locks = recordsIn(home.profile().audit).filter(({ event }) => event === 'lock');
        assert.deepEqual(
          locks.map(({ outcome, detail }) => [outcome, detail]),
          reason === undefined ? [] : [['ok', { reason }]],
        );
      }
    });
  }

  test('goes to its end whatever fails on the way, and then says what did', () => {
    const done: string[] = [];
    const failing = (name: string) => () => {
      done.push(name);
      throw new Error(name);
    };
    assert.throws(
      () => {
        runAll([failing('cache'), failing('store'), () => void done.push('keys')]);
      },
      { message: 'cache' },
    );
    assert.deepEqual(done, ['cache', 'store', 'keys']);
  });
});
