import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { readArmor, writeArmor } from '../../daemon/signing/armor.ts';
import { maxKeyText, readPrivateKey, writePrivateKey } from '../../daemon/signing/private-key.ts';
import { createSshReader, createSshWriter } from '../../daemon/signing/wire.ts';
import { HushError } from '../../protocol/errors.ts';
import { keygen, type KeyFile } from './keys.ts';

const arena = createSecureArena({ prefer: 'sodium_malloc' });
const files: Readonly<Record<string, KeyFile>> = {
  ed25519: keygen('-t ed25519', 'häßlich@host'),
  rsa: keygen('-t rsa -b 2048', ''),
};
const bytesOf = (text: string): Uint8Array => copyBytes(Buffer.from(text));

/** What reading a text ends with; whatever that is, nothing of it stays in the arena. */
function read(text: Uint8Array): { readonly comment: string; readonly type: string } | HushError {
  try {
    const key = readPrivateKey(text, arena);
    const { comment, numbers } = key;
    key.wipe();
    return { comment, type: numbers.type };
  } catch (error) {
    assert.ok(error instanceof HushError, String(error));
    assert.equal(error.code, 'BAD_REQUEST');
    assert.ok(error.hint !== '');
    return error;
  } finally {
    assert.equal(arena.used, 0);
  }
}

/** The bytes between the marks, with a change, armored again. */
function rearmored(file: KeyFile, change: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const inside = readArmor(file.text, arena);
  assert.ok(typeof inside !== 'string');
  const text = writeArmor(change(copyBytes(inside.bytes)), arena);
  const copy = copyBytes(text.bytes);
  text.wipe();
  inside.wipe();
  return copy;
}

describe('the text of a private key', () => {
  test('is read as ssh-keygen writes it, and written back byte for byte', () => {
    for (const { text, publicKey } of Object.values(files)) {
      const key = readPrivateKey(text, arena);
      assert.equal(Buffer.from(key.publicKey).toString('base64'), publicKey);
      // The check number stands before the private part: the magic, three short strings, the count, the public key, a length.
      const inside = readArmor(text, arena);
      assert.ok(typeof inside !== 'string');
      const at = 15 + 8 + 8 + 4 + 4 + 4 + key.publicKey.length + 4;
      const check = createSshReader(inside.bytes.subarray(at)).uint32() ?? 0;
      const written = writePrivateKey(key.numbers, key.comment, check, arena);
      const armored = writeArmor(written.bytes, arena);
      assert.deepEqual(Buffer.from(armored.bytes), Buffer.from(text));
      for (const each of [key, inside, written, armored]) each.wipe();
      assert.equal(arena.used, 0);
    }
  });

  test('keeps its comment, whatever the language', () => {
    const found = read(files['ed25519']?.text ?? new Uint8Array());
    assert.deepEqual(found, { comment: 'häßlich@host', type: 'ed25519' });
  });

  test('may have other line ends and blanks around it', () => {
    for (const { text } of Object.values(files)) {
      const plain = Buffer.from(text).toString();
      for (const other of [plain.replaceAll('\n', '\r\n'), `\n ${plain}\n\n`, plain.trimEnd()])
        assert.ok(!(read(bytesOf(other)) instanceof HushError));
    }
  });

  test('of another kind is refused by what it is', () => {
    const message = (text: Uint8Array): string => {
      const outcome = read(text);
      return outcome instanceof HushError ? outcome.message : 'was taken';
    };
    assert.match(message(keygen('-t ed25519', 'x', 'a passphrase').text), /a passphrase protects/);
    assert.match(message(keygen('-t ecdsa').text), /neither an Ed25519 nor an RSA key/);
    assert.match(message(keygen('-t rsa -b 1024').text), /RSA key of 1024 bits/);
    assert.match(message(keygen('-t rsa -b 2048 -m PEM').text), /another format/);
    assert.match(message(bytesOf('ssh-ed25519 AAAA')), /something else/);
    assert.match(message(new Uint8Array()), /something else/);
    assert.match(message(new Uint8Array(maxKeyText + 1)), /too large/);
  });

  test('with any byte of its text changed, added or gone is read as it was, or refused by name', () => {
    const file = fc.constantFrom(...Object.values(files));
    const at = fc.nat(1 << 16);
    const bytes = fc.uint8Array({ maxLength: 8 });
    fc.assert(
      fc.property(file, at, fc.nat(8), bytes, ({ text }, place, gone, added) => {
        const from = place % text.length;
        read(copyBytes(Buffer.concat([text.subarray(0, from), added, text.subarray(from + gone)])));
      }),
      { numRuns: 300 },
    );
  });

  test('with any byte between its marks changed, added or gone is read, or refused by name', () => {
    const file = fc.constantFrom(...Object.values(files));
    const at = fc.nat(1 << 16);
    const bytes = fc.uint8Array({ maxLength: 8 });
    fc.assert(
      fc.property(file, at, fc.nat(8), bytes, (one, place, gone, added) => {
        read(
          rearmored(one, (inside) => {
            const from = place % inside.length;
            return copyBytes(Buffer.concat([inside.subarray(0, from), added, inside.subarray(from + gone)]));
          }),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('is nothing but base64 with the right padding between its marks', () => {
    const { text } = keygen('-t ed25519');
    const lines = Buffer.from(text).toString().split('\n');
    for (const broken of ['!', 'A=A', '====', 'AAAAA'])
      assert.ok(read(bytesOf([lines[0], broken, ...lines.slice(1)].join('\n'))) instanceof HushError);
    assert.ok(read(bytesOf(`${lines.join('\n')}more`)) instanceof HushError);
    assert.ok(read(bytesOf(lines.slice(0, -2).join('\n'))) instanceof HushError);
  });
});

describe('any bytes', () => {
  test('armored and read again are the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const text = writeArmor(bytes, arena);
        const inside = readArmor(text.bytes, arena);
        assert.ok(typeof inside !== 'string');
        assert.deepEqual(Buffer.from(inside.bytes), Buffer.from(bytes));
        text.wipe();
        inside.wipe();
        assert.equal(arena.used, 0);
      }),
    );
  });

  test('as numbers and texts of RFC 4251 are read as they were written, and never beyond their end', () => {
    const number = fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .filter(([first]) => first !== undefined && first > 0);
    fc.assert(
      fc.property(number, fc.uint8Array(), fc.nat(), (magnitude, text, cut) => {
        const room = new Uint8Array(4096);
        const writer = createSshWriter(room);
        writer.positive(magnitude);
        writer.string(text);
        const whole = room.subarray(0, writer.written());
        const reader = createSshReader(whole);
        assert.deepEqual(reader.positive()?.slice(), magnitude);
        assert.deepEqual(reader.string()?.slice(), text);
        assert.equal(reader.left(), 0);
        const short = createSshReader(whole.subarray(0, cut % whole.length));
        assert.ok(short.positive() === undefined || short.string() === undefined);
      }),
    );
  });

  test('that are no positive number in its shortest form are none', () => {
    for (const hex of ['00000000', '0000000100', '00000001ff', '000000020001', '0000000380'])
      assert.equal(createSshReader(Buffer.from(hex, 'hex')).positive(), undefined, hex);
  });
});
