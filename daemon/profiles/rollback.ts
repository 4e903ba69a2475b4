import { HushError } from '../../protocol/errors.ts';
import type { Chain } from '../audit/chain.ts';
import { noHash, type ChainHead } from '../audit/records.ts';
import type { AuditSecretOf, Seal, SealState } from '../audit/seals.ts';

/** What is compared at unlock. */
export interface FreshnessClaims {
  readonly chain: Chain;
  /** What vault and header say of themselves. */
  readonly state: SealState;
  /** The audit record that the vault remembers as written to the disk. */
  readonly head: ChainHead | undefined;
  /** Whether the key set's file is an older one than the vault's copy. */
  readonly olderKeyset: boolean;
  readonly secretOf: AuditSecretOf;
  /** The id of the finding that the operator takes on purpose. */
  readonly accept: string | undefined;
}

/**
 * Compares vault and header with the profile's audit chain, which grows with each change and is sealed under a key of
 * the vault: whichever is behind was put back. A vault behind the newest seal is ROLLBACK, and so is an audit behind
 * the record that the vault remembers, and an older file of the key set; a chain that was rewritten is INTEGRITY.
 * What is found has an id by which an operator can take just that on purpose. A vault that is ahead of the audit is a
 * crash, and heals by itself.
 *
 * Answers the numbers that vault and header must go past from here on where an older state was taken on purpose: else
 * the newer one that was given up could be put back later without a sign.
 */
export async function checkFreshness(claims: FreshnessClaims): Promise<GivenUp | undefined> {
  const ofAudit = await find(claims);
  const finding = claims.olderKeyset ? withOlderKeyset(claims, ofAudit) : ofAudit;
  if (finding === undefined) return undefined;
  if (finding.id === claims.accept) return finding.givenUp ?? claims.state;
  throw new HushError(finding.code, finding.message, {
    hint: `restore the newer files, or, if this was on purpose: hush unlock --accept-rollback ${finding.id}`,
  });
}

/** How far the state had come that was given up for an older one. */
export interface GivenUp {
  readonly commit: number;
  readonly generation: number;
}

interface Finding {
  readonly code: 'ROLLBACK' | 'INTEGRITY';
  readonly id: string;
  readonly message: string;
  readonly givenUp?: GivenUp;
}

function withOlderKeyset({ state, head = nowhere }: FreshnessClaims, other: Finding | undefined): Finding {
  const message = 'the file of the key set is older than the vault';
  if (other !== undefined)
    return { ...other, id: `${other.id}-keyset`, message: `${other.message}; ${message}` };
  return { code: 'ROLLBACK', id: `${idOf(state, head)}-keyset`, message };
}

const idOf = ({ generation, commit }: SealState, at: ChainHead): string =>
  `${generation}-${commit}-${at.seq}-${at.hash.slice(0, 12)}`;

const nowhere: ChainHead = { seq: 0, hash: noHash };

async function find({ chain, state, head, secretOf }: FreshnessClaims): Promise<Finding | undefined> {
  // Not of the end of the chain: that moves with the record of each refused unlock, and the id must stay.
  const finding = (code: Finding['code'], message: string, at: ChainHead = head ?? nowhere): Finding => ({
    code,
    id: idOf(state, at),
    message,
  });
  const { seq: written } = chain.head();
  if (head !== undefined && head.seq > written) {
    return finding(
      'ROLLBACK',
      `the audit lacks its tail: it ends at record ${written}, and the vault remembers record ${head.seq}`,
    );
  }
  let seal: Seal | undefined;
  try {
    seal = await chain.lastSeal(state.vaultId, secretOf, head);
  } catch (error) {
    if (error instanceof HushError && error.code === 'INTEGRITY') {
      return finding('INTEGRITY', `the audit was tampered with: ${error.message}`);
    }
    throw error;
  }
  if (seal === undefined) {
    return head === undefined
      ? undefined
      : finding('INTEGRITY', 'the audit was tampered with: the seals that the vault remembers are gone');
  }
  if (seal.commit > state.commit) {
    const found = finding(
      'ROLLBACK',
      `the vault is older than the audit: it is at change ${state.commit}, not ${seal.commit}`,
      seal,
    );
    return { ...found, givenUp: seal };
  }
  if (seal.generation > state.generation) {
    const found = finding(
      'ROLLBACK',
      `the header is older than the audit: it is of generation ${state.generation}, not ${seal.generation}`,
      seal,
    );
    return { ...found, givenUp: seal };
  }
  return undefined;
}
