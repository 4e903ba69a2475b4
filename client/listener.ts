import { isUsableIdentity } from '../native/peer-credentials.ts';
import type { PeerCredentials } from '../native/peer-credentials.ts';
import { HushError } from '../protocol/errors.ts';
import type { Environment } from './socket-path.ts';

/** Whose daemon a client talks to. */
export interface TrustedListeners {
  /** The client's own user id. */
  readonly own: number;
  /** The user id that the operator named as the daemon's. */
  readonly named?: number;
}

const uidPattern = /^\d{1,10}$/;

/**
 * The users whose daemon is trusted: the client's own, root, and the one that `named` or HUSH_DAEMON_UID names.
 * Throws BAD_REQUEST when HUSH_DAEMON_UID is not a number.
 */
export function trustedListenersOf(env: Environment, named?: number): TrustedListeners {
  // A platform without user ids has no Unix-domain peer credentials either; -1 is nobody's.
  const own = process.geteuid?.() ?? -1;
  if (named !== undefined) return { own, named };
  const text = env['HUSH_DAEMON_UID'];
  if (!text) return { own };
  if (uidPattern.test(text)) return { own, named: Number(text) };
  throw new HushError('BAD_REQUEST', 'HUSH_DAEMON_UID is not a user id', {
    hint: 'set it to a number, such as 998',
  });
}

/**
 * Lets pass a listening end of a trusted user. Ids that another namespace left without a name are trusted only
 * when the operator named them. Throws UNTRUSTED_LISTENER.
 */
export function checkListener(peer: PeerCredentials, { own, named }: TrustedListeners): void {
  if (peer.uid === named) return;
  if (isUsableIdentity(peer) && (peer.uid === own || peer.uid === 0)) return;
  throw new HushError(
    'UNTRUSTED_LISTENER',
    `the daemon's socket is served by uid ${peer.uid}, which is not trusted`,
  );
}
