import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';
import { HushError } from '../../protocol/errors.ts';

const backlog = 511;

/**
 * Has a server listen, at a path that is this user's alone from its first moment on, or on a socket that is there
 * already. Throws UNAVAILABLE with that hint.
 */
export async function listenAlone(
  server: Server,
  at: { readonly path: string } | { readonly fd: number },
  hint: string,
): Promise<void> {
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...at, backlog }, resolve);
    });
    if ('path' in at) chmodSync(at.path, 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'failed';
    throw new HushError('UNAVAILABLE', `cannot listen: ${reason}`, { hint, cause: error });
  } finally {
    process.umask(umask);
  }
}
