import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from '../../../cli/doors/age/base64.ts';
import {
  identityText,
  newSecretKey,
  parseIdentity,
  parseSecretKey,
  recipientText,
} from '../../../cli/doors/age/identity.ts';
import { readStanza, stanzaText } from '../../../cli/doors/age/stanza.ts';
import { unwrapFileKey, wrapFileKey } from '../../../cli/doors/age/x25519.ts';
import type { Lines } from '../../../cli/input.ts';
import { newPrivateKey, publicKeyOf } from '../../../noise/x25519.ts';
import { parseReference } from '../../../protocol/names.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Lines out of bytes, as `openLines` gives them. */
function linesOf(bytes: Uint8Array): Lines {
  const lines = textOf(bytes).split('\n').slice(0, -1);
  return {
    next: () => {
      const line = lines.shift();
      return Promise.resolve(line === undefined ? undefined : new Uint8Array(ascii(line)));
    },
    close: () => undefined,
  };
}

describe('base64 without padding', () => {
  test('is that of Node, for every bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = encodeBase64(bytes);
        assert.equal(textOf(text), Buffer.from(bytes).toString('base64').replaceAll('=', ''));
        assert.deepEqual(decodeBase64(text), new Uint8Array(bytes));
      }),
    );
  });

  test('is read in its one form alone', () => {
    for (const text of ['A', 'AA==', 'AB', 'AAB', 'A A', 'AA\n', 'A_', 'é'])
      assert.equal(decodeBase64(ascii(text)), undefined, text);
  });
});

describe('a stanza', () => {
  const word = fc.stringMatching(/^[!-~]{1,30}$/);

  test('comes back as it was written, whatever its length', async () => {
    await fc.assert(
      fc.asyncProperty(
        word,
        fc.array(word, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 300 }),
        async (type, args, body) => {
          const text = stanzaText({ type, args, body });
          assert.ok(
            textOf(text)
              .split('\n')
              .slice(1)
              .every((line) => line.length <= 64),
          );
          const read = await readStanza(linesOf(text));
          assert.deepEqual(read, { type, args, body: new Uint8Array(body) });
        },
      ),
    );
  });

  test('has a last line that is not full, also after full ones', () => {
    assert.equal(textOf(stanzaText({ type: 'a', args: ['b'], body: new Uint8Array(0) })), '-> a b\n\n');
    assert.equal(
      textOf(stanzaText({ type: 'a', args: [], body: new Uint8Array(48) })),
      `-> a\n${'A'.repeat(64)}\n\n`,
    );
  });

  test('is refused where it is none, and never read beyond', async () => {
    for (const text of [
      'x\n\n',
      '->\n\n',
      '-> \n\n',
      '->  a\n\n',
      '-> a \n\n',
      '-> a',
      '-> a\nA\n',
      '-> a\nAAA=\n',
      `-> a\n${'A'.repeat(65)}\n`,
      '-> é\n\n',
      '-> a\n',
    ])
      await assert.rejects(
        readStanza(linesOf(ascii(text.endsWith('\n') ? text : `${text}\n`))),
        { code: 'BAD_REQUEST' },
        text,
      );
    assert.equal(await readStanza(linesOf(ascii(''))), undefined);
  });
});

describe('an identity in the vault', () => {
  const reference = parseReference('hush://work/ws:42/age-key');

  test('says where it is and what its public key is, and nothing of the key', () => {
    const { text, publicKey } = newSecretKey();
    const identity = identityText({ reference, publicKey });
    assert.match(identity, /^AGE-PLUGIN-HUSH-1[A-Z0-9]+$/);
    const back = parseIdentity(identity);
    assert.deepEqual(back.reference, reference);
    assert.deepEqual([...back.publicKey], [...publicKey]);
    assert.match(textOf(text), /^AGE-SECRET-KEY-1[A-Z0-9]{58}$/);
    assert.deepEqual(publicKeyOf(parseSecretKey(text)), publicKey);
    assert.match(recipientText(publicKey), /^age1[a-z0-9]{58}$/);
  });

  test('is read from a file of age-keygen too, with one key in it', () => {
    const one = textOf(newSecretKey().text);
    const another = textOf(newSecretKey().text);
    for (const file of [one, `${one}\n`, `# created: now\n# public key: age1…\r\n\n${one}\r\n`])
      assert.equal(parseSecretKey(ascii(file)).length, 32);
    for (const file of [
      '',
      '#\n',
      `${one}\n${another}\n`,
      one.slice(0, -1),
      ` ${one}`,
      recipientText(publicKeyOf(newPrivateKey())),
    ])
      assert.throws(
        () => parseSecretKey(ascii(file)),
        { code: 'BAD_REQUEST', message: /does not hold one/ },
        file,
      );
  });

  test('is refused where it is of another plugin, of a later form, or names no secret', () => {
    const { publicKey } = newSecretKey();
    const identity = identityText({ reference, publicKey });
    const lowOrder = identityText({ reference, publicKey: new Uint8Array(32) });
    for (const text of [
      '',
      'AGE-PLUGIN-YUBIKEY-1QQPQQ',
      identity.slice(0, -1),
      recipientText(publicKey),
      lowOrder,
    ])
      assert.throws(() => parseIdentity(text), { code: 'BAD_REQUEST' }, text);
  });
});

describe('an X25519 stanza', () => {
  test('opens with the key that it was wrapped for, and with no other', () => {
    const fileKey = Uint8Array.from({ length: 16 }, (_, at) => at);
    const [mine, other] = [newPrivateKey(), newPrivateKey()];
    const wrapped = wrapFileKey(fileKey, publicKeyOf(mine));
    assert.deepEqual(unwrapFileKey(wrapped, mine), fileKey);
    assert.equal(unwrapFileKey(wrapped, other), undefined);
    for (const changed of [
      { ...wrapped, body: wrapped.body.map((byte, at) => (at === 3 ? byte ^ 1 : byte)) },
      { ...wrapped, share: wrapped.share.map((byte) => byte ^ 1) },
    ])
      assert.equal(unwrapFileKey(changed, mine), undefined);
  });

  test('with a share of low order is nobody’s, and nobody wraps for such a key', () => {
    const zeros = new Uint8Array(32);
    assert.equal(unwrapFileKey({ share: zeros, body: new Uint8Array(32) }, newPrivateKey()), undefined);
    assert.throws(() => wrapFileKey(new Uint8Array(16), zeros), RangeError);
  });
});
