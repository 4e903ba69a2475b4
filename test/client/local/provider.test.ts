import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { ICryptoProvider as PlatformProvider } from '@objectstack/spec/contracts';
import { LocalCryptoProvider as PlatformsOwn } from '@objectstack/service-settings';
import fc from 'fast-check';
import { HushError, LocalCryptoProvider, NoStableKeyError } from '../../../client/index.ts';
import type { CryptoContext, CryptoHandle } from '../../../client/index.ts';
import { createAesGcm } from '../../../daemon/keys/aes-gcm.ts';
import { parseSealedHandle } from '../../../daemon/keys/sealed.ts';
import { deriveLocalKey, isLocalHandle, openLocalHandle } from '../../../protocol/local-handle.ts';
import { inPython } from '../../support/sealed-values.ts';
import { coded } from '../coded.ts';
import { nobleGcm } from './noble-gcm.ts';

const mail: CryptoContext = { namespace: 'mail', key: 'token' };
const key = Uint8Array.from({ length: 32 }, (_, index) => index);
const otherKey = Uint8Array.from({ length: 32 }, (_, index) => 100 + index);
const provider = new LocalCryptoProvider({ key });
const other = new LocalCryptoProvider({ key: otherKey });

/** A handle as the daemon seals it, from docs/formats.md. */
const ofDaemon: CryptoHandle = {
  id: 'sec_000102030405060708090a0b0c0d0e0f',
  kmsKeyId: 'hush:00112233445566778899aabbccddeeff:default:v2',
  alg: 'aes-256-gcm',
  version: 5,
  ciphertext: 'AgEAAAACAAAABQAFYWNtw6kh+jTsoNDbgz0puC3DPNScmspQYjmeXo1bgQCNUX8b2F6lRg==',
};

const flipped = (ciphertext: string, bit: number): string => {
  const bytes = Buffer.from(ciphertext, 'base64');
  const at = Math.floor(bit / 8) % bytes.length;
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit % 8)), at);
  return bytes.toString('base64');
};

