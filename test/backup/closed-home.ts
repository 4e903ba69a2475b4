import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chainFileName } from '../../daemon/audit/chain.ts';
import { verifyChain } from '../../daemon/audit/verify.ts';
import { memorySource, streamOf } from '../../daemon/backup/stream.ts';
import { readHeaderFile } from '../../daemon/keys/header-file.ts';
import { backupMacOf } from '../../daemon/keys/hmac.ts';
import { openKeyring } from '../../daemon/keys/keyring.ts';
import { readKeysetFile } from '../../daemon/keys/keyset-file.ts';
import { reconcile } from '../../daemon/keys/reconcile.ts';
import { openHeader } from '../../daemon/keys/open.ts';
import type { Credential } from '../../daemon/keys/slot.ts';
import { deriveSubkeys } from '../../daemon/keys/subkeys.ts';
import { openSqlcipherStore } from '../../daemon/stores/sqlcipher.ts';
import { checkVault } from '../../daemon/vault/vault.ts';
import { parseProfileName } from '../../protocol/names.ts';
import type { TestHome } from '../support/daemon.ts';
import { withProof } from './files.ts';

/** The backup that the release which made this home would have taken of its locked profile, had it known how. */
export async function backupOfClosedHome(
  home: TestHome,
  credential: Credential,
  path: string,
): Promise<void> {
  const files = home.profile();
  const audit = join(files.audit, chainFileName);
  const { head } = await verifyChain(audit);
  await withProof([credential], async ({ arena, argon2Queue, credentials }) => {
    const header = readHeaderFile(files.header);
    const { vaultKey } = await openHeader(header, credentials, arena, argon2Queue);
    const subkeys = deriveSubkeys(vaultKey.bytes, arena);
    const { macKey, wrappingKey } = subkeys;
    const mac = Uint8Array.from(macKey.bytes);
    const { vaultId, generation } = header.body;
    const store = openSqlcipherStore({ path: files.vault, label: 'vault', key: subkeys.vaultFileKey.bytes });
    const { keyset } = reconcile(readKeysetFile(files.keyset), store.keysetLines(), vaultId, mac);
    const keyring = openKeyring({ keyset, wrappingKey, macKey, arena });
    const { commit } = await checkVault({ store, keyring, arena });
    keyring.close();
    store.close();
    const stream = await streamOf(
      [
        memorySource('header', 'header', readFileSync(files.header)),
        memorySource('keyset', 'keyset', readFileSync(files.keyset)),
        memorySource('vault', 'vault.db', readFileSync(files.vault)),
        memorySource('audit', chainFileName, readFileSync(audit)),
      ],
      {
        format: 1,
        id: '0'.repeat(32),
        vaultId,
        profile: parseProfileName('default'),
        createdAt: '2025-01-02T03:04:05.678Z',
        commit,
        header: { generation },
        keyset: { generation: keyset.generation, lines: keyset.lines.length },
        audit: head,
      },
      (signed) => backupMacOf(mac, signed),
    );
    writeFileSync(path, await stream.read(0, stream.size));
  });
}
