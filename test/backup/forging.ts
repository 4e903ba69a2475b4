import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { lastLineBytes, parseHead, serialiseHead, type Manifest } from '../../daemon/backup/container.ts';

/** A backup in pieces: what its manifest says, and its files by name. */
export interface Pieces {
  readonly manifest: Manifest;
  readonly mac: Uint8Array;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Takes a backup apart. */
export function piecesOf(path: string): Pieces {
  const bytes = readFileSync(path);
  const { manifest, mac, length } = parseHead(bytes);
  const files = new Map<string, Buffer>();
  let offset = length;
  for (const { name, size } of manifest.files) {
    files.set(name, bytes.subarray(offset, offset + size));
    offset += size;
  }
  if (offset + lastLineBytes !== bytes.length) throw new Error('a backup in pieces has another length');
  return { manifest, mac, files };
}

/** Puts pieces together with right sizes and checksums, as somebody without keys can. */
export function assembled({ manifest, mac, files }: Pieces): Buffer {
  const listed = manifest.files.map((file) => {
    const bytes = files.get(file.name) ?? Buffer.alloc(0);
    return { ...file, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  const head = serialiseHead({ ...manifest, files: listed }, () => mac);
  const body = Buffer.concat([head, ...listed.map(({ name }) => files.get(name) ?? Buffer.alloc(0))]);
  const checksum = createHash('sha256').update(body).digest('hex');
  return Buffer.concat([body, Buffer.from(`checksum ${checksum}\n`)]);
}