describe('the local crypto provider', () => {
  test('has the type that the platform publishes, and handles that its columns hold', async () => {
    const platformProvider: PlatformProvider = provider;
    const handle = await platformProvider.encrypt('value', mail);
    assert.deepEqual(Object.keys(handle).sort(), ['alg', 'ciphertext', 'id', 'kmsKeyId', 'version']);
    assert.match(handle.id, /^sec_[0-9a-f]{32}$/);
    assert.match(handle.kmsKeyId, /^local:[0-9a-f]{16}$/);
    assert.deepEqual({ alg: handle.alg, version: handle.version }, { alg: 'aes-256-gcm', version: 1 });
    assert.equal(handle.kmsKeyId, provider.kmsKeyId);
    assert.notEqual((await provider.encrypt('value', mail)).ciphertext, handle.ciphertext);
  });

  test('gives back every string as it was: empty, JSON, a megabyte, any Unicode', async () => {
    for (const plain of ['', '{"a":1}', '\uFEFFmark', 'ключ 🔑 \0', 'x'.repeat(1_048_576)]) {
      assert.equal(await provider.decrypt(await provider.encrypt(plain, mail), mail), plain);
    }
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 300 }),
        word,
        word,
        fc.option(word, { nil: undefined }),
        async (plain, namespace, name, tenantId) => {
          const place = { namespace, key: name };
          const handle = await provider.encrypt(plain, { ...place, ...(tenantId && { tenantId }) });
          assert.equal(await provider.decrypt(handle, place), plain);
          const same = new LocalCryptoProvider({ key });
          assert.equal(await same.decrypt(handle, place), plain, 'on another node with the same key');
        },
      ),
    );
  });

  test('B9: another key is told as a wrong key, by the ids of both keys', async () => {
    const handle = await provider.encrypt('value', mail);
    const ids = [provider.kmsKeyId.slice(6), other.kmsKeyId.slice(6)];
    for (const call of [other.decrypt(handle, mail), other.rotateKey(handle, mail)]) {
      await assert.rejects(call, coded('WRONG_KEY', new RegExp(`${ids.join('.*')}$`)));
    }
    assert.equal(await provider.decrypt(handle, mail), 'value');
  });

  test('a handle with any bit changed, cut short, or with bytes behind it is refused', async () => {
    const handle = await provider.encrypt('value', { ...mail, tenantId: 't1' });
    const size = Buffer.from(handle.ciphertext, 'base64').length;
    for (let bit = 0; bit < size * 8; bit += 1) {
      const changed = { ...handle, ciphertext: flipped(handle.ciphertext, bit) };
      await assert.rejects(provider.decrypt(changed, mail), ({ code }: HushError) =>
        ['INTEGRITY', 'WRONG_KEY'].includes(code),
      );
    }
    const bytes = Buffer.from(handle.ciphertext, 'base64');
    for (let length = 0; length < size; length += 1) {
      const ciphertext = bytes.toString('base64', 0, length);
      await assert.rejects(provider.decrypt({ ...handle, ciphertext }, mail), HushError);
    }
    const longer = Buffer.concat([bytes, Buffer.of(0)]).toString('base64');
    for (const ciphertext of [longer, `${handle.ciphertext}=`, ` ${handle.ciphertext}`, 'no base64!']) {
      await assert.rejects(provider.decrypt({ ...handle, ciphertext }, mail), coded('INTEGRITY'));
    }
  });

  test('opens only in its namespace, key and tenant, and under its own id', async () => {
    const handle = await provider.encrypt('value', { ...mail, tenantId: 't1' });
    const twin = await provider.encrypt('another', { ...mail, tenantId: 't1' });
    const wrong: readonly (readonly [CryptoHandle, CryptoContext])[] = [
      [handle, { ...mail, namespace: 'sms' }],
      [handle, { ...mail, key: 'user' }],
      [handle, { namespace: 'mai', key: 'ltoken' }],
      [handle, { ...mail, tenantId: 't2' }],
      [{ ...handle, id: twin.id }, mail],
      [{ ...handle, ciphertext: twin.ciphertext }, mail],
    ];
    for (const [given, place] of wrong) {
      await assert.rejects(provider.decrypt(given, place), coded('INTEGRITY', /^hushd: /));
      await assert.rejects(provider.rotateKey(given, place), coded('INTEGRITY'));
    }
    const withoutTenant = await provider.encrypt('value', mail);
    await assert.rejects(provider.decrypt(withoutTenant, { ...mail, tenantId: 't1' }), coded('INTEGRITY'));
    assert.equal(await provider.decrypt(handle, { ...mail, tenantId: 't1' }), 'value');
    assert.equal(await provider.decrypt({ ...handle, kmsKeyId: 'hush:hint', version: 9 }, mail), 'value');
  });

  test('rotates to the same id and tenant and the next version, and the old handle still opens', async () => {
    const handle = await provider.encrypt('value', { ...mail, tenantId: 't1' });
    const next = await provider.rotateKey({ ...handle, version: 4 }, mail);
    assert.deepEqual([next.id, next.version, next.kmsKeyId], [handle.id, 5, handle.kmsKeyId]);
    assert.equal((await provider.rotateKey({ ...next, version: 1 }, mail)).version, 6);
    for (const one of [handle, next]) {
      assert.equal(await provider.decrypt(one, { ...mail, tenantId: 't1' }), 'value');
    }
    const last = await provider.rotateKey({ ...handle, version: 0xffff_fffe }, mail);
    await assert.rejects(provider.rotateKey(last, mail), coded('BAD_REQUEST', /no version left/));
  });

  test('has a digest that is keyed, stable, and never throws', () => {
    const digestKey = hkdfSync('sha256', key, '', 'hushd v1 local digest key, HMAC-SHA-256', 32);
    const expected = createHmac('sha256', Buffer.from(digestKey)).update('value').digest('hex');
    assert.equal(provider.digest('value'), expected);
    assert.equal(new LocalCryptoProvider({ key }).digest('value'), expected);
    assert.notEqual(other.digest('value'), expected);
    assert.match(provider.digest('\uD800'), /^[0-9a-f]{64}$/);
  });

  test('refuses by name what could not be stored or would not come back', async () => {
    await assert.rejects(provider.encrypt('\uD800', mail), coded('BAD_REQUEST', /hushd: the plaintext/));
    await assert.rejects(
      provider.encrypt('v', { ...mail, namespace: 'n'.repeat(129) }),
      coded('BAD_REQUEST', /namespace/),
    );
    const handle = await provider.encrypt('v', mail);
    await assert.rejects(
      provider.decrypt({ ...handle, version: 0 }, mail),
      coded('BAD_REQUEST', /handle\.version/),
    );
    // @ts-expect-error: what JavaScript callers may pass
    await assert.rejects(provider.decrypt(null, mail), coded('BAD_REQUEST', /no handle/));
    // @ts-expect-error: what JavaScript callers may pass
    await assert.rejects(provider.decrypt({ ...handle, ciphertext: 1 }, mail), coded('BAD_REQUEST'));
    // @ts-expect-error: what JavaScript callers may pass
    await assert.rejects(provider.encrypt('v', undefined), coded('BAD_REQUEST'));
  });

  test('shows its key in no error and to no inspection, and drops it when it is closed', async () => {
    const closing = new LocalCryptoProvider({ key: Uint8Array.from(key) });
    const handle = await closing.encrypt('hunter2', mail);
    const digest = closing.digest('value');
    closing.close();
    await assert.rejects(closing.decrypt(handle, mail), coded('UNAVAILABLE', /closed/));
    await assert.rejects(closing.encrypt('hunter2', mail), coded('UNAVAILABLE', /closed/));
    assert.equal(closing.digest('value'), digest);
    assert.equal(await provider.decrypt(handle, mail), 'hunter2');
    const shown = inspect(provider, { depth: 9, showHidden: true }) + JSON.stringify(provider);
    assert.doesNotMatch(shown, /0, ?1, ?2, ?3|00 ?01 ?02|AAECAw/);
  });
});

