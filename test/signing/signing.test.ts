import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, randomBytes, verify, type JsonWebKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { readPrivateKey, writePrivateKey, type KeyNumbers } from '../../daemon/signing/private-key.ts';
import { writeArmor } from '../../daemon/signing/armor.ts';
import { createSigning, type SignatureAlgorithm } from '../../daemon/signing/signing.ts';
import { createTurns } from '../../daemon/signing/turns.ts';
import { createSshReader } from '../../daemon/signing/wire.ts';
import { keygen } from './keys.ts';

const arena = createSecureArena({ prefer: 'sodium_malloc' });
const signing = createSigning(arena);
const folder = mkdtempSync(join(tmpdir(), 'hushd-signing-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const ed25519 = keygen('-t ed25519');
const rsa = keygen('-t rsa -b 2048');
const hashes = { 'ssh-ed25519': null, 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' } as const;
const base64url = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('base64url');

/** Whether node:crypto takes a signature for one of the key on the wire, and of which kind it says it is. */
function verified(publicKey: Uint8Array, data: Uint8Array, wire: Uint8Array): SignatureAlgorithm | false {
  const reader = createSshReader(wire);
  // The names are those of `hashes`, or the look-up below fails the test.
  const algorithm = Buffer.from(reader.string() ?? []).toString() as SignatureAlgorithm;
  const signature = reader.string() ?? new Uint8Array();
  assert.equal(reader.left(), 0);
  const key = createSshReader(publicKey);
  const jwk: JsonWebKey =
    Buffer.from(key.string() ?? []).toString() === 'ssh-rsa'
      ? { kty: 'RSA', e: base64url(key.positive()), n: base64url(key.positive()) }
      : { kty: 'OKP', crv: 'Ed25519', x: base64url(key.string()) };
  const genuine = verify(hashes[algorithm], data, createPublicKey({ key: jwk, format: 'jwk' }), signature);
  return genuine && algorithm;
}

const sign = (text: Uint8Array, data: Uint8Array, algorithm?: SignatureAlgorithm): Promise<Uint8Array> =>
  Promise.resolve().then(() => signing.sign(() => copyBytes(text), data, algorithm));

/** A key with numbers changed, as its owner could store it. */
function withNumbers(text: Uint8Array, change: (numbers: KeyNumbers) => KeyNumbers): Uint8Array {
  const key = readPrivateKey(text, arena);
  const written = writePrivateKey(change(key.numbers), '', 1, arena);
  const armored = writeArmor(written.bytes, arena);
  const copy = copyBytes(armored.bytes);
  for (const each of [key, written, armored]) each.wipe();
  return copy;
}

describe('a signature', () => {
  test('is one that node:crypto takes, for any data, and nothing is left in the arena', async () => {
    const kind = fc.constantFrom(
      ...([
        { file: ed25519, algorithm: undefined, made: 'ssh-ed25519' },
        { file: ed25519, algorithm: 'ssh-ed25519', made: 'ssh-ed25519' },
        { file: rsa, algorithm: undefined, made: 'rsa-sha2-512' },
        { file: rsa, algorithm: 'rsa-sha2-512', made: 'rsa-sha2-512' },
        { file: rsa, algorithm: 'rsa-sha2-256', made: 'rsa-sha2-256' },
      ] as const),
    );
    await fc.assert(
      fc.asyncProperty(kind, fc.uint8Array({ maxLength: 300 }), async ({ file, algorithm, made }, data) => {
        const given = copyBytes(data);
        const making = sign(file.text, given, algorithm);
        await Promise.resolve();
        // A request's memory is used again once its handler has returned.
        if (file === rsa) given.fill(0);
        assert.equal(verified(Buffer.from(file.publicKey, 'base64'), data, await making), made);
        assert.equal(arena.used, 0);
      }),
      { numRuns: 40 },
    );
  });

  test('wipes the value that it was given', async () => {
    for (const { text } of [ed25519, rsa]) {
      const given: Uint8Array[] = [];
      await signing.sign(
        () => {
          const value = copyBytes(text);
          given.push(value);
          return value;
        },
        new Uint8Array(3),
        undefined,
      );
      assert.ok(given.length > 0 && given.every((value) => value.every((byte) => byte === 0)));
    }
  });

  test('of a kind that the key does not make is refused', async () => {
    const data = new Uint8Array(3);
    await assert.rejects(sign(rsa.text, data, 'ssh-ed25519'), { code: 'BAD_REQUEST' });
    await assert.rejects(sign(ed25519.text, data, 'rsa-sha2-256'), { code: 'BAD_REQUEST' });
    await assert.rejects(sign(Buffer.from('no key'), data), { code: 'BAD_REQUEST' });
    assert.equal(arena.used, 0);
  });

  test('is never made with numbers that do not belong together', async () => {
    const rsaNumber = (name: 'd' | 'p' | 'q' | 'iqmp') =>
      withNumbers(rsa.text, (numbers) => {
        assert.ok(numbers.type === 'rsa');
        const changed = copyBytes(numbers[name]);
        changed[changed.length - 2] = (changed.at(-2) ?? 0) ^ 1;
        return { ...numbers, [name]: changed };
      });
    for (const name of ['d', 'p', 'q'] as const)
      await assert.rejects(sign(rsaNumber(name), new Uint8Array(3)), { code: 'BAD_REQUEST' }, name);
    // OpenSSL sees that the shortcut went wrong, and takes the long way: the factors are not told.
    const data = randomBytes(20);
    const long = await sign(rsaNumber('iqmp'), data);
    assert.equal(verified(Buffer.from(rsa.publicKey, 'base64'), data, long), 'rsa-sha2-512');

    const foreign = withNumbers(ed25519.text, (numbers) => {
      assert.ok(numbers.type === 'ed25519');
      return { ...numbers, point: copyBytes(randomBytes(32)) };
    });
    await assert.rejects(sign(foreign, data), { code: 'BAD_REQUEST' });
    assert.equal(arena.used, 0);
  });

  test('with RSA waits for its turn, and too many that wait are refused with a time to try again', async () => {
    const turns = createTurns(2);
    const order: string[] = [];
    const first = turns.take(() => order.push('first'));
    const second = turns.take(() => {
      order.push('second');
      throw new RangeError('the work failed');
    });
    await assert.rejects(
      turns.take(() => undefined),
      { code: 'RATE_LIMITED', retryAfterMs: 100 },
    );
    setImmediate(() => order.push('somebody else'));
    await first;
    await assert.rejects(second, RangeError);
    assert.deepEqual(order, ['first', 'somebody else', 'second']);
    assert.equal(await turns.take(() => 'later'), 'later');
  });
});

describe('a key that is made', () => {
  for (const [type, bits, told] of [
    ['ed25519', 0, '256 SHA256:'],
    ['rsa', 2048, '2048 SHA256:'],
  ] as const) {
    test(`of type ${type} is one that ssh-keygen reads, and signs`, async () => {
      const { secret, publicKey, comment } = await signing.generate({ type, bits, comment: 'für hier' });
      const text = copyBytes(secret.bytes);
      secret.wipe();
      assert.equal(arena.used, 0);
      const file = join(folder, type);
      writeFileSync(file, text, { mode: 0o600 });
      const line = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim();
      assert.equal(line.split(' ')[1], Buffer.from(publicKey).toString('base64'));
      assert.ok(line.endsWith(comment));
      assert.ok(execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' }).startsWith(told));
      assert.deepEqual(
        { ...signing.publicHalf(copyBytes(text)), publicKey: undefined },
        {
          type,
          comment,
          publicKey: undefined,
        },
      );
      const data = randomBytes(100);
      assert.ok(verified(publicKey, data, await sign(text, data)));
    });
  }

  test('with RSA is made one at a time', async () => {
    const plan = { type: 'rsa', bits: 2048, comment: '' } as const;
    const first = signing.generate(plan);
    await assert.rejects(signing.generate(plan), { code: 'RATE_LIMITED' });
    (await first).secret.wipe();
  });

  test('where OpenSSL cannot be called is not made, and does not sign, rather than leave copies', async () => {
    const without = createSigning(arena, null);
    const plan = { type: 'rsa', bits: 2048, comment: '' } as const;
    await assert.rejects(without.generate(plan), { code: 'UNAVAILABLE' });
    await assert.rejects(
      Promise.resolve().then(() => without.sign(() => copyBytes(rsa.text), new Uint8Array(1), undefined)),
      { code: 'UNAVAILABLE' },
    );
    assert.equal(arena.used, 0);
  });
});
