import assert from 'node:assert/strict';
import {
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

import fc from 'fast-check';

import { readCredential, readKeyFile } from '../../daemon/key-file.ts';
import { parseMasterKey } from '../../protocol/master-key-text.ts';
import { findMasterKey, takeMasterKey } from '../../daemon/master-key.ts';
import { newBytes } from '../../daemon/memory/plain-bytes.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { pipe } from '../../native/descriptors.ts';

const folder = mkdtempSync(join(tmpdir(), 'hushd-key-'));
after(() => rmSync(folder, { recursive: true }));

const arena = createSecureArena();
const hex = (byte: string): string => byte.repeat(32);
const keyOf = (text: string): string => {
  const key = newBytes(32);
  parseMasterKey(new TextEncoder().encode(text), key, 'the text');
  return Buffer.from(key).toString('hex');
};
const noKey = {
  code: 'BAD_REQUEST',
  message: 'the text is not a key: it does not stand for exactly 32 bytes',
};

describe('the text of a master key', () => {
  test('is 64 hex digits or the base64 of 32 bytes, padded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const expected = Buffer.from(bytes).toString('hex');
        const base64 = Buffer.from(bytes).toString('base64');
        for (const text of [expected, expected.toUpperCase(), base64, base64.replace('=', '')]) {
          assert.equal(keyOf(text), expected);
        }
      }),
    );
  });

  test('is nothing of another length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        fc.pre(bytes.length !== 32);
        const base64 = Buffer.from(bytes).toString('base64');
        const texts = [Buffer.from(bytes).toString('hex'), base64, base64.replace(/=+$/, '')];
        for (const text of texts.filter(({ length }) => length !== 64 && length !== 43)) {
          assert.throws(() => keyOf(text), noKey);
        }
      }),
    );
  });

  test('is accepted only where its own spelling comes back', () => {
    const alphabet = fc.constantFrom(...Array.from('ABCDEFabcdef0123456789+/=-_ \n\u00e9'));
    fc.assert(
      fc.property(fc.string({ unit: alphabet, minLength: 43, maxLength: 64 }), (text) => {
        const isHex = /^[0-9a-f]{64}$/i.test(text);
        const isBase64 =
          Buffer.from(text, 'base64').toString('base64').replace('=', '') === text.replace(/=$/, '');
        if (isHex || (isBase64 && text.replace('=', '').length === 43)) keyOf(text);
        else assert.throws(() => keyOf(text), noKey);
      }),
    );
  });

  test('is not taken with blanks around it, in the URL alphabet, with bits left over, or as raw bytes', () => {
    const base64 = Buffer.alloc(32, 0xff).toString('base64');
    const texts = [
      ` ${hex('ab')}`,
      `${hex('ab')}\n`,
      base64.replaceAll('/', '_'),
      base64.replace(/.=$/, '9='),
      '',
    ];
    for (const text of [
      ...texts,
      'x'.repeat(32),
      `${hex('ab').slice(0, 63)}g`,
      `${base64}=`,
      `0x${hex('ab')}`,
    ]) {
      assert.throws(() => keyOf(text), noKey, text);
    }
  });

  test('leaves nothing of a refused key', () => {
    const key = newBytes(32).fill(1);
    assert.throws(() => parseMasterKey(new TextEncoder().encode(`${hex('ab').slice(0, 63)}g`), key, 'x'));
    assert.ok(key.every((byte) => byte === 0));
  });
});