describe('the handles of the two providers', () => {
  test('tell each other apart, and no format of one is a format of the other', async () => {
    const handle = await provider.encrypt('value', mail);
    assert(isLocalHandle(handle) && isLocalHandle({ ...handle, kmsKeyId: 'hush:hint' }));
    assert(!isLocalHandle(ofDaemon) && !isLocalHandle({ ...ofDaemon, kmsKeyId: 'local:v1' }));
    assert.throws(() => parseSealedHandle(handle.ciphertext), coded('INTEGRITY'));
  });

  test('a handle of the daemon is refused by name, and the error names the way on', async () => {
    for (const call of [provider.decrypt(ofDaemon, mail), provider.rotateKey(ofDaemon, mail)]) {
      await assert.rejects(call, (error: HushError) => {
        assert.match(error.hint, /HUSH_SOCKET.*hush keys adopt/);
        return coded('WRONG_KEY', /sealed by the daemon/)(error);
      });
    }
  });
});

describe("what the platform's own provider sealed under the same key", () => {
  const platforms = new PlatformsOwn({ key: Buffer.from(key) });

  test('opens, and rotates to a handle that is bound to its id', async () => {
    const old = await platforms.encrypt('value', mail);
    assert.equal(old.kmsKeyId, 'local:v1');
    assert(isLocalHandle(old));
    assert.equal(await provider.decrypt(old, mail), 'value');
    assert.equal(await provider.decrypt({ ...old, kmsKeyId: 'hush:hint' }, mail), 'value');
    const twice = await platforms.rotateKey(old, mail);
    assert.deepEqual([twice.kmsKeyId, await provider.decrypt(twice, mail)], ['local:v2', 'value']);

    const next = await provider.rotateKey(twice, { ...mail, tenantId: 't1' });
    assert.deepEqual([next.id, next.version, next.kmsKeyId], [old.id, 3, provider.kmsKeyId]);
    assert.equal(await provider.decrypt(next, { ...mail, tenantId: 't1' }), 'value');
    await assert.rejects(provider.decrypt({ ...next, id: 'sec_other' }, mail), coded('INTEGRITY'));
  });

  test('is refused in another place, under another key, or changed', async () => {
    const old = await platforms.encrypt('value', mail);
    await assert.rejects(provider.decrypt(old, { ...mail, key: 'user' }), coded('INTEGRITY'));
    await assert.rejects(other.decrypt(old, mail), coded('INTEGRITY', /another key/));
    for (let bit = 0; bit < Buffer.from(old.ciphertext, 'base64').length * 8; bit += 7) {
      const changed = { ...old, ciphertext: flipped(old.ciphertext, bit) };
      await assert.rejects(provider.decrypt(changed, mail), coded('INTEGRITY'));
    }
  });
});

