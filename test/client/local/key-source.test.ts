import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { HushError, LocalCryptoProvider } from '../../../client/index.ts';
import { coded } from '../coded.ts';

const folder = mkdtempSync(join(tmpdir(), 'hush-local-key-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const key = Buffer.from(Uint8Array.from({ length: 32 }, (_, index) => 7 * index));
const { kmsKeyId } = new LocalCryptoProvider({ key });
const fromEnv = (env: Record<string, string>): string => new LocalCryptoProvider({ env }).kmsKeyId;

let files = 0;
const fileOf = (text: string, mode = 0o600): string => {
  const path = join(folder, `key-${String(files++)}`);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
};

describe('the key in OS_SECRET_KEY', () => {
  test('is 64 hex digits or the base64 of 32 bytes', () => {
    const hex = key.toString('hex');
    const base64 = key.toString('base64');
    for (const text of [hex, hex.toUpperCase(), base64, base64.replace('=', '')]) {
      assert.equal(fromEnv({ OS_SECRET_KEY: text }), kmsKeyId);
    }
  });

  test('is refused by name when it is short, long, no hex, no base64, or empty, and is not told', () => {
    const hex = key.toString('hex');
    const texts = ['', ' ', 'hunter2', hex.slice(1), `${hex}00`, `${hex.slice(2)}zz`, ` ${hex}`, `${hex}\n`];
    for (const size of [16, 31, 33, 48, 64]) texts.push(Buffer.alloc(size, 7).toString('base64'));
    for (const text of texts) {
      assert.throws(
        () => fromEnv({ OS_SECRET_KEY: text }),
        (error: unknown) => {
          assert(error instanceof HushError);
          assert(text.trim() === '' || !(error.message + error.hint).includes(text));
          return coded('BAD_REQUEST', /^OS_SECRET_KEY is not a key/)(error);
        },
      );
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (text) => {
        assert.throws(() => fromEnv({ OS_SECRET_KEY: text }), coded('BAD_REQUEST'));
      }),
    );
  });

  test('must not compete with a key file', () => {
    const env = { OS_SECRET_KEY: key.toString('hex'), OS_SECRET_KEY_FILE: fileOf(key.toString('hex')) };
    assert.throws(() => fromEnv(env), coded('BAD_REQUEST', /both set/));
  });
});

describe('a key file', () => {
  test('holds the key as text, with one line end at most', () => {
    for (const text of [key.toString('hex'), key.toString('base64')]) {
      for (const end of ['', '\n', '\r\n']) {
        const path = fileOf(`${text}${end}`);
        assert.equal(fromEnv({ OS_SECRET_KEY_FILE: path }), kmsKeyId);
        assert.equal(new LocalCryptoProvider({ keyFile: path }).kmsKeyId, kmsKeyId);
      }
    }
  });

  test('that is missing, empty, malformed or a folder is an error, and nothing is put in its place', () => {
    const missing = join(folder, 'missing');
    for (const OS_SECRET_KEY_FILE of ['', missing]) {
      assert.throws(() => fromEnv({ OS_SECRET_KEY_FILE }), coded('BAD_REQUEST', /does not exist/));
    }
    const hex = key.toString('hex');
    for (const text of ['', '\n', 'hunter2\n', `${hex}\n\n`, `${hex}0`, hex.slice(2), 'x'.repeat(100_000)]) {
      assert.throws(
        () => fromEnv({ OS_SECRET_KEY_FILE: fileOf(text) }),
        coded('BAD_REQUEST', /is not a key/),
      );
    }
    const directory = join(folder, 'directory');
    mkdirSync(directory, { mode: 0o700 });
    assert.throws(() => fromEnv({ OS_SECRET_KEY_FILE: directory }), coded('UNSAFE_MODE', /regular file/));
    assert.throws(() => fromEnv({ OS_SECRET_KEY_FILE: missing }), coded('BAD_REQUEST', /does not exist/));
  });

  test('A14: that others can reach, or that is a link, is refused with the command that mends it', () => {
    for (const mode of [0o640, 0o604, 0o660, 0o644]) {
      const path = fileOf(key.toString('hex'), mode);
      assert.throws(
        () => fromEnv({ OS_SECRET_KEY_FILE: path }),
        (error: HushError) => {
          assert.equal(error.hint, `chmod 600 ${path}`);
          return coded('UNSAFE_MODE')(error);
        },
      );
    }
    const path = fileOf(key.toString('hex'));
    symlinkSync(path, join(folder, 'symbolic'));
    assert.throws(
      () => fromEnv({ OS_SECRET_KEY_FILE: join(folder, 'symbolic') }),
      coded('UNSAFE_MODE', /link/),
    );
    linkSync(path, join(folder, 'hard'));
    assert.throws(() => fromEnv({ OS_SECRET_KEY_FILE: path }), coded('UNSAFE_MODE', /second name/));
  });
});
