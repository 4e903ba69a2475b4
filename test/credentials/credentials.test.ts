import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  decryptCredentials,
  encryptCredentials,
  HushError,
  isEncrypted,
  keyringFromEnv,
} from '../../client/credentials/index.ts';
import type { CredentialEnvelope } from '../../client/credentials/index.ts';
import { coded } from '../client/coded.ts';
import { inPython } from '../support/sealed-values.ts';

const key = Buffer.from(Uint8Array.from({ length: 32 }, (_, index) => index));
const keyring = keyringFromEnv({ CONNECTOR_CRED_KEY: key.toString('base64') });
const credentials = { user: 'app', password: 'hunter2', scopes: ['ключ', '🔑'], port: 5432, nothing: null };

/** An envelope by Node's own cipher. */
function sealedByNode(plain: string, kid = 'v1'): CredentialEnvelope {
  const iv = Buffer.alloc(12, 9);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const ct = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { __enc: 1, kid, iv: iv.toString('base64'), ct: ct.toString('base64') };
}

/** What `JSON.stringify` and `JSON.parse` make of a value: minus zero, for one, comes back as zero. */
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

describe('encryptCredentials', () => {
  test('gives exactly the four fields, over the UTF-8 JSON of the value, without associated data', () => {
    const envelope = encryptCredentials(credentials, keyring);
    assert.deepEqual(Object.keys(envelope), ['__enc', 'kid', 'iv', 'ct']);
    assert.deepEqual([envelope.__enc, envelope.kid], [1, 'v1']);
    const iv = Buffer.from(envelope.iv, 'base64');
    const ct = Buffer.from(envelope.ct, 'base64');
    assert.deepEqual(
      [iv.length, iv.toString('base64'), ct.toString('base64')],
      [12, envelope.iv, envelope.ct],
    );
    const decipher = createDecipheriv('aes-256-gcm', key, iv);
    decipher.setAuthTag(ct.subarray(-16));
    const plain = decipher.update(ct.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8');
    assert.equal(plain, JSON.stringify(credentials));
    assert.notEqual(encryptCredentials(credentials, keyring).iv, envelope.iv);
  });

  test('returns what is an envelope already unchanged, whichever key it names', () => {
    const envelope = encryptCredentials(credentials, keyring);
    assert.equal(encryptCredentials(envelope, keyring), envelope);
    const foreign = { ...envelope, kid: 'another' };
    assert.equal(encryptCredentials(foreign, keyring), foreign);
    assert.deepEqual(foreign, { ...envelope, kid: 'another' });
  });

  test('refuses what is marked as an envelope and is none: it would be stored in the clear', () => {
    const envelope = encryptCredentials(credentials, keyring);
    for (const value of [
      { __enc: 1, password: 'hunter2' },
      { ...envelope, password: 'hunter2' },
    ]) {
      assert.throws(
        () => encryptCredentials(value, keyring),
        (error: HushError) => {
          assert(!error.message.includes('hunter2'));
          return coded('DAMAGED', /malformed/)(error);
        },
      );
    }
  });

  test('refuses what JSON cannot hold', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const value of [undefined, () => 1, Symbol('x'), 1n, circular]) {
      assert.throws(() => encryptCredentials(value, keyring), coded('BAD_REQUEST', /JSON/));
    }
  });
});

