import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { lacksEnrolment, wantsFieldEncryption } from '../../daemon/access/enrolment.ts';
import type { Identity, IdentityKind } from '../../daemon/access/identity.ts';
import { parseConfig } from '../../daemon/config/parse.ts';

const peer = (kind: IdentityKind, name: string = kind, enrolled = false): Identity => ({
  kind,
  name,
  pid: 1,
  uid: 2,
  gid: 3,
  enrolled,
});

describe('whether somebody is told that a key is missing', () => {
  const config = parseConfig(
    "[profiles.p]\nrequire_enrolled = true\n[profiles.p.grants.app]\nread = ['*']\n[profiles.q.grants.app]\nread = ['*']",
  );

  test('those are who may know of the profile, and would have more with a key', () => {
    for (const each of [peer('owner'), peer('operator', 'operator:0'), peer('client', 'app')]) {
      assert.equal(lacksEnrolment(config, each, 'p'), true, each.name);
    }
  });

  test('nobody else is, nor anybody where none is needed or it is there', () => {
    for (const each of [
      peer('client', 'other'),
      peer('limited'),
      peer('stranger', 'stranger:9'),
      peer('unidentified'),
    ]) {
      assert.equal(lacksEnrolment(config, each, 'p'), false, each.name);
    }
    assert.equal(lacksEnrolment(config, peer('client', 'app', true), 'p'), false);
    for (const profile of ['q', 'unknown'])
      assert.equal(lacksEnrolment(config, peer('owner'), profile), false);
  });
});

describe('whether field encryption is asked of somebody', () => {
  test('is decided for all by [transport], else by the entry of the client', () => {
    const everybody = [
      peer('owner'),
      peer('client', 'app'),
      peer('client', 'other', true),
      peer('unidentified'),
    ];
    const answers = (toml: string): boolean[] =>
      everybody.map((each) => wantsFieldEncryption(parseConfig(toml), each));
    assert.deepEqual(answers(''), [false, false, false, false]);
    assert.deepEqual(answers('[transport]\nfield_encryption = true'), [true, true, true, true]);
    assert.deepEqual(answers('[clients.app]\nuid = 2\nfield_encryption = true'), [false, true, false, false]);
    assert.deepEqual(answers('[clients.other]\nenrolled = true\nfield_encryption = true'), [
      false,
      false,
      true,
      false,
    ]);
  });
});
