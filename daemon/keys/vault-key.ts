import { wipeFromMainStack } from '../../native/thread-stacks.ts';
import { overwriteRegisters } from '../memory/registers.ts';
import type { SecureBytes } from '../memory/secure-bytes.ts';

/** Wipes a vault key, and what sealing or opening it has left on the stack and in registers (found by scanning the process). */
export function wipeVaultKey(vaultKey: SecureBytes): void {
  try {
    wipeFromMainStack(vaultKey.bytes);
  } finally {
    vaultKey.wipe();
    overwriteRegisters();
  }
}
