import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { identify, type Identity } from '../../daemon/access/identity.ts';
import { parseConfig } from '../../daemon/config/parse.ts';

const daemonUid = 1000;
const node = '/usr/bin/node';

const who = (
  config: string,
  peer: { pid?: number; uid?: number; gid?: number; exe?: string | undefined } = {},
): Identity => {
  const { pid = 77, uid = daemonUid, gid = 100 } = peer;
  return identify({ pid, uid, gid }, 'exe' in peer ? peer.exe : node, daemonUid, parseConfig(config));
};

describe('identity', () => {
  test('the own uid is the owner', () => {
    const expected = { kind: 'owner', name: 'owner', pid: 77, uid: 1000, gid: 100, exe: node };
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
});
