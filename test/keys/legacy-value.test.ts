import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { gcm } from '@noble/ciphers/aes.js';
import { z } from 'zod';

import { parseLegacyLine } from '../../cli/legacy-lines.ts';
import { createAesGcm } from '../../daemon/keys/aes-gcm.ts';
import { legacyForm, openLegacy, parseLegacyForm } from '../../daemon/keys/legacy-value.ts';
import { parseSealedValue } from '../../daemon/keys/sealed.ts';
import { HushError } from '../../protocol/errors.ts';
import { bytesOfHex, hex, hexOf, vector } from '../support/vectors.ts';
import { withCode } from './fixtures.ts';

const bytes = (length: { readonly min: number; readonly max: number }) =>
  fc.uint8Array({ minLength: length.min, maxLength: length.max });
const key = bytes({ min: 32, max: 32 });
const nonce = bytes({ min: 12, max: 12 });

function opened(form: Uint8Array, masterKey: Uint8Array): Uint8Array {
  const value = parseLegacyForm(form);
  const cipher = createAesGcm(masterKey);
  try {
    return openLegacy(cipher, value, new Uint8Array(new ArrayBuffer(value.plainLength)));
  } finally {
    cipher.close();
  }
}

test('the legacy value of docs/formats.md opens, as it stands in a line and in the vault', () => {
  const given = vector('legacy-value', {
    masterKey: hex,
    keyVersion: z.int(),
    nonce: z.string(),
    ciphertext: z.string(),
    plain: hex,
    stored: hex,
  });
  const { nonce: iv, ciphertext } = parseLegacyLine(
    JSON.stringify({ path: 'global/db', keyVersion: null, iv: given.nonce, ciphertext: given.ciphertext }),
  );
  assert.equal(hexOf(legacyForm(given.keyVersion, iv, ciphertext)), given.stored);
  assert.equal(hexOf(opened(bytesOfHex(given.stored), bytesOfHex(given.masterKey))), given.plain);
  const decipher = createDecipheriv('aes-256-gcm', bytesOfHex(given.masterKey), iv);
  decipher.setAuthTag(ciphertext.subarray(-16));
  assert.equal(decipher.update(ciphertext.subarray(0, -16)).toString('hex'), given.plain);
  decipher.final();
});

describe('a legacy value', () => {
  test('that anything sealed with AES-256-GCM opens under its key, and under no other', () => {
    fc.assert(
      fc.property(
        key,
        key,
        nonce,
        bytes({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        (right, wrong, iv, plain, version) => {
          const form = legacyForm(version, iv, gcm(right, iv).encrypt(plain));
          assert.equal(parseLegacyForm(form).keyVersion, version);
          assert.deepEqual(Uint8Array.from(opened(form, right)), plain);
          if (Buffer.compare(right, wrong) !== 0)
            assert.throws(() => opened(form, wrong), withCode('INTEGRITY'));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('cut short, of another format or changed in any bit is INTEGRITY, and never a stored value', () => {
    fc.assert(
      fc.property(
        key,
        nonce,
        bytes({ min: 0, max: 60 }),
        fc.nat(),
        fc.nat(7),
        (right, iv, plain, at, bit) => {
          const form = legacyForm(1, iv, gcm(right, iv).encrypt(plain));
          assert.throws(() => parseSealedValue(form), withCode('INTEGRITY'));
          assert.throws(() => opened(form.subarray(0, at % form.length), right), withCode('INTEGRITY'));
          const place = at % form.length;
          // The version of the key says only where the key is found.
          if (place >= 2 && place < 6) return;
          const changed = Uint8Array.from(form);
          changed[place] = (changed[place] ?? 0) ^ (1 << bit);
          assert.throws(() => opened(changed, right), withCode('INTEGRITY'));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('as a line of JSON is read, or refused by an error that repeats nothing of it', () => {
    const refused = (text: string): void => {
      try {
        parseLegacyLine(text);
      } catch (error) {
        assert.ok(error instanceof HushError);
        assert.ok(error.code === 'BAD_REQUEST' || error.code === 'INVALID_NAME', error.code);
        assert.ok(text.length < 8 || !error.message.includes(text));
      }
    };
    fc.assert(fc.property(fc.string(), refused));
    fc.assert(fc.property(fc.json(), refused));
    const row = parseLegacyLine(
      '{"path":"ws:1/a","nonce":"MDEyMzQ1Njc4OTo7","ciphertext":"8raRFDlNuuV0/SLhct3Lzxu+6Wg6N4s=","createdAt":"2020-01-02T03:04:05+01:00"}',
    );
    assert.deepEqual([row.path, row.createdAt, row.nonce.length], ['ws:1/a', '2020-01-02T02:04:05.000Z', 12]);
  });
});
