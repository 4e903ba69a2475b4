import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createProfileKeys, type ProfileKeys } from '../../daemon/keys/create.ts';
import { type Argon2Cost, createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import type { Credential } from '../../daemon/keys/slot.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { type ErrorCode, HushError } from '../../protocol/errors.ts';

/** The least that the bounds allow: tests are about the keys, not about the cost. */
export const leastCost: Argon2Cost = { memoryKiB: 19 * 1024, passes: 2 };

export const arena = createSecureArena({ bytes: 64 * 1024 });
export const argon2Queue = createArgon2Queue();
export const now = '2025-01-02T03:04:05.678Z';
export const note = { by: 'test', at: now };

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

export const passphrase = (text: string): Credential => ({ kind: 'passphrase', secret: bytesOf(text) });
export const key = (byte: number): Credential => ({ kind: 'key', secret: filled(32, byte) });

/** The keys of a new profile that one key opens, or the credentials given. */
export function newProfileKeys(credentials: readonly Credential[] = [key(7)]): Promise<ProfileKeys> {
  return createProfileKeys({
    credentials: credentials.map((credential) => ({ ...credential, label: credential.kind })),
    argon2Cost: leastCost,
    argon2Queue,
    arena,
    by: 'test',
    createdAt: now,
  });
}

/** For assert.throws and assert.rejects: a HushError with one of the codes, and a hint. */
export const withCode =
  (...codes: ErrorCode[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof HushError, String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    assert.notEqual(error.hint, '');
    return true;
  };

/** A copy with one byte changed. */
export function flip(bytes: Uint8Array, index: number, mask: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
}

/** Runs `use` on a fresh folder, mode 0700, and removes it. */
export function inFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-keys-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
