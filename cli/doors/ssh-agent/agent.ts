import { whenApproved } from '../../../client/approval.ts';
import type { HushClient } from '../../../client/client.ts';
import { HushError } from '../../../protocol/errors.ts';
import type { ParamsOf } from '../../../protocol/operations.ts';
import { printable } from '../../../protocol/printable.ts';
import type { Answer } from './conversation.ts';
import { listKeys, type VaultKey } from './keys.ts';
import { failure, identitiesMessage, parseRequest, signatureMessage, type AgentRequest } from './messages.ts';

interface AgentParts {
  /** The daemon; asked for anew where it could not be reached. */
  readonly daemon: () => Promise<Pick<HushClient, 'call'>>;
  readonly profile: string;
  /** Which keys are offered: patterns over `<scope>/<name>`. */
  readonly patterns: readonly string[];
  /** How long a signature waits for somebody's approval, in milliseconds. */
  readonly waitMs: number;
  /** Told why a request was refused. */
  readonly onRefused: (error: HushError) => void;
  /** Told of a signature that waits for an approval. */
  readonly onWaiting: (pending: HushError) => void;
}

/** An SSH agent whose keys are in the vault, and stay there. */
export interface Agent {
  /** The answer to a message of the agent protocol. Never rejects: what is refused is a failure, as agents say it. */
  readonly answer: Answer;
}

type Algorithm = ParamsOf<'ssh.sign'>['algorithm'];
type Signing = Extract<AgentRequest, { kind: 'sign' }>;

/** SSH_AGENT_RSA_SHA2_256 and SSH_AGENT_RSA_SHA2_512 (draft-miller-ssh-agent 3.6.1). */
const sha256Flag = 2;
const sha512Flag = 4;

/** An agent over a daemon. */
export function createAgent(parts: AgentParts): Agent {
  const { profile, patterns } = parts;
  /** Where the keys were when they were last looked for, by their public halves. */
  let known = new Map<string, VaultKey>();

  const look = async (daemon: Pick<HushClient, 'call'>): Promise<readonly VaultKey[]> => {
    const { keys, unusable } = await listKeys(daemon, profile, patterns);
    for (const { path, message } of unusable) {
      parts.onRefused(
        new HushError('BAD_REQUEST', `${path}: ${message}`, { hint: 'hush door ssh-agent --help' }),
      );
    }
    known = new Map(keys.map((key) => [textOf(key.publicKey), key]));
    return [...known.values()];
  };

  /** The key with that public half: where it was, if that is what is there now. */
  const find = async (daemon: Pick<HushClient, 'call'>, wanted: Uint8Array): Promise<VaultKey> => {
    const text = textOf(wanted);
    const key = known.get(text);
    if (key !== undefined && (await isStill(daemon, key))) return key;
    await look(daemon);
    const found = known.get(text);
    if (found !== undefined) return found;
    throw new HushError('NOT_FOUND', 'a signature was asked for with a key that is not offered here', {
      hint: 'ssh-add -l shows the keys',
    });
  };

  const isStill = async (
    daemon: Pick<HushClient, 'call'>,
    { path, publicKey }: VaultKey,
  ): Promise<boolean> => {
    try {
      const now = await daemon.call('ssh.public', { profile, path });
      return textOf(now.publicKey) === textOf(publicKey);
    } catch (error) {
      if (error instanceof HushError && ['NOT_FOUND', 'BAD_REQUEST'].includes(error.code)) return false;
      throw error;
    }
  };

  const sign = async ({ key, data, flags }: Signing, isWanted: () => boolean): Promise<Uint8Array> => {
    const daemon = await parts.daemon();
    const { path, type } = await find(daemon, key);
    const algorithm = type === 'rsa' ? rsaAlgorithm(flags) : undefined;
    const { signature } = await whenApproved(
      () => daemon.call('ssh.sign', { profile, path, data, algorithm }),
      { waitMs: parts.waitMs, onWaiting: parts.onWaiting, isWanted },
    );
    return signatureMessage(signature);
  };

  const answerTo = async (
    request: AgentRequest | undefined,
    isWanted: () => boolean,
  ): Promise<Uint8Array> => {
    switch (request?.kind) {
      case 'identities': {
        const keys = await look(await parts.daemon());
        // Clients print the comment as it comes, and into authorized_keys.
        const commentOf = ({ comment, path }: VaultKey): string => printable(comment || path);
        return identitiesMessage(keys.map((key) => ({ ...key, comment: commentOf(key) })));
      }
      case 'sign':
        return sign(request, isWanted);
      case 'other':
      case undefined:
        return failure;
    }
  };

  return {
    async answer(message, isWanted) {
      try {
        return await answerTo(parseRequest(message), isWanted);
      } catch (error) {
        parts.onRefused(
          error instanceof HushError ? error : new HushError('UNAVAILABLE', undefined, { cause: error }),
        );
        return failure;
      }
    },
  };
}

/** The newer of what the client takes. Throws BAD_REQUEST where that is SHA-1 alone. */
function rsaAlgorithm(flags: number): Algorithm {
  if ((flags & sha512Flag) !== 0) return 'rsa-sha2-512';
  if ((flags & sha256Flag) !== 0) return 'rsa-sha2-256';
  throw new HushError(
    'BAD_REQUEST',
    'a signature with SHA-1 was asked for, which nobody should take any more',
    {
      hint: 'update that SSH client, or use an Ed25519 key',
    },
  );
}

const textOf = (publicKey: Uint8Array): string => Buffer.from(publicKey).toString('base64');
