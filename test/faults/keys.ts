import { join } from 'node:path';
import sodium from 'sodium-native';
import type { ProfilePaths } from '../../daemon/home/paths.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { readKeysetFile } from '../../daemon/keys/keyset-file.ts';
import { readKeyset, type KeyUse } from '../../daemon/keys/keyset.ts';
import { openKeyring } from '../../daemon/keys/keyring.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import { deriveSlotKey, type Credential } from '../../daemon/keys/slot.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { unwrapKey } from '../../daemon/keys/wrapped-key.ts';
import { copyBytes, newBytes } from '../../daemon/memory/plain-bytes.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';

/** Every key of a profile, worked out in this process from a credential and the profile's files. */
export interface ProfileSecrets {
  readonly vaultId: string;
  readonly macKey: Uint8Array<ArrayBuffer>;
  /** By what each is. */
  readonly all: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly auditKeys: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

const indexKeyTexts = {
  'row id key': 'hushd v1 row id, BLAKE2b-256',
  'freshness key': 'hushd v1 freshness hash, BLAKE2b-256',
  'root key': 'hushd v1 freshness root, AES-256-GCM',
} as const;

/** H0 of RFC 9106 3.2, from which the rest of Argon2id follows without the passphrase. */
function argon2PreHash(
  passphrase: Uint8Array,
  kdf: { salt: string; memoryKiB: number; passes: number },
): Uint8Array {
  const numbers = (...values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
    return bytes;
  };
  const salt = Buffer.from(kdf.salt, 'base64');
  const hash = newBytes(64);
  const head = numbers(1, 32, kdf.memoryKiB, kdf.passes, 0x13, 2, passphrase.length);
  sodium.crypto_generichash(
    hash,
    Buffer.concat([head, passphrase, numbers(salt.length), salt, numbers(0, 0)]),
  );
  return hash;
}

/** The keys of a profile. Throws as opening its header does. */
export async function secretsOf(paths: ProfilePaths, credential: Credential): Promise<ProfileSecrets> {
  const arena = createSecureArena({ prefer: 'sodium_malloc' });
  const queue = createArgon2Queue();
  const all = new Map<string, Uint8Array<ArrayBuffer>>();
  const auditKeys = new Map<string, Uint8Array<ArrayBuffer>>();
  const keep = (name: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
    const copy = copyBytes(bytes);
    all.set(name, copy);
    return copy;
  };
  try {
    const header = readHeaderFile(paths.header);
    const { vaultId } = header.body;
    const { vaultKey } = await openHeader(header, [credential], arena, queue);
    keep('vault key', vaultKey.bytes);
    for (const { kind, kdf, id } of header.body.slots) {
      if (kind !== credential.kind) continue;
      if (kdf.name === 'argon2id')
        keep(`Argon2id pre-hash of slot ${id}`, argon2PreHash(credential.secret, kdf));
      keep(`master key of slot ${id}`, (await deriveSlotKey(credential, kdf, arena, queue)).bytes);
    }
    const { vaultFileKey, wrappingKey, macKey } = deriveSubkeys(vaultKey.bytes, arena);
    keep('vault file key', vaultFileKey.bytes);
    const wrapping = keep('key-wrapping key', wrappingKey.bytes);
    const mac = keep('header MAC key', macKey.bytes);

    const keyset = readKeyset(
      readKeysetFile(join(paths.folder, header.body.files.keyset)).lines,
      vaultId,
      mac,
    );
    const byUse = new Map<KeyUse, Uint8Array<ArrayBuffer>>();
    for (const { entry } of keyset.keys.values()) {
      const key = newBytes(32);
      unwrapKey(wrapping, vaultId, entry, key);
      const { use, keyring, tenant, version } = entry;
      byUse.set(use, keep(`${use} ${keyring}/${tenant} v${version}`, key));
      if (use === 'audit') auditKeys.set(`v${version}`, key);
    }
    const nameIndex = byUse.get('name-index') ?? newBytes(32);
    for (const [name, text] of Object.entries(indexKeyTexts)) {
      const key = newBytes(32);
      sodium.crypto_generichash(key, Buffer.from(text), nameIndex);
      keep(name, key);
    }
    const rootKey = newBytes(32);
    sodium.crypto_generichash(rootKey, newBytes(4), all.get('root key') ?? newBytes(32));
    keep('root key of epoch 0', rootKey);
    const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
    const digestKey = newBytes(32);
    keyring.digestKey('default', digestKey);
    keep('digest key of default', digestKey);
    keyring.close();
    return { vaultId, macKey: mac, all, auditKeys };
  } finally {
    arena.close();
  }
}
