import { z } from 'zod';
import { exactly, isText, type Check } from './quick-shapes.ts';
import type { Right } from './rights.ts';

/** The gates that a request can pass, in their order; gate 0 (frame) and gate 6 (vault) are passed by all. */
export const gateOrder = ['lock', 'profile', 'identity', 'rate', 'access', 'name'] as const;

/** The name of a gate. */
export type GateName = (typeof gateOrder)[number];

const everyGate: readonly GateName[] = gateOrder;
const withoutLockAndProfile: readonly GateName[] = ['identity', 'rate', 'access', 'name'];

/** One entry of the table: everything that server, client, gates and docs need to know of an operation. */
interface Operation<Params extends z.ZodType, Result extends z.ZodType> {
  readonly params: Params;
  readonly result: Result;
  /** Whether `params` accepts a value, unchanged; for the operations that are asked often, where zod is a third of their cost. */
  readonly accepts?: Check;
  readonly gates: readonly GateName[];
  /** The right that the caller needs; undefined where being identified is enough. */
  readonly needs: (params: z.output<Params>) => Right | undefined;
  /** What the audit record names as the thing acted on, besides the profile. */
  readonly subject: (params: z.output<Params>) => string | undefined;
  /** Whether it may stand in a `batch`. */
  readonly batchable: boolean;
  /** Whether it changes what is stored, so that its audit record is on the disk before it is acknowledged. */
  readonly changes: boolean;
  /** Whether sending it a second time, when the first reply was lost, does no harm. */
  readonly repeatable: boolean;
}

function operation<Params extends z.ZodType, Result extends z.ZodType>(
  entry: Partial<Operation<Params, Result>> & { params: Params; result: Result },
): Operation<Params, Result> {
  return {
    gates: everyGate,
    needs: () => undefined,
    subject: () => undefined,
    batchable: false,
    changes: false,
    repeatable: true,
    ...entry,
  };
}

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not binary');
const count = z.number().int().nonnegative();
const time = z.string();

/** A text of some length in UTF-16 units; one check, where zod's own `min` and `max` are two and cost 0.3 µs more each. */
const text = (least: number, most: number, pattern?: RegExp) =>
  z.custom<string>(
    isText(least, most, pattern),
    `not a text of ${least} to ${most} characters${pattern === undefined ? '' : ` like ${pattern.source}`}`,
  );

const keyringPattern = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const profile = text(0, 256);
const path = text(0, 1024);
const keyring = text(1, 64, keyringPattern);
const nothing = z.object({});

/** The platform's columns hold 128 characters of namespace and key (see docs/protocol.md, `crypto.encrypt`). */
const coordinate = text(1, 128);
const tenant = text(1, 128);

/** A sealed value as the platform keeps it; `ciphertext` is base64 and says everything about itself. */
export const cryptoHandle = z.strictObject({
  id: text(1, 248),
  kmsKeyId: text(1, 256),
  alg: text(1, 64),
  version: z.number().int().min(1).max(0xffff_ffff),
  ciphertext: text(1, 0xffff_ffff),
});

