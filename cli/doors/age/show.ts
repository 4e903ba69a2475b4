import { publicKeyOf } from '../../../noise/x25519.ts';
import { parseReference } from '../../../protocol/names.ts';
import { withDaemon } from '../../daemon.ts';
import type { Output } from '../../output.ts';
import { targetOf, type ProfileOption } from '../../target.ts';
import { identityText, recipientText } from './identity.ts';
import { fetchPrivateKey, makeIdentity } from './vault-key.ts';

/**
 * Prints what stands in an identity file for a secret, which is made first for `new`: the recipient as a comment, and
 * the identity. Nothing of it is secret. Throws what a get or set throws, EXISTS, BAD_REQUEST.
 */
export async function showIdentity(
  what: 'new' | 'identity',
  path: string,
  options: ProfileOption,
  output: Output,
): Promise<void> {
  const target = targetOf(path, options, process.env);
  const publicKey = await withDaemon(async (daemon) => {
    if (what === 'new') return makeIdentity(daemon, target);
    const privateKey = await fetchPrivateKey(daemon, target);
    try {
      return publicKeyOf(privateKey);
    } finally {
      privateKey.fill(0);
    }
  });
  const text = `hush://${target.profile}/${target.path}`;
  const recipient = recipientText(publicKey);
  const identity = identityText({ reference: parseReference(text), publicKey });
  await output.facts({ reference: text, recipient, identity }, [
    `# secret: ${text}`,
    `# recipient: ${recipient}`,
    identity,
  ]);
}
