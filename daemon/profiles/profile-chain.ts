import { openChain, type Chain } from '../audit/chain.ts';
import type { ChainKeys } from '../audit/retention.ts';
import { auditSecretOf } from './audit-keys.ts';
import type { Profile, ProfileChain } from './profile.ts';
import type { Session } from './session.ts';

/** Told when audit records could not be sealed or put on the disk. */
export type OnUnsealed = (profile: string, error: unknown) => void;

/** The chain of a profile, opened when it is first asked for. Throws as `openChain`. */
export function chainOf(profile: Profile): ProfileChain {
  /** Where the daemon's own chain stood at the last seal. */
  let sealedDaemon: string | undefined;
  profile.chain ??= {
    chain: openChain(profile.paths.audit, profile.name),
    profile: profile.name,
    canSeal: () => profile.session !== undefined,
    seal() {
      const { session } = profile;
      if (session === undefined) return;
      sealedDaemon = profile.daemonChain.syncedHead().hash;
      sealWith(profile, this.chain, session);
    },
    isBehindDaemon: () => profile.daemonChain.syncedHead().hash !== sealedDaemon,
    keys: () => (profile.session === undefined ? undefined : chainKeysOf(profile.session)),
    keepHead(atOnce) {
      const { session } = profile;
      if (session === undefined) return;
      session.vault.noteAuditHead(this.chain.syncedHead());
      // A vault that is not in its place takes no commit: that is told to whoever wants to change it.
      if (atOnce && session.misplaced() === undefined) persist(session);
    },
  };
  return profile.chain;
}

/** Appends a seal. What it says of the daemon's own chain is on the disk: no power cut makes it a lie. */
function sealWith({ daemonChain }: Profile, chain: Chain, session: Session): void {
  const daemon = { ...daemonChain.syncedHead(), start: daemonChain.start };
  chain.seal({ ...session.sealState(), daemon }, session.auditKey());
}

/** What vouches for the audit of an unlocked profile. */
export const chainKeysOf = ({ vault, keyring, auditKey }: Session): ChainKeys => ({
  vaultId: vault.vaultId,
  key: auditKey,
  secretOf: (id) => auditSecretOf(keyring, id),
});

/** The chain in the file that is at its path now: mending a file puts another one there. */
export function chainInPlace(profile: Profile, onUnsealed: OnUnsealed): Chain {
  const own = chainOf(profile);
  if (own.chain.isInPlace()) return own.chain;
  const left = own.chain;
  own.chain = openChain(profile.paths.audit, profile.name);
  left.close().catch((error: unknown) => {
    onUnsealed(profile.name, error);
  });
  return own.chain;
}

/** Seals and syncs the audit, and has the vault remember its end. Throws LOCKED, UNAVAILABLE. */
export function settle(profile: Profile, session: Session): Chain {
  const { chain } = chainOf(profile);
  chain.flush();
  // A head that the vault remembers must have a seal before it, or it looks as if the seals were cut off.
  const isKnown = session.vault.auditHead()?.hash === chain.head().hash;
  if (chain.unsealed() > 0 || !isKnown) sealWith(profile, chain, session);
  chain.flush();
  // So that the last records before a lock cannot be cut off without a trace.
  chain.syncNow();
  session.vault.noteAuditHead(chain.syncedHead());
  persist(session);
  return chain;
}

/** Has the vault remember the end of the audit, and which header is the newest: it vouches for both without the other. */
function persist({ vault, header }: Session): void {
  vault.rememberHeader(header().generation);
  vault.persistAuditHead();
}