describe('decryptCredentials', () => {
  test('gives back any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const envelope: unknown = JSON.parse(JSON.stringify(encryptCredentials(value, keyring)));
        assert.deepEqual(decryptCredentials(envelope, keyring), throughJson(value));
      }),
    );
    const marked = { __enc: 2, kid: 'v1' };
    assert.deepEqual(decryptCredentials(encryptCredentials(marked, keyring), keyring), marked);
    assert.equal(decryptCredentials(encryptCredentials('\uD800', keyring), keyring), '\uD800');
  });

  test('passes anything that is not an envelope through unchanged', () => {
    for (const value of [undefined, null, '', '{"__enc":1}', 0, true, [], [{ __enc: 1 }], credentials]) {
      assert.equal(isEncrypted(value), false);
      assert.equal(decryptCredentials(value, keyring), value);
    }
    for (const __enc of [0, 2, '1', true, null, [1]]) {
      const value = { __enc, kid: 'v1', iv: '', ct: '' };
      assert.equal(decryptCredentials(value, keyring), value);
      assert.equal(isEncrypted(value), false);
    }
  });

  test('an unknown kid is a wrong key, by its name', () => {
    const envelope = { ...encryptCredentials(credentials, keyring), kid: 'v7' };
    assert.throws(() => decryptCredentials(envelope, keyring), coded('WRONG_KEY', /"v7"/));
    for (const kid of ['__proto__', 'toString', 'hush:x', 'k'.repeat(256)]) {
      assert.throws(() => decryptCredentials({ ...envelope, kid }, keyring), coded('WRONG_KEY'));
    }
  });

  test('any bit changed in nonce, ciphertext or tag, and another key under the same kid, is INTEGRITY', () => {
    const envelope = encryptCredentials(credentials, keyring);
    for (const field of ['iv', 'ct'] as const) {
      const bytes = Buffer.from(envelope[field], 'base64');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const forged = { ...envelope, [field]: changed.toString('base64') };
        assert.throws(() => decryptCredentials(forged, keyring), coded('INTEGRITY'));
      }
    }
    const other = keyringFromEnv({ CONNECTOR_CRED_KEY: Buffer.alloc(32, 1).toString('base64') });
    assert.throws(() => decryptCredentials(envelope, other), coded('INTEGRITY', /another/));
  });

  test('a malformed field is named, whatever it holds', () => {
    const envelope = encryptCredentials(credentials, keyring);
    const wrong: readonly [string, readonly unknown[]][] = [
      ['kid', [undefined, null, 1, '', {}, 'k'.repeat(257), '\uD800']],
      [
        'iv',
        [
          undefined,
          1,
          '',
          'AAAA',
          `${envelope.iv}AAAA`,
          `${envelope.iv}=`,
          ` ${envelope.iv}`,
          '*'.repeat(16),
        ],
      ],
      ['ct', [undefined, [], '', 'AAAA', envelope.ct.replace(/.$/, '*'), `${envelope.ct}\n`]],
      ['a field too many', []],
    ];
    for (const [field, values] of wrong) {
      for (const value of values) {
        const broken = { ...envelope, [field]: value };
        assert(isEncrypted(broken));
        assert.throws(
          () => decryptCredentials(broken, keyring),
          coded('DAMAGED', new RegExp(`malformed: ${field} `)),
        );
      }
    }
    assert.throws(
      () => decryptCredentials({ ...envelope, v: 1 }, keyring),
      coded('DAMAGED', /field too many/),
    );
    assert.throws(() => decryptCredentials({ __enc: 1 }, keyring), coded('DAMAGED', /kid/));
    fc.assert(
      fc.property(
        fc.record({ kid: fc.anything(), iv: fc.anything(), ct: fc.anything() }, { requiredKeys: [] }),
        (fields) => {
          assert.throws(() => decryptCredentials({ ...fields, __enc: 1 }, keyring), HushError);
        },
      ),
    );
  });

  test('what opens and is no JSON, or no text, is INTEGRITY without a word of it', () => {
    assert.deepEqual(decryptCredentials(sealedByNode('{"a":1}'), keyring), { a: 1 });
    assert.throws(
      () => decryptCredentials(sealedByNode('hunter2'), keyring),
      (error: HushError) => {
        assert(!error.message.includes('hunter2') && error.cause === undefined);
        return coded('INTEGRITY', /no JSON/)(error);
      },
    );
  });
});

test('a keyring shows no key when it is printed', () => {
  const shown = inspect(keyring, { depth: 9, showHidden: true }) + JSON.stringify(keyring);
  assert.doesNotMatch(shown, /AAECAw|00 ?01 ?02|0, ?1, ?2/);
});

test('envelopes of ours open in Python, and those of Python open here', () => {
  const values = [
    credentials,
    '',
    'ключ 🔑',
    0,
    null,
    [],
    { deep: [{ a: [1.5, true] }] },
    'x'.repeat(100_000),
  ];
  const keys = { v1: key.toString('base64') };
  const open = (envelope: CredentialEnvelope): object => ({ do: 'open envelope', keys, envelope });
  const ours = values.map((value) => encryptCredentials(value, keyring));
  const forged = ours.map((envelope) => ({ ...envelope, iv: Buffer.alloc(12).toString('base64') }));
  const none = values.map(() => undefined);
  assert.deepEqual(inPython([...ours.map(open), ...forged.map(open)]), [...values, ...none]);

  const theirs = inPython(values.map((value) => ({ do: 'seal envelope', key: keys.v1, kid: 'v1', value })));
  assert.deepEqual(
    theirs.map((envelope) => decryptCredentials(envelope, keyring)),
    values,
  );
  assert(theirs.every(isEncrypted));
});
