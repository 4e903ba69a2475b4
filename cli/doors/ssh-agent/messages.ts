import { concatBytes } from '../../../protocol/bytes.ts';
import { createSshReader, sshString, sshUint32 } from '../../../daemon/signing/wire.ts';

/** What a client of an agent asks, of what is served here (draft-miller-ssh-agent, sections 3.5 and 3.6). */
export type AgentRequest =
  | { readonly kind: 'identities' }
  | { readonly kind: 'sign'; readonly key: Uint8Array; readonly data: Uint8Array; readonly flags: number }
  /** Adding, removing, locking, extensions and what there will be: all of them are answered with a failure. */
  | { readonly kind: 'other'; readonly type: number };

/** A key as an agent tells of it. */
export interface AgentIdentity {
  /** As SSH sends it. */
  readonly publicKey: Uint8Array;
  readonly comment: string;
}

/** The largest message that agents and their clients take (AGENT_MAX_LEN of OpenSSH). */
export const mostMessageBytes = 256 * 1024;

const requestIdentities = 11;
const identitiesAnswer = 12;
const signRequest = 13;
const signResponse = 14;

/** SSH_AGENT_FAILURE: the answer to all that is refused. */
export const failure: Uint8Array = Uint8Array.of(5);

/** The request in a message without its length; undefined where it is not whole, or has more than belongs to it. */
export function parseRequest(message: Uint8Array): AgentRequest | undefined {
  const [type] = message;
  if (type === undefined) return undefined;
  const reader = createSshReader(message.subarray(1));
  if (type === requestIdentities) return reader.left() === 0 ? { kind: 'identities' } : undefined;
  if (type !== signRequest) return { kind: 'other', type };
  const key = reader.string();
  const data = reader.string();
  const flags = reader.uint32();
  if (key === undefined || data === undefined || flags === undefined || reader.left() !== 0) return undefined;
  return { kind: 'sign', key, data, flags };
}

/** The answer that tells of these keys, of the first of them where not all have room. */
export function identitiesMessage(identities: readonly AgentIdentity[]): Uint8Array {
  let room = mostMessageBytes - 5;
  const told: Uint8Array[] = [];
  for (const { publicKey, comment } of identities) {
    const entry = concatBytes(sshString(publicKey), sshString(Buffer.from(comment, 'utf8')));
    room -= entry.length;
    if (room < 0) break;
    told.push(entry);
  }
  return concatBytes(Uint8Array.of(identitiesAnswer), sshUint32(told.length), ...told);
}

/** The answer that holds a signature. */
export function signatureMessage(signature: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(signResponse), sshString(signature));
}
