import { z } from 'zod';
import { isSlotId, isSlotLabel } from './names.ts';
import { isMoment, isNote, tagPattern } from './notes.ts';
import { arrayOf, exactly, isRecord, isText, type Check } from './quick-shapes.ts';

/*
 * The shapes of what requests and replies are made of, from which the table of operations puts its own together.
 */

export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not binary');
export const count = z.number().int().nonnegative();
export const time = z.string();

/** A text of some length in UTF-16 units; one check, where zod's own `min` and `max` are two and cost 0.3 µs more each. */
export const text = (least: number, most: number, pattern?: RegExp) =>
  z.custom<string>(
    isText(least, most, pattern),
    `not a text of ${least} to ${most} characters${pattern === undefined ? '' : ` like ${pattern.source}`}`,
  );

const keyringPattern = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
export const profile = text(0, 256);
export const path = text(0, 1024);
export const keyring = text(1, 64, keyringPattern);
export const nothing = z.object({});

/** A version of a secret; the second also takes 0, for none. */
export const version = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const version0 = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const expiry = z.custom<string>(
  (value) => typeof value === 'string' && isMoment(value),
  'not a time like 2026-12-31T23:59:59Z',
);
export const note = z.custom<string>(
  (value) => typeof value === 'string' && isNote(value),
  'not a note: 1,024 bytes at most, no control characters but newline',
);
export const tag = text(1, 64, tagPattern);
export const tags = z.array(tag).max(16);

/** What is told of a value that was stored; `created`: there was no current one before. */
export const stored = z.object({ version: count, createdAt: time, updatedAt: time, created: z.boolean() });

/** The platform's columns hold 128 characters of namespace and key (see docs/protocol.md, `crypto.encrypt`). */
const coordinate = text(1, 128);
export const tenant = text(1, 128);

/** A sealed value as the platform keeps it; `ciphertext` is base64 and says everything about itself. */
export const cryptoHandle = z.strictObject({
  id: text(1, 248),
  kmsKeyId: text(1, 256),
  alg: text(1, 64),
  version: z.number().int().min(1).max(0xffff_ffff),
  ciphertext: text(1, 0xffff_ffff),
});

export const cryptoContext = {
  profile,
  keyring,
  namespace: coordinate,
  key: coordinate,
  tenant: tenant.optional(),
};

const isProfile = isText(0, 256);
const isBytes: Check = (value) => value instanceof Uint8Array;
const isCoordinate = isText(1, 128);
const isVersion: Check = (value) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff;

export const acceptsGet = exactly({ profile: isProfile, path: isText(0, 1024) });
const contextChecks = {
  profile: isProfile,
  keyring: isText(1, 64, keyringPattern),
  namespace: isCoordinate,
  key: isCoordinate,
};
const tenantCheck = { tenant: isText(1, 128) };
/** As `cryptoHandle`, for tables of many. */
export const isHandle = exactly({
  id: isText(1, 248),
  kmsKeyId: isText(1, 256),
  alg: isText(1, 64),
  version: isVersion,
  ciphertext: isText(1, 0xffff_ffff),
});
export const acceptsHandle = exactly({ ...contextChecks, handle: isHandle }, tenantCheck);
export const acceptsPlaintext = exactly({ ...contextChecks, plaintext: isBytes }, tenantCheck);

export const acceptsBatch = exactly({
  items: arrayOf(exactly({ op: isText(0, 64), params: isRecord }), 1, 100_000),
});

export const limits = z.object({
  frameBytes: count,
  valueBytes: count,
  plaintextBytes: count,
  connections: count,
  inFlight: count,
  helloMs: count,
  frameMs: count,
  idleMs: count,
  writeBacklogBytes: count,
  drainMs: count,
  batchItems: count,
});

/** The limits that the daemon tells in `hello`: bytes, counts and milliseconds. */
export type Limits = z.output<typeof limits>;

const profileState = z.enum(['locked', 'unlocked', 'inactive']);

const credentialKind = z.enum(['passphrase', 'key', 'recovery']);

/** What opens a slot: `secret` is a passphrase (UTF-8, NFKC) or exactly 32 bytes of key or recovery key. */
export const credential = z.strictObject({ kind: credentialKind, secret: bytes });

/** Credentials that open a profile, alone or together. */
export const credentials = z.array(credential).min(1).max(4);

