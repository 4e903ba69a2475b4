import { publicKeyOf } from '../../../noise/x25519.ts';
import { HushError } from '../../../protocol/errors.ts';
import type { Daemon } from '../../daemon.ts';
import { typedFor, type Target } from '../../target.ts';
import { newSecretKey, parseSecretKey, type VaultIdentity } from './identity.ts';

/** Makes a new identity in the vault; answers its public key. Throws EXISTS where there is a secret already. */
export async function makeIdentity(daemon: Daemon, target: Target): Promise<Uint8Array> {
  const { text, publicKey } = newSecretKey();
  try {
    await daemon.call('secret.set', { ...target, value: text, ifVersion: 0 });
    return publicKey;
  } catch (error) {
    if (!(error instanceof HushError && error.code === 'CONFLICT')) throw error;
    throw new HushError('EXISTS', `${target.path} exists already`, {
      hint: typedFor('door age identity', target, process.env),
      cause: error,
    });
  } finally {
    text.fill(0);
  }
}

/** The private key that a secret holds, which the caller wipes. Throws what a get throws, BAD_REQUEST. */
export async function fetchPrivateKey(daemon: Daemon, target: Target): Promise<Uint8Array<ArrayBuffer>> {
  const { value } = await daemon.call('secret.get', target);
  try {
    return parseSecretKey(value);
  } finally {
    value.fill(0);
  }
}

/** The private key of an identity, which the caller wipes. Throws INTEGRITY where the secret is another's meanwhile. */
export async function privateKeyOf(
  daemon: Daemon,
  { reference, publicKey }: VaultIdentity,
): Promise<Uint8Array<ArrayBuffer>> {
  const { profile, path } = reference;
  const target = { profile, path: path.text };
  const privateKey = await fetchPrivateKey(daemon, target);
  if (publicKeyOf(privateKey).every((byte, at) => byte === publicKey[at])) return privateKey;
  privateKey.fill(0);
  throw new HushError('INTEGRITY', `${path.text} holds another key than this identity was made from`, {
    hint: typedFor('history', target, process.env),
  });
}
