import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { copyBytes } from '../../daemon/memory/plain-bytes.ts';
import { readPrivateKey } from '../../daemon/signing/private-key.ts';

/** A key that ssh-keygen has made. */
export interface KeyFile {
  /** The text of the private key. */
  readonly text: Uint8Array<ArrayBuffer>;
  /** The public half as SSH sends it, in base64. */
  readonly publicKey: string;
}

/** Has ssh-keygen make a key with these options, such as `-t rsa -b 2048`. */
export function keygen(options: string, comment = 'somebody@host', passphrase = ''): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-keys-'));
  try {
    const file = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', ...options.split(' '), '-N', passphrase, '-C', comment, '-f', file]);
    const [, publicKey = ''] = readFileSync(`${file}.pub`, 'utf8').split(' ');
    return { text: copyBytes(readFileSync(file)), publicKey: publicKey.trim() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** All that must not be left of a key in any memory: its numbers, as they are written and as processors keep them, and its text but for the marks. */
export function partsOf(name: string, text: Uint8Array): { name: string; bytes: Uint8Array }[] {
  const arena = createSecureArena({ prefer: 'sodium_malloc' });
  const { numbers } = readPrivateKey(text, arena);
  const parts: Record<string, Uint8Array> =
    numbers.type === 'ed25519'
      ? { seed: numbers.seed, expanded: createHash('sha512').update(numbers.seed).digest() }
      : {
          ...Object.fromEntries(
            (['d', 'p', 'q', 'iqmp'] as const).map((each) => [each, numbers[each]] as const),
          ),
          dmp1: remainder(numbers.d, numbers.p),
          dmq1: remainder(numbers.d, numbers.q),
        };
  const kept = Object.entries(parts).flatMap(([part, bytes]) => [
    { name: `${name}: ${part}`, bytes: copyBytes(bytes) },
    { name: `${name}: ${part}, little-endian`, bytes: copyBytes(bytes).reverse() },
  ]);
  arena.close();
  return [...kept, { name: `${name}: text`, bytes: copyBytes(text).slice(80, -80) }];
}

function remainder(d: Uint8Array, factor: Uint8Array): Uint8Array {
  const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  const hex = (number(d) % (number(factor) - 1n)).toString(16);
  return Buffer.from(hex.padStart(Math.ceil(hex.length / 2) * 2, '0'), 'hex');
}
