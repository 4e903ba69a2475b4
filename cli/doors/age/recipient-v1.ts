import { HushError } from '../../../protocol/errors.ts';
import { wipe } from '../../../protocol/bytes.ts';
import { encodeBase64 } from './base64.ts';
import type { Conversation } from './conversation.ts';
import { parseIdentity } from './identity.ts';
import { fileKeyBytes, wrapFileKey } from './x25519.ts';

/**
 * The state machine `recipient-v1` of age's plugin protocol (C2SP age-plugin): wraps file keys for identities in the
 * vault, whose public keys stand in them, so that the daemon is not asked. The stanzas are age's own X25519 ones.
 */
export async function wrapFileKeys(talk: Conversation): Promise<void> {
  const recipients: string[] = [];
  const identities: string[] = [];
  const fileKeys: Uint8Array[] = [];
  try {
    for await (const { type, args, body } of talk.commands()) {
      const [first = ''] = args;
      if (type === 'add-recipient') recipients.push(first);
      if (type === 'add-identity') identities.push(first);
      if (type === 'wrap-file-key') fileKeys.push(body);
    }
    for (const at of recipients.keys()) await talk.fail(['recipient', String(at)], noRecipients());
    const publicKeys = await publicKeysOf(identities, talk);
    if (recipients.length > 0 || publicKeys === undefined) return;
    if (fileKeys.some((fileKey) => fileKey.length !== fileKeyBytes))
      throw new HushError('BAD_REQUEST', 'a file key is not 16 bytes', { hint: '' });
    for (const [file, fileKey] of fileKeys.entries()) {
      for (const publicKey of publicKeys) {
        const { share, body } = wrapFileKey(fileKey, publicKey);
        const argument = new TextDecoder().decode(encodeBase64(share));
        await talk.say('recipient-stanza', [String(file), 'X25519', argument], body);
      }
    }
  } finally {
    wipe(...fileKeys);
  }
}

async function publicKeysOf(
  identities: readonly string[],
  talk: Conversation,
): Promise<readonly Uint8Array[] | undefined> {
  const publicKeys: Uint8Array[] = [];
  for (const [at, text] of identities.entries()) {
    try {
      publicKeys.push(parseIdentity(text).publicKey);
    } catch (error) {
      if (!(error instanceof HushError)) throw error;
      await talk.fail(['identity', String(at)], error);
    }
  }
  return publicKeys.length === identities.length ? publicKeys : undefined;
}

const noRecipients = (): HushError =>
  new HushError('BAD_REQUEST', 'age-plugin-hush has no recipients of its own', {
    hint: 'encrypt to the age1… that hush door age identity PATH prints',
  });
