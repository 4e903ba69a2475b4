import { keyBytes } from '../../../noise/x25519.ts';
import { HushError } from '../../../protocol/errors.ts';
import { withDaemon, type Daemon } from '../../daemon.ts';
import { decodeBase64 } from './base64.ts';
import type { Conversation } from './conversation.ts';
import { parseIdentity, type VaultIdentity } from './identity.ts';
import type { Stanza } from './stanza.ts';
import { privateKeyOf } from './vault-key.ts';
import { unwrapFileKey, wrappedBytes, type Wrapped } from './x25519.ts';

const mostStanzas = 10_000;
const encoder = new TextEncoder();

/** The stanzas of the header of one file, in their order. */
type Files = Map<string, Stanza[]>;

/** What could be got of one identity: its key, or why not. */
type Got = { readonly key: Uint8Array<ArrayBuffer> } | { readonly error: HushError };

/**
 * The state machine `identity-v1` of age's plugin protocol (C2SP age-plugin): takes identities and the stanzas of files,
 * and answers with the file keys that they open. The daemon is asked only where a stanza may be for us.
 */
export async function unwrapFileKeys(talk: Conversation): Promise<void> {
  const identities: string[] = [];
  const files: Files = new Map();
  let count = 0;
  for await (const { type, args, body } of talk.commands()) {
    const [first = '', stanzaType, ...rest] = args;
    if (type === 'add-identity') identities.push(first);
    if (type !== 'recipient-stanza' || stanzaType === undefined) continue;
    count += 1;
    if (count > mostStanzas) {
      throw new HushError('TOO_LARGE', `the file has more than ${mostStanzas} recipients`, {
        hint: 'encrypt it to fewer',
      });
    }
    const stanzas = files.get(first) ?? [];
    stanzas.push({ type: stanzaType, args: rest, body });
    files.set(first, stanzas);
  }

  const known = await parseAll(identities, talk);
  if (known === undefined) return;
  const wanted: [string, Wrapped[]][] = [];
  for (const [file, stanzas] of files) {
    const wrapped = await wrappedIn(file, stanzas, talk);
    if (wrapped !== undefined && wrapped.length > 0) wanted.push([file, wrapped]);
  }
  if (wanted.length > 0) await unwrapAll(wanted, known, talk);
}

/** Reads the identities, or tells which of them are none. */
async function parseAll(
  texts: readonly string[],
  talk: Conversation,
): Promise<readonly VaultIdentity[] | undefined> {
  const known: VaultIdentity[] = [];
  for (const [at, text] of texts.entries()) {
    try {
      known.push(parseIdentity(text));
    } catch (error) {
      await talk.fail(['identity', String(at)], expected(error));
    }
  }
  return known.length === texts.length ? known : undefined;
}

/** The X25519 stanzas of a file; undefined, and told of, where one of them is malformed. */
async function wrappedIn(
  file: string,
  stanzas: readonly Stanza[],
  talk: Conversation,
): Promise<Wrapped[] | undefined> {
  const wrapped: Wrapped[] = [];
  let isWhole = true;
  for (const [at, { type, args, body }] of stanzas.entries()) {
    if (type !== 'X25519') continue;
    const share = args.length === 1 ? decodeBase64(encoder.encode(args[0])) : undefined;
    if (share?.length === keyBytes && body.length === wrappedBytes) {
      wrapped.push({ share, body });
      continue;
    }
    isWhole = false;
    const error = new HushError('BAD_REQUEST', 'an X25519 stanza of the file is malformed', { hint: '' });
    await talk.fail(['stanza', file, String(at)], error);
  }
  return isWhole ? wrapped : undefined;
}

async function unwrapAll(
  wanted: readonly (readonly [string, readonly Wrapped[]])[],
  identities: readonly VaultIdentity[],
  talk: Conversation,
): Promise<void> {
  const got = await keysOf(identities);
  try {
    let isWhole = true;
    for (const [file, wrapped] of wanted) {
      const fileKey = firstFileKey(wrapped, got);
      isWhole &&= fileKey !== undefined;
      if (fileKey === undefined) continue;
      try {
        await talk.say('file-key', [file], fileKey);
      } finally {
        fileKey.fill(0);
      }
    }
    if (isWhole) return;
    // Only now: an identity that cannot be had is no matter where another one opens all.
    for (const [at, one] of got.entries())
      if ('error' in one) await talk.fail(['identity', String(at)], one.error);
  } finally {
    for (const one of got) if ('key' in one) one.key.fill(0);
  }
}

function firstFileKey(wrapped: readonly Wrapped[], got: readonly Got[]): Uint8Array<ArrayBuffer> | undefined {
  for (const one of got) {
    if ('error' in one) continue;
    for (const stanza of wrapped) {
      const fileKey = unwrapFileKey(stanza, one.key);
      if (fileKey !== undefined) return fileKey;
    }
  }
  return undefined;
}

/** The keys of the identities, over one connection. */
async function keysOf(identities: readonly VaultIdentity[]): Promise<Got[]> {
  const got = (ask: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Got> =>
    ask().then(
      (key) => ({ key }),
      (error: unknown) => ({ error: expected(error) }),
    );
  try {
    return await withDaemon((daemon: Daemon) =>
      Promise.all(identities.map((identity) => got(() => privateKeyOf(daemon, identity)))),
    );
  } catch (error) {
    return identities.map(() => ({ error: expected(error) }));
  }
}

function expected(error: unknown): HushError {
  if (error instanceof HushError) return error;
  throw error;
}
