import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { HushClient } from '../../client/index.ts';
import { readRecord, recordLine, recordPrefix, type ChainHead } from '../../daemon/audit/records.ts';
import type { ChainPart } from '../../daemon/audit/parts.ts';
import type { AuditSecretOf } from '../../daemon/audit/seals.ts';
import { chainFiles, segmentNumber, stubFileName } from '../../daemon/audit/segments.ts';
import { verifyParts, type Verification } from '../../daemon/audit/verify.ts';
import { auditSecretOf } from '../../daemon/profiles/audit-keys.ts';
import { eventually } from '../security/facts.ts';
import { passphraseCredential, startDaemon, type Afterwards, type TestHome } from '../support/daemon.ts';
import { inHome } from '../support/open-home.ts';

/** The files of one chain, as texts by their names. */
export type Files = ReadonlyMap<string, string>;

/** What the vault and its keys say of a chain. */
export interface Vouching {
  readonly vaultId: string;
  readonly secretOf: AuditSecretOf;
  /** The record that the vault remembers. */
  readonly remembered: ChainHead;
}

/** Small segments, and few of them: the oldest become stubs while a test runs. */
export const smallSegments = '[audit]\nsegment_bytes = 4096\nkeep_bytes = 40000\nmin_age_days = 0\n';

/** Has a daemon write an audit of several segments and stubs for the profile `default`, and stops it in order. */
export async function writeLiveLog(t: Afterwards, home: TestHome): Promise<void> {
  const daemon = await startDaemon(t, home);
  const client = await daemon.connect();
  await client.unlock([passphraseCredential()]);
  const { audit } = home.profile();
  for (let segment = 2; segment <= 6; segment += 1) {
    await someCalls(client, segment);
    await eventually(`segment ${segment}`, () => (chainFiles(audit).segments.at(-1)?.number ?? 0) >= segment);
  }
  await eventually('two stubs', () => (chainFiles(audit).segments[0]?.number ?? 0) > 2);
  await daemon.stop();
}

/** Calls of many kinds, some of them in vain. */
export async function someCalls(client: HushClient, number: number): Promise<void> {
  const value = new TextEncoder().encode('value');
  for (let index = 0; index < 8; index += 1) {
    await client.set(`global/name-${number}-${index}`, value);
    await client.get(`global/name-${number}-${index}`);
    await client.get(`global/none-${index}`).catch(() => undefined);
  }
}

/** The files in the folder of a chain. */
export function filesIn(folder: string): Files {
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'latin1')]),
  );
}

/** The keys of the closed profile `default`, and what its vault remembers. */
export async function vouchingOf(home: TestHome): Promise<Vouching> {
  let found: Vouching | undefined;
  await inHome(home, new Date(), async ({ keyring, vault }) => {
    const open = await vault();
    const secret = Uint8Array.from(auditSecretOf(keyring, 'v1') ?? []);
    const remembered = open.auditHead();
    if (remembered === undefined) throw new Error('the vault remembers no record');
    found = { vaultId: open.vaultId, secretOf: (id) => (id === 'v1' ? secret : undefined), remembered };
    open.close();
  });
  if (found === undefined) throw new Error('the home was not opened');
  return found;
}

/** Verifies the chain that these texts would be as files, with the keys and with what the vault remembers. */
export function verifyTexts(files: Files, vouching: Vouching): Promise<Verification> {
  const { vaultId, secretOf, remembered } = vouching;
  return verifyParts(partsOf(files), { seals: { vaultId, secretOf }, expected: [remembered] });
}

function partsOf(files: Files): ChainPart[] {
  const names = [...files.keys()].sort();
  const stubs = names.filter((name) => name === stubFileName);
  return [...stubs, ...names.filter((name) => segmentNumber(name) !== undefined)].map((name) => ({
    name,
    kind: name === stubFileName ? 'stubs' : 'segment',
    number: segmentNumber(name),
    async *blocks() {
      yield await Promise.resolve(Buffer.from(files.get(name) ?? '', 'latin1'));
    },
  }));
}

/** The lines of a text, without their ends. */
export const linesIn = (text = ''): string[] => text.split('\n').slice(0, -1);

/** The text of lines. */
export const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/**
 * The chain with one record changed and every hash from there on made anew, as somebody without a key would do it. The
 * seals keep their MACs.
 */
export function rebuilt(files: Files, from: string, line: number): Files {
  let head: ChainHead | undefined;
  return new Map(
    [...files].map(([name, text]) => {
      if (name === stubFileName || name < from) return [name, text];
      const lines = linesIn(text).map((old, index) => {
        if (head === undefined && (name !== from || index < line)) return old;
        const stored = readRecord(Buffer.from(old, 'latin1'));
        head ??= { seq: stored.seq - 1, hash: stored.prev };
        const { uid, gid, pid, mono, ...fields } = readFields(old);
        const made = recordLine(
          {
            event: stored.event,
            who: recordPrefix({ client: `${fields.client}!`, uid, gid, pid }),
            outcome: 'ok',
            profile: fields.profile,
            key: fields.key,
            code: fields.code,
            commit: stored.commit,
            detail:
              Object.keys(stored.detail).length === 0 ? undefined : (stored.detail as Record<string, string>),
          },
          head,
          { time: fields.time, mono },
        );
        head = made;
        return made.text.trimEnd();
      });
      return [name, textOf(lines)];
    }),
  );
}

const readFields = (line: string): z.output<typeof fieldsOfRecord> => fieldsOfRecord.parse(JSON.parse(line));

const fieldsOfRecord = z.object({
  time: z.string(),
  mono: z.number(),
  client: z.string(),
  uid: z.number(),
  gid: z.number(),
  pid: z.number(),
  profile: z.string().optional(),
  key: z.string().optional(),
  code: z.string().optional(),
});
