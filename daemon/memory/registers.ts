import sodium from 'sodium-native';
import { newBytes } from './plain-bytes.ts';

const inputBytes = 1024;

/**
 * Has the vector registers of this thread hold something else. To copy, compare or look for a key leaves 16 or 32 bytes of
 * it there, and a later call that has nothing to do with it may spill them to the stack (found by scanning the process:
 * half of a vault key was left behind by the very search for its copies). libsodium's BLAKE2b goes through all of them.
 */
export function overwriteRegisters(): void {
  sodium.crypto_generichash(newBytes(32), newBytes(inputBytes));
}
