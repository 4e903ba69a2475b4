import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createNewFile } from '../../cli/backup/new-file.ts';
import { takeBackup, type TakenBackup } from '../../cli/backup/take.ts';
import type { HushClient } from '../../client/index.ts';
import { openBackup } from '../../daemon/backup/reader.ts';
import type { ProofParts } from '../../daemon/backup/prove.ts';
import { restoreProfile, type Restored } from '../../daemon/backup/restore.ts';
import { createArgon2Queue } from '../../daemon/keys/passphrase.ts';
import type { Credential } from '../../daemon/keys/slot.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import { parseProfileName } from '../../protocol/names.ts';
import { passphraseCredential, type TestHome } from '../support/daemon.ts';

export const valueOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export const textAt = async (client: HushClient, path: string): Promise<string> =>
  Buffer.from((await client.get(path)).value).toString();

/** A folder that is removed after the test. */
export function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'hushd-backup-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Takes a backup as `hush backup create` does. */
export async function take(client: HushClient, path: string, profile = 'default'): Promise<TakenBackup> {
  const file = createNewFile(path, { force: false });
  try {
    return await takeBackup(client, profile, file, () => undefined);
  } finally {
    file.discard();
  }
}

/** Runs `use` with what proves a backup. */
export async function withProof<Result>(
  credentials: readonly Credential[],
  use: (proof: ProofParts) => Promise<Result>,
): Promise<Result> {
  const arena = createSecureArena({ prefer: 'sodium_malloc' });
  try {
    return await use({ credentials, arena, argon2Queue: createArgon2Queue() });
  } finally {
    arena.close();
  }
}

/** Restores a backup into a home as `hush backup restore` does, proved or not. */
export async function restore(
  home: TestHome,
  path: string,
  { name, isProved = true }: { readonly name?: string; readonly isProved?: boolean } = {},
): Promise<Restored> {
  const backup = await openBackup(path);
  try {
    return await withProof([passphraseCredential()], (proof) =>
      restoreProfile({
        paths: home.paths,
        name: parseProfileName(name ?? backup.head.manifest.profile),
        backup,
        proof: isProved ? proof : undefined,
      }),
    );
  } finally {
    await backup.close();
  }
}
