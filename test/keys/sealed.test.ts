import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { gcm } from '@noble/ciphers/aes.js';
import fc from 'fast-check';

import { createAesGcm } from '../../daemon/keys/aes-gcm.ts';
import type { Dek } from '../../daemon/keys/dek-index.ts';
import { createNonceSource } from '../../daemon/keys/nonce.ts';
import {
  createSealer,
  type HandlePlace,
  parseSealedHandle,
  parseSealedValue,
  type Sealer,
  sealedValueOverhead,
  type StoredPlace,
} from '../../daemon/keys/sealed.ts';
import { bytesOf, filled, flip, withCode } from './fixtures.ts';

const vaultId = '00112233445566778899aabbccddeeff';
const otherVault = '10112233445566778899aabbccddeeff';
const rawKey = filled(32, 11);
const dekOf = (tenant = '', version = 1): Dek => ({
  keyring: 'default',
  tenant,
  version,
  cipher: createAesGcm(rawKey),
  opened: false,
});
const sealer = createSealer(vaultId, createNonceSource());

const openValue = (place: StoredPlace, sealed: Uint8Array, by: Sealer = sealer, dek = dekOf()): Uint8Array =>
  by.openValue(dek, place, parseSealedValue(sealed));
const openHandle = (place: HandlePlace, ciphertext: string, by: Sealer = sealer, tenant = ''): Uint8Array =>
  by.openHandle(dekOf(tenant), place, parseSealedHandle(ciphertext));

const value: StoredPlace = { part: 'value', scope: 'ws:a', name: 'db', version: 3 };
const handle: HandlePlace = {
  keyring: 'default',
  handleId: 'sec_00000000000000000000000000000001',
  namespace: 'mail',
  key: 'smtp.password',
};
const text = fc.string({ unit: 'binary', maxLength: 40 });
const plains = fc.uint8Array({ maxLength: 200 });

/** The AAD as docs/formats.md says it, written a second time. */
const aadOf = (...fields: readonly string[]): Uint8Array =>
  Buffer.concat(
    fields.flatMap((field) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(field));
      return [length, Buffer.from(field)];
    }),
  );

describe('a sealed value', () => {
  test('opens to what was sealed, and noble opens it too', () => {
    const places = fc.record({
      part: fc.constantFrom('value' as const, 'meta' as const),
      scope: text,
      name: text,
      version: fc.integer({ min: 1, max: 0xffffffff }),
    });
    fc.assert(
      fc.property(places, plains, fc.integer({ min: 1, max: 0xffffffff }), (place, plain, version) => {
        const sealed = sealer.sealValue(dekOf('', version), place, plain);
        assert.equal(sealed.length, plain.length + sealedValueOverhead);
        assert.deepEqual(Uint8Array.from(openValue(place, sealed, sealer, dekOf('', version))), plain);

        const aad = aadOf('hushd', '1', place.part, vaultId, place.scope, place.name, String(place.version));
        assert.deepEqual(gcm(rawKey, sealed.slice(6, 18), aad).decrypt(sealed.slice(18)), plain);
        assert.equal(Buffer.from(sealed).readUInt32BE(2), version);
      }),
    );
  });

  test('A6: with any byte changed, or cut anywhere, is tampering', () => {
    const sealed = sealer.sealValue(dekOf(), value, bytesOf('a secret'));
    for (let index = 0; index < sealed.length; index += 1) {
      for (const mask of [0x01, 0x80, 0xff]) {
        assert.throws(() => openValue(value, flip(sealed, index, mask)), withCode('INTEGRITY'));
      }
      assert.throws(() => openValue(value, sealed.subarray(0, index)), withCode('INTEGRITY'));
    }
    assert.throws(() => openValue(value, Uint8Array.of(...sealed, 0)), withCode('INTEGRITY'));
  });

  test('A6: at another place is tampering', () => {
    const sealed = sealer.sealValue(dekOf(), value, bytesOf('a secret'));
    for (const change of [
      { part: 'meta' as const },
      { scope: 'ws:b' },
      { name: 'dc' },
      { version: 4 },
      { scope: 'ws:ad', name: 'b' },
    ]) {
      assert.throws(() => openValue({ ...value, ...change }, sealed), withCode('INTEGRITY'));
    }
    const elsewhere = createSealer(otherVault, createNonceSource());
    assert.throws(() => openValue(value, sealed, elsewhere), withCode('INTEGRITY'));
    assert.throws(() => openValue(value, sealed, sealer, dekOf('', 2)), withCode('INTEGRITY'));
  });

  test('opens into the memory that it is given, which holds zeros when it does not open', () => {
    const sealed = sealer.sealValue(dekOf(), value, bytesOf('a secret'));
    const parsed = parseSealedValue(sealed);
    const reply = filled(20, 0xee);
    const out = reply.subarray(5, 5 + parsed.plainLength);
    assert.equal(sealer.openValue(dekOf(), value, parsed, out), out);
    assert.deepEqual(reply, Uint8Array.of(...filled(5, 0xee), ...bytesOf('a secret'), ...filled(7, 0xee)));
    assert.throws(
      () => sealer.openValue(dekOf(), { ...value, name: 'x' }, parsed, out),
      withCode('INTEGRITY'),
    );
    assert.deepEqual(out, filled(8, 0));
  });
});

