import { secretPath } from './daemons.ts';
import { requestOf, requestToText, type Load, type Request } from './load.ts';
import type { Target } from './rounds.ts';
import { valueBytes } from './scale.ts';

/** How many different secrets and handles a load asks for; all of them stay in the cache. */
const asked = 50;
const each = <T>(make: (index: number) => T): T[] => Array.from({ length: asked }, (_, index) => make(index));

const place = { profile: 'default', keyring: 'default', namespace: 'mail', key: 'smtp_password' };
const value = Buffer.alloc(valueBytes, 7);

export const getRequests = each((index) =>
  requestOf('secret.get', { profile: 'default', path: secretPath(index) }),
);

export const setRequests = each((index) =>
  requestOf('secret.set', { profile: 'default', path: secretPath(index), value }),
);

export const encryptRequests = [requestOf('crypto.encrypt', { ...place, plaintext: value })];

/** One request of `crypto.decrypt` a handle, sealed by the daemon that it will be asked of. */
export async function decryptRequests(load: Load): Promise<Request[]> {
  const requests: Request[] = [];
  while (requests.length < asked) {
    const sealed = await load.call('crypto.encrypt', { ...place, plaintext: value });
    // The reply has the shape that docs/protocol.md gives.
    const { handle } = sealed as { handle: object };
    requests.push(requestOf('crypto.decrypt', { ...place, handle }));
  }
  return requests;
}

/** A server that speaks hushd's protocol, as a target of rounds. */
export const hushTarget = (name: string, socketPath: string, requests: readonly Request[]): Target => ({
  name,
  socketPath,
  protocol: 'hushd',
  requests: requests.map(requestToText),
});
