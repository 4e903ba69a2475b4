import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { HushError } from '../../protocol/errors.ts';
import { diskError } from '../home/disk-errors.ts';
import { syncFolder } from '../home/files.ts';
import { checkDirectory, checkFile } from '../home/safety.ts';
import { vaultFormat } from '../stores/schema.ts';
import { openVaultFile } from '../stores/file-check.ts';
import { migrateSqlcipherStore, type VaultFile } from '../stores/sqlcipher.ts';
import type { SecretsStore } from '../stores/store.ts';

/** A profile whose vault is closed, has an older format, and has proved whole and newest. */
export interface MigrationParts {
  readonly folder: string;
  /** The files that are backed up: the header, and the key set and the vault that it names. */
  readonly header: string;
  readonly keyset: string;
  readonly vault: VaultFile;
  readonly format: number;
  /** Rejects unless the store holds all that its root says. */
  readonly verify: (store: SecretsStore) => Promise<unknown>;
  /** Puts an event on record, at once. */
  readonly note: (event: string, detail: Readonly<Record<string, string | number>>) => void;
}

const blockBytes = 1 << 20;
/** Backups that were cut off before they had proved right. */
const unfinished = /^\.unfinished-[0-9a-f]{16}$/;

/**
 * Brings a vault of an older format up to the present one. First header, key set and vault are copied to
 * `backups/format-<n>-<time>/`, and the copy is opened and checked; then one transaction changes the vault. A crash
 * before the backup has its name leaves an unfinished one, which goes at the next attempt; a crash after that leaves a
 * backup of this very state, which the next attempt checks and uses; a crash within the transaction leaves the old
 * format. Rejects with UNAVAILABLE, and as opening the copy does; the vault then stays as it is.
 */
export async function migrateVault(parts: MigrationParts): Promise<void> {
  const backup = await backUp(parts);
  parts.note('vault.backup', { format: parts.format, backup });
  migrateSqlcipherStore(parts.vault);
  parts.note('vault.migrated', { from: parts.format, to: vaultFormat, backup });
}

/** The name of a checked backup of the present state: one that is there, or a new one. */
async function backUp(parts: MigrationParts): Promise<string> {
  const backups = join(parts.folder, 'backups');
  checkDirectory(backups);
  if (existsSync(`${parts.vault.path}-wal`)) {
    throw new HushError('UNAVAILABLE', `${parts.vault.label}: its log could not be written into it`, {
      hint: 'free some space on the disk, then hush unlock',
    });
  }
  const prefix = `format-${parts.format}-`;
  const found = readdirSync(backups);
  for (const name of found) {
    if (unfinished.test(name)) rmSync(join(backups, name), { recursive: true, force: true });
  }
  for (const name of found.filter((name) => name.startsWith(prefix))) {
    const folder = join(backups, name);
    if (!(await isCopy(parts, folder))) continue;
    await check(parts, folder);
    return name;
  }

  const temporary = join(backups, `.unfinished-${randomBytes(8).toString('hex')}`);
  try {
    mkdirSync(temporary, { mode: 0o700 });
    for (const path of filesIn(parts)) await copyFile(path, join(temporary, basename(path)));
    syncFolder(temporary);
    if (!(await isCopy(parts, temporary)))
      throw new HushError('UNAVAILABLE', 'a backup differs from its original');
    await check(parts, temporary);
    const name = `${prefix}${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
    renameSync(temporary, join(backups, name));
    syncFolder(backups);
    syncFolder(parts.folder);
    return name;
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw diskError('cannot back the vault up before its format is brought up to date', error);
  }
}

/** All three, where they are there: a key set that is missing is rebuilt from the vault. */
const filesIn = ({ header, keyset, vault }: MigrationParts): readonly string[] =>
  [header, keyset, vault.path].filter((path) => existsSync(path));

async function isCopy(parts: MigrationParts, folder: string): Promise<boolean> {
  for (const path of filesIn(parts)) {
    const copy = join(folder, basename(path));
    if (!existsSync(copy) || (await hashOf(copy)) !== (await hashOf(path))) return false;
  }
  return true;
}

/** Opens the vault in a backup and checks all that it holds. */
async function check({ vault, verify }: MigrationParts, folder: string): Promise<void> {
  const file = { ...vault, path: join(folder, basename(vault.path)), label: `the backup of ${vault.label}` };
  const store = await openVaultFile(file);
  try {
    await verify(store);
  } finally {
    store.close();
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  checkFile(path);
  const file = await open(path, 'r');
  try {
    for await (const block of blocksOf(file)) hash.update(block);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

/** Copies a file to a new one of mode 0600, and puts that on the disk. */
async function copyFile(from: string, to: string): Promise<void> {
  checkFile(from);
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'wx', 0o600);
    try {
      await target.chmod(0o600);
      for await (const block of blocksOf(source)) await target.appendFile(block);
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function* blocksOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(blockBytes);
  for (;;) {
    const { bytesRead } = await file.read(block, 0, block.length);
    if (bytesRead === 0) return;
    yield block.subarray(0, bytesRead);
  }
}
