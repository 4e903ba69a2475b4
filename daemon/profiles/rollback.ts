import { HushError } from '../../protocol/errors.ts';
import type { Chain } from '../audit/chain.ts';
import { noHash, type ChainHead } from '../audit/records.ts';
import type { AuditSecretOf, Seal, SealState } from '../audit/seals.ts';
import { proveStub } from '../audit/stubs.ts';

/** What is compared at unlock. */
export interface FreshnessClaims {
  readonly chain: Chain;
  /** What vault and header say of themselves. */
  readonly state: SealState;
  /** The audit record that the vault remembers as written to the disk. */
  readonly head: ChainHead | undefined;
  /** The newest generation of the header that the vault remembers. */
  readonly knownGeneration: number;
  /** Whether the key set's file is an older one than the vault's copy. */
  readonly olderKeyset: boolean;
  readonly secretOf: AuditSecretOf;
  /** The id of the findings that the operator takes on purpose. */
  readonly accept: string | undefined;
}

/** How far the state had come that was given up for an older one. */
export interface GivenUp {
  readonly commit: number;
  readonly generation: number;
}

/**
 * Compares vault and header with the profile's audit chain, which grows with each change and is sealed under a key of
 * the vault: whichever is behind was put back. A vault or a header behind the newest seal is ROLLBACK, and so is an audit
 * behind the record that the vault remembers, and an older file of the key set; a chain that was rewritten is INTEGRITY.
 * All that is found is told at once, and has one id by which an operator can take just that on purpose. A vault that is
 * ahead of the audit is a crash, and heals by itself.
 *
 * Answers the numbers that vault and header must go past from here on where an older state was taken on purpose: else
 * the newer one that was given up could be put back later without a sign.
 */
export async function checkFreshness(claims: FreshnessClaims): Promise<GivenUp | undefined> {
  const { accept } = claims;
  const audit = await readAudit(claims);
  const findings = findingsIn(claims, audit);
  if (findings.length === 0) return undefined;
  const id = idOf(claims, audit.seal, findings);
  if (id === accept) return furthest(claims, audit.seal);
  const code = findings.some((finding) => finding.code === 'INTEGRITY') ? 'INTEGRITY' : 'ROLLBACK';
  throw new HushError(code, findings.map(({ message }) => message).join('; '), {
    hint: `${restoreFirst(findings)}if this was on purpose: hush unlock --accept-rollback ${id}`,
  });
}

interface Finding {
  readonly of: 'audit' | 'vault' | 'header' | 'keyset';
  readonly code: 'ROLLBACK' | 'INTEGRITY';
  readonly message: string;
}

/** What the chain proves. */
interface AuditFacts {
  /** What is wrong with the chain itself. */
  readonly fault: Finding | undefined;
  /** The newest seal that verifies. */
  readonly seal: Seal | undefined;
}

async function readAudit({ chain, state, head, secretOf }: FreshnessClaims): Promise<AuditFacts> {
  const faulty = async (code: Finding['code'], message: string): Promise<AuditFacts> => ({
    fault: { of: 'audit', code, message },
    // What is left of the chain may still prove that vault or header were put back too.
    seal: await chain.provenSeal(state.vaultId, secretOf),
  });
  const { seq: written } = chain.head();
  if (head !== undefined && head.seq > written) {
    const ends = `it ends at record ${written}, and the vault remembers record ${head.seq}`;
    return faulty('ROLLBACK', `the audit lacks its tail: ${ends}`);
  }
  try {
    const seal = await chain.lastSeal(state.vaultId, secretOf);
    if (head === undefined) return { fault: undefined, seal };
    const isKept = await chain.requirePassed(head, (stub) => {
      proveStub(stub, state.vaultId, secretOf);
    });
    // A vault of today remembers a record of today: only an older one can remember what was given up since.
    if (!isKept && seal !== undefined && seal.commit <= state.commit)
      return await faulty('INTEGRITY', `the audit is another one: a stub stands for record ${head.seq}`);
    if (seal !== undefined) return { fault: undefined, seal };
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'INTEGRITY')) throw error;
    const remembers = head === undefined ? '' : `; the vault remembers record ${head.seq}`;
    return faulty('INTEGRITY', `the audit was tampered with: ${error.message}${remembers}`);
  }
  return faulty('INTEGRITY', 'the audit was tampered with: the seals that the vault remembers are gone');
}

/** What is told before the id: with an older vault go the data keys that only the newer one has. */
function restoreFirst(findings: readonly Finding[]): string {
  if (!findings.some(({ of }) => of === 'vault' || of === 'keyset')) return 'restore the newer files, or, ';
  return (
    'restore the newer files: without them all that was stored since is given up, and so are data keys made since, ' +
    'so that what they sealed opens no more; or, '
  );
}

function findingsIn(
  { state, knownGeneration, olderKeyset }: FreshnessClaims,
  { fault, seal }: AuditFacts,
): Finding[] {
  const findings: Finding[] = fault === undefined ? [] : [fault];
  const behind = (of: Finding['of'], message: string): void => {
    findings.push({ of, code: 'ROLLBACK', message });
  };
  if (seal !== undefined && seal.commit > state.commit) {
    behind('vault', `the vault is older than the audit: it is at change ${state.commit}, not ${seal.commit}`);
  }
  if (seal !== undefined && seal.generation > state.generation) {
    behind(
      'header',
      `the header is older than the audit: it is of generation ${state.generation}, not ${seal.generation}`,
    );
  } else if (knownGeneration > state.generation) {
    behind(
      'header',
      `the header is older than the vault remembers: it is of generation ${state.generation}, not ${knownGeneration}`,
    );
  }
  if (olderKeyset) behind('keyset', 'the file of the key set is older than the vault');
  return findings;
}

/**
 * Names all findings, and what they are about: the state that would be taken, and the newer one that would be given up.
 * Not the end of the chain: that moves with the record of each refused unlock, and the id must stay.
 */
function idOf(
  { state, head }: FreshnessClaims,
  seal: Seal | undefined,
  findings: readonly Finding[],
): string {
  const isBehind = findings.some(({ of }) => of === 'vault' || of === 'header');
  const at = (isBehind ? seal : head) ?? { seq: 0, hash: noHash };
  const kinds = findings.map(({ of }) => of);
  return [state.generation, state.commit, at.seq, at.hash.slice(0, 12), ...kinds].join('-');
}

const furthest = ({ state, knownGeneration }: FreshnessClaims, seal: Seal | undefined): GivenUp => ({
  commit: Math.max(state.commit, seal?.commit ?? 0),
  generation: Math.max(state.generation, knownGeneration, seal?.generation ?? 0),
});