export const slotId = z.custom<string>(
  (value) => typeof value === 'string' && isSlotId(value),
  'not the 16 hex digits of an id',
);
export const slotLabel = z.custom<string>(
  (value) => typeof value === 'string' && isSlotLabel(value),
  'not a label: 1-64 characters, no control character, no blank at its ends, and no id',
);

export const slotName = { id: z.string(), kind: credentialKind, label: z.string() };

export const listEntry = z.object({
  path,
  version: count,
  createdAt: time,
  updatedAt: time,
  /** Of the value, in bytes. */
  size: count,
  expiresAt: time.optional(),
  note: z.string().optional(),
  tags: z.array(z.string()).optional(),
  deletedAt: time.optional(),
});

export const sshKeyType = z.enum(['ed25519', 'rsa']);
export const sshAlgorithm = z.enum(['ssh-ed25519', 'rsa-sha2-256', 'rsa-sha2-512']);

/** The public half of an SSH key; `publicKey` as SSH sends it (RFC 4253 6.6). */
export const sshPublicKey = { type: sshKeyType, publicKey: bytes, comment: z.string() };

/** A record of an audit chain, by its number and hash. */
export const chainPlace = z.object({ seq: count, hash: z.string() });

export const backupId = text(32, 32, /^[0-9a-f]{32}$/);

export const approvalId = text(16, 16, /^[0-9a-f]{16}$/);

export const profileStatus = z.object({
  name: z.string(),
  state: profileState,
  vaultId: z.string().optional(),
  /** Why the profile cannot be opened now, where that is known without opening it. */
  problem: z.string().optional(),
  /** What opens it, each of the outer list alone, all of an inner list together; not proved while it is locked. */
  opensWith: z.array(z.array(z.object({ kind: credentialKind, label: z.string() }))).optional(),
  unlockedAt: time.optional(),
  secrets: count.optional(),
  activeKey: z.string().optional(),
  /** When the newest backup that was kept was taken, and how many data keys it does not hold. */
  backup: z.object({ at: time.optional(), missingKeys: count }).optional(),
  cache: z
    .object({ entries: count, bytes: count, hits: count, misses: count, ttlSeconds: z.number() })
    .optional(),
});

const keyState = z.enum(['active', 'retired', 'destroyed']);

/** How the sealing anew of stored values stands. */
export const resealing = z.object({
  /** `stalled`: some could not be sealed anew, for the reason in `error`. */
  state: z.enum(['idle', 'running', 'stalled']),
  /** How many this run, or the last one, has sealed anew. */
  moved: count,
  left: count,
  elapsedMs: count,
  /** A second. */
  rate: count,
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).optional(),
});

export const keyStatus = z.object({
  keyring,
  tenant: tenant.optional(),
  /** The version that seals; absent where the keys of the line are destroyed. */
  active: count.optional(),
  /** The keys of the line, the newest first. */
  keys: z.array(
    z.object({
      version: count,
      kmsKeyId: z.string(),
      state: keyState,
      createdAt: time,
      createdBy: z.string(),
      retiredAt: time.optional(),
      retiredBy: z.string().optional(),
      destroyedAt: time.optional(),
      destroyedBy: z.string().optional(),
      /** How many stored values it seals. */
      values: count,
      /** How many messages it has sealed at most. */
      messages: count,
      /** About when it last opened a handle, since it is not the newest any more. */
      lastDecryptAt: time.optional(),
      inBackup: z.boolean(),
    }),
  ),
  /** `before` of the next page of keys. */
  next: count.optional(),
  messageLimit: count,
  values: count,
  legacyValues: count,
  legacyKeys: z.array(
    z.object({ version: count, state: keyState, importedAt: time, importedBy: z.string() }),
  ),
  resealing,
  keyrings: z.array(
    z.object({
      keyring,
      tenants: count,
      shredded: count,
      active: count,
      retired: count,
      destroyed: count,
      oldestAt: time.optional(),
      mostMessages: count,
    }),
  ),
  automatic: z.object({ afterDays: count.optional(), afterMessages: count.optional() }),
  lastBackupAt: time.optional(),
  /** How many keys that can open something are in no backup that was kept. */
  newerThanBackup: count,
  /** What to do next, the most urgent first. */
  advice: z.array(
    z.object({
      topic: z.string(),
      level: z.enum(['note', 'warning']),
      message: z.string(),
      hint: z.string().optional(),
    }),
  ),
});
