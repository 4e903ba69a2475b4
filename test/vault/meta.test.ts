import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import fc from 'fast-check';
import { z } from 'zod';

import { createNonceSource } from '../../daemon/keys/nonce.ts';
import { createAesGcm } from '../../daemon/keys/aes-gcm.ts';
import type { Dek } from '../../daemon/keys/dek-index.ts';
import { createSealer } from '../../daemon/keys/sealed.ts';
import { newBytes } from '../../daemon/memory/plain-bytes.ts';
import { metaFrom, nameFrom, openMeta, sealMeta, type Meta } from '../../daemon/vault/meta.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const vector = z.object({ vector: z.literal('meta'), format1: z.string(), format2: z.string() });
const given = [...page.matchAll(/^```json\n(.*?)^```$/gms)].flatMap(([, block = '']) => {
  const parsed = vector.safeParse(JSON.parse(block));
  return parsed.success ? [parsed.data] : [];
})[0];
assert.ok(given, 'docs/formats.md has the vector of the meta');
const { format1, format2 } = given;

const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const meta: fc.Arbitrary<Meta> = fc
  .record({ scope: text, name: text, createdAt: time, updatedAt: time, size: fc.nat() })
  .chain((always) =>
    fc
      .record(
        { by: text, expiresAt: time, note: text, tags: fc.array(text), deletedAt: time },
        { requiredKeys: [] },
      )
      .map((more) => ({ ...always, ...more })),
  );

const dek: Dek = {
  keyring: 'default',
  tenant: '',
  version: 1,
  cipher: createAesGcm(newBytes(32)),
  opened: false,
};
const sealer = createSealer('00112233445566778899aabbccddeeff', createNonceSource());

test('what is told of a version comes back as it was sealed, and its name by the short way too', () => {
  fc.assert(
    fc.property(meta, (content) => {
      const row = { id: new Uint8Array(32).fill(1), version: 3 };
      const sealed = sealMeta(sealer, dek, row, content);
      const plain = openMeta(sealer, () => dek, { ...row, state: 0, dek: 1, meta: sealed }, newBytes);
      assert.deepEqual({ ...metaFrom(plain) }, { ...content, format: 2 });
      assert.deepEqual(nameFrom(plain), { scope: content.scope, name: content.name });
      const elsewhere = { ...row, version: 4, state: 0, dek: 1, meta: sealed };
      assert.throws(() => openMeta(sealer, () => dek, elsewhere, newBytes), { code: 'INTEGRITY' });
    }),
  );
});

test('the forms of docs/formats.md are read, that of the first release too, and the newest is what is written', () => {
  const first = metaFrom(utf8(format1));
  assert.deepEqual(
    [first.scope, first.name, first.size, first.expiresAt, first.by],
    ['ws:acme', 'db.password', 13, undefined, undefined],
  );
  assert.deepEqual(nameFrom(utf8(format1)), { scope: 'ws:acme', name: 'db.password' });
  const content = metaFrom(utf8(format2));
  assert.deepEqual([content.by, content.tags], ['owner', ['db', 'prod']]);
  const row = { id: new Uint8Array(32), version: 1 };
  const sealed = sealMeta(sealer, dek, row, content);
  const plain = openMeta(sealer, () => dek, { ...row, state: 0, dek: 1, meta: sealed }, newBytes);
  assert.equal(new TextDecoder().decode(plain), format2);
});

test('a field of a later release stays where only the name changes, and a newer format is refused by name', () => {
  const later = utf8(JSON.stringify({ ...JSON.parse(format2), colour: 'blue' }));
  assert.equal(({ ...metaFrom(later) } as Record<string, unknown>)['colour'], 'blue');
  const newer = utf8(JSON.stringify({ ...JSON.parse(format2), format: 3 }));
  assert.throws(() => metaFrom(newer), { code: 'NEWER_FORMAT' });
  assert.throws(() => nameFrom(newer), { code: 'NEWER_FORMAT' });
});
