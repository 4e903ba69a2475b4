import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { createInterface } from 'node:readline';

import { harden } from '../../daemon/hardening.ts';
import type { HardeningReport } from '../../daemon/hardening.ts';
import { findMasterKey } from '../../daemon/master-key.ts';
import { createSecureArena } from '../../daemon/memory/secure-bytes.ts';
import type { SecureArenaKind } from '../../daemon/memory/secure-bytes.ts';

/** What the serving process says of itself. */
export interface ServingFacts {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The environment as the kernel shows it. */
  readonly environ: string;
  readonly inspector: string | undefined;
  readonly memory: SecureArenaKind;
  readonly hardening: HardeningReport;
  /** SHA-256 of the master key in hex. */
  readonly keyHash: string | undefined;
  readonly limits: string;
  /** What descriptor 3 is. */
  readonly third: string;
}

/** Hardens this process, prints its facts, and prints the debugger's address for each line that it reads. */
export function serveFacts(): void {
  // Once it is hardened, a process of an ordinary user cannot read this of itself either.
  const environ = readFileSync('/proc/self/environ', 'latin1');
  const arena = createSecureArena();
  const hardening = harden(arena.kind);
  const found = findMasterKey({ env: process.env }, arena);
  const facts: ServingFacts = {
    pid: process.pid,
    argv: process.argv.slice(2),
    execArgv: process.execArgv,
    env: { ...process.env },
    environ,
    inspector: inspectorUrl(),
    memory: arena.kind,
    hardening,
    keyHash: found && createHash('sha256').update(found.key.bytes).digest('hex'),
    limits: readFileSync('/proc/self/limits', 'latin1'),
    third: readlinkSync('/proc/self/fd/3'),
  };
  found?.key.wipe();
  console.log(JSON.stringify(facts));
  createInterface({ input: process.stdin }).on('line', () => console.log(String(inspectorUrl())));
}
