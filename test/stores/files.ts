import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { VaultFile } from '../../daemon/stores/sqlcipher.ts';

/** A folder of this test's own, gone when it ends. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A folder on a file system of its own with room for `size` (as mount takes it), gone when the test ends. */
export function smallFolder(t: TestContext, size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-test-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder]);
  t.after(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Where a vault file of this test may be made, and a key for it. */
export function vaultFile(t: TestContext): VaultFile {
  return {
    path: join(temporaryFolder(t), 'vault.db'),
    label: 'profiles/test/vault.db',
    key: new Uint8Array(randomBytes(32)),
  };
}
