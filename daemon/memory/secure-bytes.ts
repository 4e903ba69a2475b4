import sodium from 'sodium-native';

import { mapSecretMemory } from '../../native/secret-memory.ts';
import { HushError } from '../../protocol/errors.ts';
import { createFreeList } from './free-list.ts';

/** Bytes of a secret in the arena, with one owner, who wipes them. */
export interface SecureBytes {
  /** The bytes, as a view into the arena. Throws UNAVAILABLE once they are wiped: the place may be another's. */
  readonly bytes: Uint8Array;
  /** Overwrites the bytes with zeros and gives the place back; further calls do nothing. */
  wipe(): void;
}

/** What the arena is made of: `memfd_secret` is in no memory image, `sodium_malloc` is locked and guarded. */
export type SecureArenaKind = 'memfd_secret' | 'sodium_malloc';

/** The one piece of memory in which every key lives. */
export interface SecureArena {
  readonly kind: SecureArenaKind;
  /** Its size in bytes. */
  readonly size: number;
  /** How many bytes of it are taken, each allocation rounded up to 16. */
  readonly used: number;
  /** `length` zero bytes. Throws UNAVAILABLE when there is no room, or when the arena is closed. */
  allocate(length: number): SecureBytes;
  /** Wipes everything in it; what was allocated is gone, and nothing more can be. */
  close(): void;
}

export interface SecureArenaOptions {
  /** Size in bytes, a multiple of 4096. A key takes 32; the default holds 8,192 of them. */
  readonly bytes?: number;
  /** Which memory to use, where the kernel does not decide: `memfd_secret` falls back to `sodium_malloc`. */
  readonly prefer?: SecureArenaKind;
}

const defaultSize = 256 * 1024;
const alignment = 16;

/**
 * One arena for all keys of the process. A single mapping that is divided here: libsodium takes four mappings for
 * each allocation, and aborts the process when they run out. It stays mapped until the process ends.
 */
export function createSecureArena(options: SecureArenaOptions = {}): SecureArena {
  const size = options.bytes ?? defaultSize;
  const secret = options.prefer === 'sodium_malloc' ? undefined : mapSecretMemory(size);
  const memory = secret ?? sodium.sodium_malloc(size);
  memory.fill(0);

  const free = createFreeList(size);
  const allocated = new Set<SecureBytes>();
  let used = 0;
  let open = true;

  function allocate(length: number): SecureBytes {
    if (!open) throw new HushError('UNAVAILABLE', 'the memory for keys is closed: the daemon is stopping');
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new HushError('UNAVAILABLE', `the memory for keys cannot give ${length} bytes`);
    }
    const place = Math.max(alignment, Math.ceil(length / alignment) * alignment);
    const offset = free.take(place);
    if (offset === undefined) {
      throw new HushError('UNAVAILABLE', `the memory for keys is full: ${used} of ${size} bytes are in use`, {
        hint: 'lock profiles that are not needed',
      });
    }
    used += place;
    const view = new Uint8Array(memory.buffer, memory.byteOffset + offset, length);
    const secureBytes: SecureBytes = {
      get bytes() {
        if (allocated.has(secureBytes)) return view;
        throw new HushError('UNAVAILABLE', 'the key was wiped');
      },
      wipe() {
        if (!allocated.delete(secureBytes)) return;
        view.fill(0);
        free.give(offset, place);
        used -= place;
      },
    };
    allocated.add(secureBytes);
    return secureBytes;
  }

  return {
    kind: secret === undefined ? 'sodium_malloc' : 'memfd_secret',
    size,
    get used() {
      return used;
    },
    allocate,
    close() {
      for (const secureBytes of allocated) secureBytes.wipe();
      memory.fill(0);
      open = false;
    },
  };
}
