import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { identify, turnsOnSha256, type Identity, type PeerFacts } from '../../daemon/access/identity.ts';
import { parseConfig } from '../../daemon/config/parse.ts';

const daemonUid = 1000;
const node = '/usr/bin/node';

const who = (config: string, peer: Partial<PeerFacts> = {}, enrolled: readonly string[] = []): Identity => {
  const facts = { pid: 77, uid: daemonUid, gid: 100, exe: node, ...peer };
  return identify(facts, { daemonUid, config: parseConfig(config), enrolledNames: new Set(enrolled) });
};

describe('identity', () => {
  test('the own uid is the owner', () => {
    const expected = {
      kind: 'owner',
      name: 'owner',
      pid: 77,
      uid: 1000,
      gid: 100,
      enrolled: false,
      exe: node,
    };
    assert.deepEqual(who(''), expected);
  });

  test('the own uid is limited where the owner is switched off', () => {
    assert.equal(who('[operators]\nowner = false').kind, 'limited');
    assert.equal(who('[operators]\nowner = false\nuids = [1000]').kind, 'limited');
  });

  test('listed uids are operators, each by its own name, and uid 0 only where it is listed', () => {
    assert.equal(who('[operators]\nuids = [0]', { uid: 0 }).name, 'operator:0');
    assert.equal(who('', { uid: 0 }).kind, 'stranger');
    assert.equal(who('[operators]\nuids = [5]', { uid: 0 }).kind, 'stranger');
    assert.equal(who('[operators]\nuids = [5]', { uid: 5 }).name, 'operator:5');
    assert.equal(who('[operators]\nuids = [5]', { uid: 5 }).kind, 'operator');
  });

  test('any other uid is a stranger', () => {
    const { kind, name } = who('', { uid: 5 });
    assert.deepEqual([kind, name], ['stranger', 'stranger:5']);
  });

  test('A12: unmapped ids and a missing pid are unidentified, whatever else matches', () => {
    const config = `[clients.a]\nexe = '${node}'`;
    for (const peer of [{ pid: 0 }, { uid: 65534 }, { uid: 0xffffffff }, { pid: 0, uid: 0 }]) {
      assert.equal(who(config, peer).kind, 'unidentified');
    }
  });

  test('a client is whoever meets all its conditions', () => {
    const config = `[clients.a]\nuid = 5\ngid = 6\nexe = '${node}'`;
    assert.deepEqual(who(config, { uid: 5, gid: 6 }).name, 'a');
    assert.equal(who(config, { uid: 5, gid: 7 }).kind, 'stranger');
    assert.equal(who(config, { uid: 6, gid: 6 }).kind, 'stranger');
    assert.equal(who(config, { uid: 5, gid: 6, exe: '/bin/sh' }).kind, 'stranger');
    assert.equal(who(config, { uid: 5, gid: 6, exe: undefined }).kind, 'stranger');
  });

  test('a client entry takes the owner and operators out of their role', () => {
    const config = `[clients.a]\nexe = '${node}'`;
    assert.equal(who(config).kind, 'client');
    assert.equal(who(config, { uid: 0 }).kind, 'client');
    assert.equal(who(config, { exe: '/usr/bin/hush' }).kind, 'owner');
  });

  test('of several matching clients the one with the most conditions wins', () => {
    const config = `[clients.wide]\nuid = 5\n[clients.narrow]\nuid = 5\nexe = '${node}'\n[clients.g]\ngid = 6`;
    assert.equal(who(config, { uid: 5, gid: 6 }).name, 'narrow');
    assert.equal(who(config, { uid: 5, gid: 7, exe: '/bin/sh' }).name, 'wide');
  });

  test('a tie makes a stranger of anybody, the owner included', () => {
    const config = `[clients.a]\nuid = 1000\n[clients.b]\ngid = 100`;
    assert.equal(who(config).kind, 'stranger');
    assert.equal(who(config, { gid: 1 }).name, 'a');
  });

  test('A12: the hash of the executable and the unit are conditions like the others, and what is not known never holds', () => {
    const sha256 = 'ab'.repeat(32);
    const config = `[clients.a]\nsha256 = '${sha256.toUpperCase()}'\nunit = 'shop.service'\n[clients.wide]\nuid = 5`;
    assert.equal(who(config, { uid: 5, sha256, unit: 'shop.service' }).name, 'a');
    assert.equal(who(config, { uid: 5, sha256, unit: 'other.service' }).name, 'wide');
    assert.equal(who(config, { uid: 5, sha256 }).name, 'wide');
    assert.equal(who(config, { uid: 5, sha256: 'cd'.repeat(32), unit: 'shop.service' }).name, 'wide');
    assert.equal(who(config, { uid: 5, unit: 'shop.service' }).name, 'wide');
  });

  test('the hash is asked for where an entry turns on it, and only then', () => {
    const facts = { pid: 77, uid: 5, gid: 100, exe: node };
    const asked = (config: string, more: Partial<PeerFacts> = {}): boolean =>
      turnsOnSha256({ ...facts, ...more }, parseConfig(config));
    const sha256 = `sha256 = '${'ab'.repeat(32)}'`;
    assert.equal(asked(`[clients.a]\n${sha256}`), true);
    assert.equal(asked(`[clients.a]\nuid = 5\nenrolled = true\n${sha256}`), true, 'a handshake may follow');
    assert.equal(asked(`[clients.a]\nuid = 6\n${sha256}`), false);
    assert.equal(asked('[clients.a]\nuid = 5'), false);
    assert.equal(asked(`[clients.a]\n${sha256}`, { uid: 65534 }), false);
  });
});