const cryptoContext = {
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

const acceptsGet = exactly({ profile: isProfile, path: isText(0, 1024) });
const contextChecks = {
  profile: isProfile,
  keyring: isText(1, 64, keyringPattern),
  namespace: isCoordinate,
  key: isCoordinate,
};
const tenantCheck = { tenant: isText(1, 128) };
const isHandle = exactly({
  id: isText(1, 248),
  kmsKeyId: isText(1, 256),
  alg: isText(1, 64),
  version: isVersion,
  ciphertext: isText(1, 0xffff_ffff),
});
const acceptsHandle = exactly({ ...contextChecks, handle: isHandle }, tenantCheck);
const acceptsPlaintext = exactly({ ...contextChecks, plaintext: isBytes }, tenantCheck);

/** The full coordinate of a platform value, as grants and audit records write it. */
const coordinateOf = (params: Coordinate): string => `${params.keyring}/${params.namespace}/${params.key}`;

interface Coordinate {
  readonly keyring: string;
  readonly namespace: string;
  readonly key: string;
  readonly tenant?: string | undefined;
}

/** To seal: what names no tenant has none. */
const sealingRight = ({ keyring, namespace, key, tenant }: Coordinate): Right => ({
  kind: 'crypto',
  keyring,
  namespace,
  key,
  tenant: tenant ?? '',
});

/** To open: what names no tenant means the one in the handle, and the daemon looks at the right on that one there. */
const openingRight = ({ keyring, namespace, key, tenant }: Coordinate): Right => ({
  kind: 'crypto',
  keyring,
  namespace,
  key,
  ...(tenant === undefined ? {} : { tenant }),
});

const limits = z.object({
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

/** A credential of `unlock`: `secret` is a passphrase (UTF-8, NFKC) or exactly 32 bytes of key. */
const credential = z.strictObject({ kind: z.enum(['passphrase', 'key']), secret: bytes });

const listEntry = z.object({
  path,
  version: count,
  createdAt: time,
  updatedAt: time,
  size: count,
});

const profileStatus = z.object({
  name: z.string(),
  state: profileState,
  vaultId: z.string().optional(),
  /** Why the profile cannot be opened now, where that is known without opening it. */
  problem: z.string().optional(),
  unlockedAt: time.optional(),
  secrets: count.optional(),
  activeKey: z.string().optional(),
  cache: z
    .object({ entries: count, bytes: count, hits: count, misses: count, ttlSeconds: z.number() })
    .optional(),
});

/**
 * The one table of operations: shape of parameters and result, the gates it passes, the right it needs,
 * what its audit record names. Server, client, gates and docs/protocol.md derive from it.
 */
export const operations = {
  hello: operation({
    params: z.strictObject({
      versions: z.array(z.number().int().min(1).max(0xffff)).min(1).max(16),
      client: z.string().max(128).optional(),
    }),
    result: z.object({ version: count, versions: z.array(count), daemon: z.string(), limits }),
    gates: [],
  }),
  status: operation({
    params: z.strictObject({ profile: profile.optional() }),
    result: z.object({
      pid: count,
      version: z.string(),
      node: z.string(),
      startedAt: time,
      uptimeMs: count,
      rssBytes: count,
      configGeneration: count,
      hardening: z.array(
        z.object({ name: z.string(), state: z.enum(['on', 'off']), detail: z.string().optional() }),
      ),
      profiles: z.array(profileStatus),
    }),
    gates: ['identity', 'rate'],
  }),
  unlock: operation({
    params: z.strictObject({
      profile,
      credentials: z.array(credential).min(1).max(4),
      /** The id of the rollback that the operator takes on purpose, as an earlier ROLLBACK error named it. */
      acceptRollback: z.string().max(128).optional(),
    }),
    result: z.object({ vaultId: z.string(), already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => ({ kind: 'unlock' }),
    subject: ({ acceptRollback }) =>
      acceptRollback === undefined ? undefined : `accept-rollback ${acceptRollback}`,
  }),
  lock: operation({
    params: z.strictObject({ profile }),
    result: z.object({ already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => ({ kind: 'lock' }),
  }),
  'profile.activate': operation({
    params: z.strictObject({ profile }),
    result: z.object({ already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => ({ kind: 'admin' }),
    changes: true,
  }),
  'profile.deactivate': operation({
    params: z.strictObject({ profile }),
    result: z.object({ already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => ({ kind: 'admin' }),
    changes: true,
  }),
  'profile.delete': operation({
    params: z.strictObject({ profile }),
    result: nothing,
    gates: withoutLockAndProfile,
    needs: () => ({ kind: 'admin' }),
    changes: true,
    repeatable: false,
  }),
  'secret.set': operation({
    params: z.strictObject({ profile, path, value: bytes }),
    result: z.object({ version: count, createdAt: time, updatedAt: time, created: z.boolean() }),
    needs: (params) => ({ kind: 'write', path: params.path }),
    subject: (params) => params.path,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.get': operation({
    params: z.strictObject({ profile, path }),
    accepts: acceptsGet,
    result: z.object({ value: bytes, version: count, createdAt: time, updatedAt: time }),
    needs: (params) => ({ kind: 'read', path: params.path }),
    subject: (params) => params.path,
    batchable: true,
  }),
  'secret.delete': operation({
    params: z.strictObject({ profile, path }),
    result: nothing,
    needs: (params) => ({ kind: 'delete', path: params.path }),
    subject: (params) => params.path,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.list': operation({
    params: z.strictObject({
      profile,
      prefix: path.optional(),
      /** The `next` of the page before. */
      after: z.string().max(256).optional(),
      limit: z.number().int().min(1).max(1000).optional(),
    }),
    result: z.object({ entries: z.array(listEntry), next: z.string().optional() }),
    needs: () => ({ kind: 'listing' }),
    subject: (params) => params.prefix,
    batchable: true,
  }),
  'crypto.encrypt': operation({
    params: z.strictObject({ ...cryptoContext, plaintext: bytes }),
    accepts: acceptsPlaintext,
    result: z.object({ handle: cryptoHandle }),
    needs: sealingRight,
    subject: coordinateOf,
    batchable: true,
  }),
  'crypto.decrypt': operation({
    params: z.strictObject({ ...cryptoContext, handle: cryptoHandle }),
    accepts: acceptsHandle,
    result: z.object({ plaintext: bytes }),
    needs: openingRight,
    subject: coordinateOf,
    batchable: true,
  }),
  'crypto.rotate': operation({
    params: z.strictObject({ ...cryptoContext, handle: cryptoHandle }),
    accepts: acceptsHandle,
    result: z.object({ handle: cryptoHandle }),
    needs: openingRight,
    subject: coordinateOf,
    batchable: true,
  }),
  'crypto.digestKey': operation({
    params: z.strictObject({ profile, keyring }),
    result: z.object({ key: bytes, vaultId: z.string() }),
    needs: (params) => ({ kind: 'keyring', keyring: params.keyring }),
    subject: (params) => params.keyring,
  }),
  'keys.rotate': operation({
    params: z.strictObject({ profile, keyring: keyring.optional() }),
    result: z.object({ keyring, kmsKeyId: z.string(), version: count, lines: count }),
    needs: () => ({ kind: 'keys' }),
    subject: (params) => params.keyring,
    changes: true,
    repeatable: false,
  }),
  batch: operation({
    params: z.strictObject({
      items: z
        .array(z.strictObject({ op: z.string().max(64), params: z.record(z.string(), z.unknown()) }))
        .min(1)
        .max(100_000),
    }),
    result: z.object({
      results: z.array(
        z.union([
          z.object({ ok: z.record(z.string(), z.unknown()) }),
          z.object({
            error: z.object({
              code: z.string(),
              message: z.string(),
              hint: z.string().exactOptional(),
              retryAfterMs: z.number().exactOptional(),
              limit: z.string().exactOptional(),
            }),
          }),
        ]),
      ),
    }),
    gates: ['identity'],
    repeatable: false,
  }),
  'daemon.stop': operation({
    params: z.strictObject({}),
    result: z.object({ pid: count }),
    gates: ['identity', 'rate', 'access'],
    needs: () => ({ kind: 'daemon' }),
  }),
} as const;

/** The name of an operation. */
export type OperationName = keyof typeof operations;

/** The parameters of an operation, checked. */
export type ParamsOf<Name extends OperationName> = z.output<(typeof operations)[Name]['params']>;

/** The result of an operation. */
export type ResultOf<Name extends OperationName> = z.output<(typeof operations)[Name]['result']>;

const names = new Map<string, OperationName>(
  // The keys of the table are the names, by the definition of the type.
  (Object.keys(operations) as OperationName[]).map((name) => [name, name]),
);

/**
 * The operation that a text names, as the table's own string, or undefined. Look-ups by that string are cheap; by a
 * string that has just come off the wire each one costs a search of its own.
 */
export function operationNamed(text: string): OperationName | undefined {
  return names.get(text);
}
