import { randomFillSync } from 'node:crypto';
import { text } from 'node:stream/consumers';
import Database from 'better-sqlite3-multiple-ciphers';
import { aadOf } from '../../../daemon/keys/aad.ts';
import { createAesGcm, type AesGcm } from '../../../daemon/keys/aes-gcm.ts';

/** What the bare loop works on: a copy of a vault's file, and the keys to it. */
export interface BareReseal {
  readonly path: string;
  readonly vaultId: string;
  /** The SQLCipher key, hex. */
  readonly fileKey: string;
  /** The data keys by version, hex. */
  readonly deks: Readonly<Record<string, string>>;
  readonly rowsPerCommit: number;
}

/** How many rows it sealed anew, and how fast. */
export interface BareResealed {
  readonly rows: number;
  readonly perSecond: number;
}

const [head, nonceLength, tagLength] = [6, 12, 16];

/** The bare loop: open, unseal, reseal and write every row, with the libraries that hushd uses and nothing else. */
function reseal({ path, vaultId, fileKey, deks, rowsPerCommit }: BareReseal): BareResealed {
  const db = new Database(path);
  db.pragma("cipher = 'sqlcipher'");
  db.pragma('legacy = 4');
  db.key(Buffer.from(`x'${fileKey}'`));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('secure_delete = ON');
  const page = db
    .prepare<[Uint8Array, number], [Buffer, number, Buffer, Buffer]>(
      'select id, version, meta, value from secret where id > ? order by id limit ?',
    )
    .raw();
  const put = db.prepare<[number, Uint8Array, Uint8Array, Uint8Array, number]>(
    'update secret set dek = ?, meta = ?, value = ? where id = ? and version = ?',
  );
  const ciphers = new Map(
    Object.entries(deks).map(([version, key]) => [Number(version), createAesGcm(Buffer.from(key, 'hex'))]),
  );
  const nextVersion = Math.max(...ciphers.keys()) + 1;
  const next = createAesGcm(randomFillSync(Buffer.alloc(32)));

  const open = (form: Buffer, aad: Uint8Array): Buffer => {
    const cipher: AesGcm | undefined = ciphers.get(form.readUInt32BE(2));
    const plain = Buffer.alloc(form.length - head - nonceLength - tagLength);
    const body = head + nonceLength;
    if (cipher?.open(form.subarray(head, body), aad, form.subarray(body), plain) !== true) {
      throw new Error('a row does not open');
    }
    return plain;
  };
  const seal = (plain: Buffer, aad: Uint8Array): Buffer => {
    const form = Buffer.alloc(head + nonceLength + plain.length + tagLength);
    form.set([1, 1]);
    form.writeUInt32BE(nextVersion, 2);
    const nonce = randomFillSync(form.subarray(head, head + nonceLength));
    next.seal(nonce, aad, plain, form.subarray(head + nonceLength));
    return form;
  };

  const begun = performance.now();
  let rows = 0;
  let after: Uint8Array = new Uint8Array(0);
  for (;;) {
    const found = page.all(after, rowsPerCommit);
    const last = found.at(-1);
    if (last === undefined) break;
    db.transaction(() => {
      for (const [id, version, meta, value] of found) {
        const metaAad = aadOf(['hushd', '1', 'meta', vaultId, '', id.toString('hex'), String(version)]);
        const plainMeta = open(meta, metaAad);
        // As docs/formats.md says of a row's meta.
        const { scope, name } = JSON.parse(plainMeta.toString()) as { scope: string; name: string };
        const valueAad = aadOf(['hushd', '1', 'value', vaultId, scope, name, String(version)]);
        put.run(nextVersion, seal(plainMeta, metaAad), seal(open(value, valueAad), valueAad), id, version);
      }
    }).immediate();
    rows += found.length;
    [after] = last;
  }
  const seconds = (performance.now() - begun) / 1000;
  db.close();
  return { rows, perSecond: rows / seconds };
}

if (import.meta.main) {
  // Written by rotation.ts.
  process.stdout.write(JSON.stringify(reseal(JSON.parse(await text(process.stdin)) as BareReseal)));
}