describe('an enrolled client', () => {
  test('is that client, with or without an entry, whoever the kernel says it is', () => {
    for (const peer of [{ uid: 5 }, { uid: daemonUid }, { uid: 0 }, { pid: 0, uid: 65534 }]) {
      const { kind, name, enrolled } = who('[operators]\nuids = [0]', { ...peer, enrolled: 'shop' }, [
        'shop',
      ]);
      assert.deepEqual([kind, name, enrolled], ['client', 'shop', true]);
    }
    const entries = '[clients.shop]\nenrolled = true\n[clients.other]\nuid = 5\ngid = 100';
    assert.equal(who(entries, { uid: 5, enrolled: 'shop' }, ['shop']).name, 'shop');
  });

  test('is a stranger where not all holds that its entry asks for', () => {
    const entry = `[clients.shop]\nenrolled = true\nuid = 5\nunit = 'shop.service'`;
    const enrolled = 'shop';
    assert.equal(who(entry, { uid: 5, unit: 'shop.service', enrolled }, ['shop']).name, 'shop');
    assert.equal(who(entry, { uid: 5, enrolled }, ['shop']).kind, 'stranger');
    const { kind, enrolled: proved } = who(entry, { uid: daemonUid, enrolled }, ['shop']);
    assert.deepEqual([kind, proved], ['stranger', false]);
  });

  test('is matched by its key alone: its entry fits nobody else, said so or not', () => {
    for (const entry of ['[clients.shop]\nuid = 5\nenrolled = true', '[clients.shop]\nuid = 5']) {
      assert.equal(who(entry, { uid: 5 }, ['shop']).kind, 'stranger');
    }
    assert.equal(who('[clients.shop]\nuid = 5\nenrolled = true', { uid: 5 }).kind, 'stranger');
    assert.equal(who('[clients.shop]\nuid = 5', { uid: 5 }).name, 'shop');
    const entries = `[clients.shop]\nuid = 5\nexe = '${node}'\n[clients.wide]\nuid = 5`;
    assert.equal(who(entries, { uid: 5 }, ['shop']).name, 'wide');
  });
});
