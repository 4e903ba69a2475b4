import { blake3 } from '@noble/hashes/blake3.js';

import type { SecureArena, SecureBytes } from '../memory/secure-bytes.ts';
import { vaultKeyContexts } from './contexts.ts';
import { utf8 } from './text.ts';

/** The three keys that come from the vault key and from nothing else. */
export interface Subkeys {
  /** The 32-byte raw key of the SQLCipher file. */
  readonly vaultFileKey: SecureBytes;
  /** Wraps the keys of the key set. */
  readonly wrappingKey: SecureBytes;
  /** The key of the header's MAC and of the key set's chain. */
  readonly macKey: SecureBytes;
  /** Wipes all three. */
  wipe(): void;
}

function deriveInto(out: Uint8Array, vaultKey: Uint8Array, context: string): void {
  // digestInto() ends with destroy(), which clears all that noble kept of key and output.
  blake3
    .create({ context: utf8(context) })
    .update(vaultKey)
    .digestInto(out);
}

/** The header MAC key of a vault key (BLAKE3 `derive_key`), in arena memory that the caller wipes. */
export function deriveMacKey(vaultKey: Uint8Array, arena: SecureArena): SecureBytes {
  return derived(vaultKey, vaultKeyContexts.headerMac, arena);
}

function derived(vaultKey: Uint8Array, context: string, arena: SecureArena): SecureBytes {
  const key = arena.allocate(32);
  try {
    deriveInto(key.bytes, vaultKey, context);
    return key;
  } catch (error) {
    key.wipe();
    throw error;
  }
}

/** All keys of a vault key (BLAKE3 `derive_key`, 32 bytes each), in arena memory that the caller wipes. */
export function deriveSubkeys(vaultKey: Uint8Array, arena: SecureArena): Subkeys {
  const keys: SecureBytes[] = [];
  const wipe = (): void => {
    for (const key of keys) key.wipe();
  };
  const derive = (context: string): SecureBytes => {
    const key = derived(vaultKey, context, arena);
    keys.push(key);
    return key;
  };
  try {
    return {
      vaultFileKey: derive(vaultKeyContexts.vaultFile),
      wrappingKey: derive(vaultKeyContexts.keyWrapping),
      macKey: derive(vaultKeyContexts.headerMac),
      wipe,
    };
  } catch (error) {
    wipe();
    throw error;
  }
}
