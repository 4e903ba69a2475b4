import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import type { Credential } from '../../daemon/keys/slot.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import type { ProfilePaths } from '../../daemon/home/paths.ts';

const record = z.looseObject({
  seq: z.number(),
  event: z.string(),
  client: z.string(),
  uid: z.number(),
  pid: z.number(),
  outcome: z.string(),
  profile: z.string().optional(),
  key: z.string().optional(),
  code: z.string().optional(),
  commit: z.number().optional(),
});

/** One record of an audit file. */
export type AuditRecord = z.output<typeof record>;

/** The records of the audit chain in a folder, each of them a line of JSON. */
export function recordsIn(folder: string): AuditRecord[] {
  const text = readFileSync(join(folder, '0000000001.jsonl'), 'latin1');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => record.parse(JSON.parse(line)));
}

/** The SHA-256 of each file below a folder, by its path in it. */
export function hashesBelow(folder: string): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name);
    if (lstatSync(path).isFile())
      hashes[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return hashes;
}

/** The raw key of a profile's SQLCipher file: what an attacker of that layer alone has. */
export async function vaultFileKeyOf(paths: ProfilePaths, credential: Credential): Promise<Uint8Array> {
  const arena = createSecureArena({ bytes: 64 * 1024 });
  try {
    const { vaultKey } = await openHeader(
      readHeaderFile(paths.header),
      [credential],
      arena,
      createArgon2Queue(),
    );
    return Uint8Array.from(deriveSubkeys(vaultKey.bytes, arena).vaultFileKey.bytes);
  } finally {
    arena.close();
  }
}

/** Resolves once `holds` says so; for what no event tells of. Throws after `patienceMs`. */
export async function eventually(what: string, holds: () => boolean, patienceMs = 20_000): Promise<void> {
  const until = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > until) throw new Error(`not so after ${patienceMs} ms: ${what}`);
    await delay(10);
  }
}

/** The bytes of a text. */
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** The text that bytes are. */
export const textOf = (bytes: unknown): string => {
  if (!(bytes instanceof Uint8Array)) throw new Error('not binary');
  return new TextDecoder().decode(bytes);
};