describe('local handles and other implementations', () => {
  test("open by the daemon's cipher and by another library, given the key", async () => {
    const handle = await provider.encrypt('value', { ...mail, tenantId: 't1' });
    for (const gcmOf of [createAesGcm, nobleGcm]) {
      const opened = openLocalHandle(deriveLocalKey(key, gcmOf), handle, mail);
      assert.deepEqual(
        { ...opened, plaintext: Buffer.from(opened.plaintext).toString() },
        { plaintext: 'value', tenant: 't1', revision: 1 },
      );
    }
  });

  test('ours open in Python, and those of Python open here', async () => {
    const secret = Buffer.from(key).toString('hex');
    const plains = ['', 'value', 'ключ 🔑', 'x'.repeat(10_000)];
    const ours = await Promise.all(
      plains.map((plain) => provider.encrypt(plain, { ...mail, tenantId: 'acmé' })),
    );
    const open = (handle: CryptoHandle, ctx = mail): object => ({
      do: 'open handle',
      secret,
      handle,
      ...ctx,
    });
    const elsewhere = ours.map((handle) => open(handle, { ...mail, key: 'other' }));
    const refused = plains.map(() => undefined);
    assert.deepEqual(inPython([...ours.map((handle) => open(handle)), ...elsewhere]), [
      ...plains,
      ...refused,
    ]);

    const theirs = inPython(
      plains.map((plain, index) => ({
        do: 'seal handle',
        secret,
        id: `sec_${String(index).padStart(32, '0')}`,
        ...mail,
        tenant: 'acmé',
        plain,
      })),
    );
    for (const [index, plain] of plains.entries()) {
      // The program writes handles.
      const handle = theirs[index] as CryptoHandle;
      assert.equal(await provider.decrypt(handle, { ...mail, tenantId: 'acmé' }), plain);
    }
  });
});

describe('the key of a local provider', () => {
  test('has 32 bytes, from one place only', () => {
    for (const length of [0, 16, 31, 33, 64]) {
      assert.throws(
        () => new LocalCryptoProvider({ key: new Uint8Array(length) }),
        coded('BAD_REQUEST', /exactly 32 bytes/),
      );
    }
    assert.throws(
      () => new LocalCryptoProvider({ key, keyFile: '/nowhere' }),
      coded('BAD_REQUEST', /not more/),
    );
    assert.throws(
      () => new LocalCryptoProvider({ key, ephemeralKeyForTests: true }),
      coded('BAD_REQUEST', /not more/),
    );
  });

  test('is never made up, and the error gives the three ways out', () => {
    for (const env of [{}, { NODE_ENV: 'production' }, { NODE_ENV: 'development', HOME: '/nowhere' }]) {
      assert.throws(
        () => new LocalCryptoProvider({ env }),
        (error: unknown) => {
          assert(error instanceof NoStableKeyError && error instanceof HushError);
          assert.equal(error.name, 'NoStableKeyError');
          for (const way of ['HUSH_SOCKET', 'OS_SECRET_KEY', 'OS_SECRET_KEY_FILE'])
            assert(error.message.includes(way), way);
          return coded('NO_STABLE_KEY', /hushd never makes one up/)(error);
        },
      );
    }
  });

  test('is random and gone with the process only when a test says so, and not in production', async () => {
    const one = new LocalCryptoProvider({ env: {}, ephemeralKeyForTests: true });
    const two = new LocalCryptoProvider({ env: {}, ephemeralKeyForTests: true });
    const handle = await one.encrypt('value', mail);
    assert.equal(await one.decrypt(handle, mail), 'value');
    await assert.rejects(two.decrypt(handle, mail), coded('WRONG_KEY'));
    const env = { NODE_ENV: 'production' };
    assert.throws(
      () => new LocalCryptoProvider({ env, ephemeralKeyForTests: true }),
      coded('NO_STABLE_KEY', /NODE_ENV is production/),
    );
  });
});