describe('a key file', () => {
  const write = (name: string, text: string, mode = 0o600): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode });
    return path;
  };
  const read = (path: string): string => {
    const key = readKeyFile(path, arena);
    try {
      return Buffer.from(key.bytes).toString('hex');
    } finally {
      key.wipe();
    }
  };

  test('holds the text of a key, with at most one line end', () => {
    for (const [index, end] of ['', '\n', '\r\n'].entries()) {
      assert.equal(read(write(`end-${index}`, `${hex('ab')}${end}`)), hex('ab'));
    }
    for (const [index, text] of [`${hex('ab')}\n\n`, '', '\n', `${hex('ab')} `, 'x'.repeat(9999)].entries()) {
      assert.throws(() => read(write(`bad-${index}`, text)), {
        code: 'BAD_REQUEST',
        message: /^the key file /,
      });
    }
    assert.equal(arena.used, 0);
  });

  test('that is not there is an error, and no key is made up', () => {
    assert.throws(() => read(join(folder, 'nowhere')), { code: 'BAD_REQUEST', message: /does not exist$/ });
  });

  test('A14: is refused when others can reach it, with the mending command', () => {
    const key = hex('ab');
    const loose = write("it's loose", key, 0o640);
    assert.throws(() => read(loose), { code: 'UNSAFE_MODE', hint: `chmod 600 '${folder}/it'\\''s loose'` });
    const linked = write('linked', key);
    linkSync(linked, join(folder, 'second-name'));
    assert.throws(() => read(linked), { code: 'UNSAFE_MODE', message: /second name/ });
    const link = join(folder, 'link');
    symlinkSync('end-0', link);
    assert.throws(() => read(link), { code: 'UNSAFE_MODE', message: /symbolic link/ });
    assert.throws(() => read(folder), { code: 'UNSAFE_MODE', message: /not a regular file/ });
    assert.equal(arena.used, 0);
  });

  test('as a systemd credential may be readable for its group, and may be missing', () => {
    const env = { CREDENTIALS_DIRECTORY: folder };
    assert.equal(readCredential({}, arena), undefined);
    assert.equal(readCredential(env, arena), undefined);
    const path = write('hushd-master-key', hex('cd'), 0o440);
    const key = readCredential(env, arena);
    assert.equal(Buffer.from(key?.bytes ?? []).toString('hex'), hex('cd'));
    key?.wipe();
    rmSync(path);
    write('hushd-master-key', hex('cd'), 0o444);
    assert.throws(() => readCredential(env, arena), { code: 'UNSAFE_MODE' });
    rmSync(path);
    assert.equal(arena.used, 0);
  });
});

describe('the key from the environment', () => {
  const fresh = createSecureArena();
  const pipeWith = (bytes: Uint8Array): NodeJS.ProcessEnv => {
    const { readEnd, writeEnd } = pipe();
    writeSync(writeEnd, bytes);
    closeSync(writeEnd);
    return { HUSHD_KEY_FD: String(readEnd) };
  };

  test('is taken once', () => {
    const env = pipeWith(Buffer.alloc(32, 7));
    const key = takeMasterKey(env, fresh);
    assert.ok(key?.bytes.every((byte) => byte === 7));
    assert.equal(takeMasterKey(env, fresh), undefined);
    key?.wipe();
  });

  test('is an error when the descriptor holds no key or is none of the bootstrap', () => {
    const file = openSync('/dev/null', 'r');
    const environments = [31, 33, 0].map((length) => pipeWith(Buffer.alloc(length)));
    for (const env of [
      ...environments,
      { HUSHD_KEY_FD: String(file) },
      { HUSHD_KEY_FD: 'x' },
      { HUSHD_KEY_FD: '999' },
    ]) {
      assert.throws(() => takeMasterKey(env, fresh), { code: 'UNAVAILABLE' });
    }
    assert.equal(fresh.used, 0);
    closeSync(file);
  });

  test('comes after the key file and the credential, and is taken out of the environment in any case', () => {
    const keyFile = join(folder, 'first');
    writeFileSync(keyFile, hex('01'), { mode: 0o600 });
    writeFileSync(join(folder, 'hushd-master-key'), hex('02'), { mode: 0o600 });
    const search = (places: { keyFile?: string; credential?: boolean }) => {
      const env = pipeWith(Buffer.alloc(32, 3));
      if (places.credential) env['CREDENTIALS_DIRECTORY'] = folder;
      const found = findMasterKey({ keyFile: places.keyFile, env }, fresh);
      const result = [found?.source, found?.key.bytes[0]];
      found?.key.wipe();
      assert.equal(env['HUSHD_KEY_FD'], undefined);
      assert.equal(fresh.used, 0);
      return result;
    };
    assert.deepEqual(search({ keyFile, credential: true }), ['key-file', 1]);
    assert.deepEqual(search({ credential: true }), ['credential', 2]);
    assert.deepEqual(search({}), ['environment', 3]);
    assert.throws(() => search({ keyFile: join(folder, 'nowhere') }), { code: 'BAD_REQUEST' });
    assert.equal(fresh.used, 0);
    assert.equal(findMasterKey({ env: {} }, fresh), undefined);
  });
});
