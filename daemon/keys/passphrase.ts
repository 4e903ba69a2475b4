import sodium from 'sodium-native';

import { wipeFromThreadStacks } from '../../native/thread-stacks.ts';
import { HushError } from '../../protocol/errors.ts';
import { newBytes, wipe } from '../memory/plain-bytes.ts';
import { overwriteRegisters } from '../memory/registers.ts';

/** The cost of one Argon2id (RFC 9106): memory in KiB, passes over it, and always one lane. */
export interface Argon2Cost {
  readonly memoryKiB: number;
  readonly passes: number;
}

/** The least and the most that a header may ask for. */
export const argon2Bounds = {
  memoryKiB: { least: 19 * 1024, most: 4 * 1024 * 1024 },
  passes: { least: 2, most: 16 },
} as const;

/** Where calibration starts, and what a slot gets that is made without one. */
export const argon2Default: Argon2Cost = { memoryKiB: 64 * 1024, passes: 3 };

/** Length of the salt of a passphrase slot. */
export const argon2SaltLength = 16;

const passphraseLengths = { least: 1, most: 4096 } as const;
const defaultMemoryCapKiB = 1024 * 1024;
const calibratedMemoryMostKiB = 256 * 1024;
const calibrationTargetMs = 500;

/** Argon2id, one run at a time: each takes as much memory as its slot says. */
export interface Argon2Queue {
  /** The most memory that a run may take, in KiB. */
  readonly memoryCapKiB: number;
  /**
   * Fills the 32 bytes of `out` with the Argon2id of the passphrase (bytes as they are: they were normalised where
   * they were typed) and the 16-byte salt. Both must stay untouched until the promise settles.
   * Throws BAD_REQUEST for a passphrase that is empty or over 4096 bytes, LIMIT_EXCEEDED for a cost over the cap,
   * UNAVAILABLE when the memory is not to be had.
   */
  derive(passphrase: Uint8Array, salt: Uint8Array, cost: Argon2Cost, out: Uint8Array): Promise<void>;
}

/** Whether a cost lies within the bounds that every header must keep. */
export function isBoundedCost(cost: Argon2Cost): boolean {
  const { memoryKiB, passes } = argon2Bounds;
  return (
    Number.isSafeInteger(cost.memoryKiB) &&
    Number.isSafeInteger(cost.passes) &&
    cost.memoryKiB >= memoryKiB.least &&
    cost.memoryKiB <= memoryKiB.most &&
    cost.passes >= passes.least &&
    cost.passes <= passes.most
  );
}

/** The cost that is at least the present one and the wanted one, in memory and in passes; undefined if that is no more. */
export function raisedCost(present: Argon2Cost, wanted: Partial<Argon2Cost>): Argon2Cost | undefined {
  const memoryKiB = Math.max(present.memoryKiB, wanted.memoryKiB ?? 0);
  const passes = Math.max(present.passes, wanted.passes ?? 0);
  return memoryKiB === present.memoryKiB && passes === present.passes ? undefined : { memoryKiB, passes };
}

function checkCost(cost: Argon2Cost, memoryCapKiB: number): void {
  if (!isBoundedCost(cost)) {
    throw new HushError('BAD_REQUEST', 'the cost of Argon2id is out of bounds', {
      hint: 'memory 19 MiB to 4 GiB, passes 2 to 16',
    });
  }
  if (cost.memoryKiB > memoryCapKiB) {
    const [asked, cap] = [cost.memoryKiB, memoryCapKiB].map((kib) => Math.ceil(kib / 1024));
    throw new HushError(
      'LIMIT_EXCEEDED',
      `this slot asks Argon2id for ${asked} MiB, and the limit is ${cap} MiB`,
      {
        hint: 'open the profile with a key, or restore its header from a backup',
        limit: 'argon2MemoryKiB',
      },
    );
  }
}

/** Throws BAD_REQUEST unless the passphrase has 1 to 4096 bytes. */
export function checkPassphrase(passphrase: Uint8Array): void {
  const { least, most } = passphraseLengths;
  if (passphrase.length >= least && passphrase.length <= most) return;
  throw new HushError('BAD_REQUEST', `a passphrase has ${least} to ${most} bytes`, {
    hint: 'type another passphrase',
  });
}

/** A queue of Argon2id runs; `memoryCapKiB` is 1 GiB unless said otherwise. */
export function createArgon2Queue({ memoryCapKiB = defaultMemoryCapKiB } = {}): Argon2Queue {
  let last: Promise<unknown> = Promise.resolve();

  async function run(
    passphrase: Uint8Array,
    salt: Uint8Array,
    { memoryKiB, passes }: Argon2Cost,
    out: Uint8Array,
  ): Promise<void> {
    const algorithm = sodium.crypto_pwhash_ALG_ARGON2ID13;
    try {
      await sodium.crypto_pwhash_async(out, passphrase, salt, passes, memoryKiB * 1024, algorithm);
    } catch (cause) {
      const mebibytes = Math.ceil(memoryKiB / 1024);
      throw new HushError('UNAVAILABLE', `Argon2id did not get its ${mebibytes} MiB of memory`, {
        cause,
        hint: 'free memory on this host, then try again',
      });
    }
    // libsodium's BLAKE2b leaves the result on the stack of the thread that ran it (found by scanning the process).
    wipeFromThreadStacks(out);
    overwriteRegisters();
  }

  return {
    memoryCapKiB,
    async derive(passphrase, salt, cost, out) {
      checkPassphrase(passphrase);
      checkCost(cost, memoryCapKiB);
      if (salt.length !== argon2SaltLength || out.length !== 32) {
        throw new RangeError('Argon2id takes a 16-byte salt and gives 32 bytes');
      }
      const mine = last.then(() => run(passphrase, salt, cost, out));
      last = mine.catch(() => undefined);
      await mine;
    },
  };
}

/**
 * The cost that takes about `targetMs`, given that the default took `measuredMs`: memory first, from 19 MiB up to 256
 * MiB (or the cap), then passes. Time grows with memory times passes.
 */
export function costFor(measuredMs: number, targetMs: number, memoryCapKiB: number): Argon2Cost {
  const { least } = argon2Bounds.memoryKiB;
  const scale = targetMs / Math.max(measuredMs, 1);
  const wanted = argon2Default.memoryKiB * scale;
  const most = Math.min(calibratedMemoryMostKiB, memoryCapKiB);
  const memoryKiB = Math.floor(Math.min(Math.max(wanted, least), most) / 1024) * 1024;
  const passes = Math.round((argon2Default.passes * wanted) / memoryKiB);
  return {
    memoryKiB,
    passes: Math.min(Math.max(passes, argon2Bounds.passes.least), argon2Bounds.passes.most),
  };
}

/** The cost at which Argon2id takes about half a second on this machine, found by one run of the default. */
export async function calibrate(queue: Argon2Queue): Promise<Argon2Cost> {
  const out = newBytes(32);
  const cost = { ...argon2Default, memoryKiB: Math.min(argon2Default.memoryKiB, queue.memoryCapKiB) };
  try {
    const start = performance.now();
    await queue.derive(newBytes(16), newBytes(argon2SaltLength), cost, out);
    const atDefault = (performance.now() - start) * (argon2Default.memoryKiB / cost.memoryKiB);
    return costFor(atDefault, calibrationTargetMs, queue.memoryCapKiB);
  } finally {
    wipe(out);
  }
}
