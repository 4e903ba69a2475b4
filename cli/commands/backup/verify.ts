import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { proveBackup, type Proof } from '../../../daemon/backup/prove.ts';
import type { BackupFile } from '../../../daemon/backup/reader.ts';
import { unpack } from '../../../daemon/backup/unpack.ts';
import type { Header } from '../../../daemon/keys/header.ts';
import { factsOf } from '../../backup/facts.ts';
import {
  addOpenOptions,
  isToBeOpened,
  withBackup,
  withProofParts,
  type OpenOptions,
} from '../../backup/options.ts';
import { createProgress } from '../../backup/progress.ts';
import type { Session } from '../../commands.ts';
import { fileOption } from '../../credentials.ts';
import { countText, sizeText } from '../../format.ts';
import { ifInterrupted } from '../../interrupted.ts';
import { proofHelp, type ProofOptions } from '../../proof.ts';

/** `hush backup verify`: whether a backup is whole, and with its key, whether it is what it says. */
export function defineVerify(backup: Command, { output }: Session): void {
  const command = backup.command('verify');
  const proofOf = addOpenOptions(command);
  command
    .description('check a backup, without a daemon: its checksums, and with a credential all that is in it')
    .argument('<file>', '', fileOption('FILE', 'backup verify'))
    .addHelpText('after', `${proofHelp}${examples}`)
    .action(async (given: string, options: OpenOptions) => {
      const path = resolve(given);
      const proofOptions = proofOf();
      const progress = createProgress('read', output);
      const { facts, proof, checksum } = await withBackup(path, async (backup, header) => {
        const show = (done: number): void => progress.show(done, backup.size);
        const found = isToBeOpened(header, options, proofOptions)
          ? await openedIn(backup, header, proofOptions, show)
          : { checksum: await backup.readAll(undefined, show), proof: undefined };
        return { ...found, facts: factsOf(backup) };
      }).finally(progress.clear);
      const { profile, vaultId, createdAt, size } = facts;
      const whole = `${path} is whole: profile ${profile}, vault ${vaultId}, ${sizeText(size)}, as of ${createdAt}, id ${facts.id}`;
      await output.facts({ file: path, ...facts, checksum, opened: proof !== undefined, ...proof }, [
        whole,
        ...(proof === undefined ? [] : [contentsText(proof)]),
      ]);
      if (proof === undefined) {
        await output.note(
          'only its checksums were looked at; what opens the profile proves the rest: --open',
        );
      }
    });
}

const examples = `

Examples:
  hush backup verify default.hushd
  hush backup verify default.hushd --open
  pass show hushd | hush backup verify default.hushd --passphrase-stdin`;

function contentsText({ secrets, keys, auditRecords }: Proof): string {
  const dataKeys = countText(keys.active + keys.retired, 'data key');
  const records = countText(auditRecords, 'audit record');
  return `all that is in it is its own: ${countText(secrets, 'secret')}, ${dataKeys}, ${records}`;
}

/** Unpacks the backup where nobody else can look, and proves it there; nothing of it stays. */
async function openedIn(
  backup: BackupFile,
  header: Header,
  options: ProofOptions,
  progress: (bytes: number) => void,
): Promise<{ readonly checksum: string; readonly proof: Proof }> {
  const folder = mkdtempSync(join(tmpdir(), 'hush-verify-'));
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return await ifInterrupted(remove, async () => {
      const folders = { profile: join(folder, 'profile'), audit: join(folder, 'audit') };
      for (const part of Object.values(folders)) mkdirSync(part, { mode: 0o700 });
      const checksum = await unpack(backup, folders, progress);
      const proof = await withProofParts(
        header,
        `${backup.head.manifest.profile} in the backup`,
        options,
        (parts) => proveBackup(backup.head, folders, parts),
      );
      return { checksum, proof };
    });
  } finally {
    remove();
  }
}