describe('a sealed handle', () => {
  test('opens to what was sealed, says its tenant and revision itself, and noble opens it too', () => {
    const places = fc.record({
      keyring: fc.constant('default'),
      handleId: text,
      namespace: text,
      key: text,
    });
    const revisions = fc.integer({ min: 1, max: 0xffffffff });
    // A lone surrogate has no UTF-8; on the wire there is none.
    const tenants = fc.string({ unit: 'binary', maxLength: 80 }).map((tenant) => tenant.toWellFormed());
    fc.assert(
      fc.property(places, tenants, revisions, plains, (place, tenant, revision, plain) => {
        const ciphertext = sealer.sealHandle(dekOf(tenant, 7), place, revision, plain);
        const parsed = parseSealedHandle(ciphertext);
        assert.deepEqual([parsed.dekVersion, parsed.revision, parsed.tenant], [7, revision, tenant]);
        assert.deepEqual(Uint8Array.from(sealer.openHandle(dekOf(tenant, 7), place, parsed)), plain);

        const form = Uint8Array.from(Buffer.from(ciphertext, 'base64'));
        const body = 12 + Buffer.byteLength(tenant);
        const { keyring, handleId, namespace, key } = place;
        const fields = [keyring, handleId, namespace, key, tenant, String(revision)];
        const aad = aadOf('hushd', '2', 'handle', vaultId, ...fields);
        assert.deepEqual(gcm(rawKey, form.slice(body, body + 12), aad).decrypt(form.slice(body + 12)), plain);
      }),
    );
  });

  test('with any byte changed, or cut anywhere, is tampering', () => {
    const form = Buffer.from(sealer.sealHandle(dekOf('acme'), handle, 1, bytesOf('a secret')), 'base64');
    const open = (bytes: Uint8Array) =>
      openHandle(handle, Buffer.from(bytes).toString('base64'), sealer, 'acme');
    open(form);
    for (let index = 0; index < form.length; index += 1) {
      for (const mask of [0x02, 0x80, 0xff]) {
        assert.throws(() => open(flip(form, index, mask)), withCode('INTEGRITY'), `byte ${index}`);
      }
      assert.throws(() => open(form.subarray(0, index)), withCode('INTEGRITY'));
    }
  });

  test('that is no base64, or another spelling of it, is tampering', () => {
    const ciphertext = sealer.sealHandle(dekOf(), handle, 1, bytesOf('a secret'));
    for (const bad of [
      '',
      '!!!!',
      `${ciphertext}\n`,
      ` ${ciphertext}`,
      ciphertext.slice(0, -1),
      ciphertext.replace('A', '\u0100'),
      Buffer.from(ciphertext, 'base64').toString('hex'),
    ]) {
      assert.throws(() => openHandle(handle, bad), withCode('INTEGRITY'), bad);
    }
  });

  test('at another place, with another tenant or revision, is tampering', () => {
    const ciphertext = sealer.sealHandle(dekOf('acme'), handle, 1, bytesOf('a secret'));
    for (const change of [
      { keyring: 'other' },
      { handleId: 'sec_00000000000000000000000000000002' },
      { namespace: 'mai', key: 'lsmtp.password' },
      { key: 'smtp.user' },
    ]) {
      assert.throws(
        () => openHandle({ ...handle, ...change }, ciphertext, sealer, 'acme'),
        withCode('INTEGRITY'),
      );
    }
    const elsewhere = createSealer(otherVault, createNonceSource());
    assert.throws(() => openHandle(handle, ciphertext, elsewhere, 'acme'), withCode('INTEGRITY'));
  });

  test('is no sealed value, and a value is no handle', () => {
    const ciphertext = sealer.sealHandle(dekOf(), handle, 1, bytesOf('a secret'));
    assert.throws(() => parseSealedValue(Buffer.from(ciphertext, 'base64')), withCode('INTEGRITY'));
    const sealed = sealer.sealValue(dekOf(), value, bytesOf('a secret'));
    assert.throws(() => parseSealedHandle(Buffer.from(sealed).toString('base64')), withCode('INTEGRITY'));
  });

  test('of a format to come is refused by name, and so is a value', () => {
    for (const format of [4, 15]) {
      const form = Uint8Array.of(format, 1, ...filled(60, 0));
      assert.throws(() => parseSealedValue(form), withCode('NEWER_FORMAT'));
      assert.throws(() => parseSealedHandle(Buffer.from(form).toString('base64')), withCode('NEWER_FORMAT'));
    }
  });

  test('never has the nonce of another', () => {
    const nonces = createNonceSource();
    const target = new Uint8Array(12);
    const seen = new Set<string>();
    for (let count = 0; count < 5000; count += 1) {
      nonces.put(target, 0);
      seen.add(Buffer.from(target).toString('hex'));
    }
    assert.equal(seen.size, 5000);
  });
});
