import { z } from 'zod';
import type { Check } from './quick-shapes.ts';
import type { Right } from './rights.ts';
import {
  acceptsBatch,
  acceptsGet,
  acceptsHandle,
  acceptsPlaintext,
  approvalId,
  backupId,
  bytes,
  chainPlace,
  count,
  credential,
  credentials,
  cryptoContext,
  cryptoHandle,
  expiry,
  keyStatus,
  keyring,
  limits,
  listEntry,
  note,
  nothing,
  path,
  profile,
  profileStatus,
  resealing,
  slotId,
  slotLabel,
  slotName,
  sshAlgorithm,
  sshKeyType,
  sshPublicKey,
  stored,
  tag,
  tags,
  tenant,
  text,
  time,
  version,
  version0,
} from './shapes.ts';

/** The gates that a request can pass, in their order; gate 0 (frame) and gate 6 (vault) are passed by all. */
export const gateOrder = ['lock', 'profile', 'identity', 'rate', 'access', 'approval', 'name'] as const;

/** The name of a gate. */
export type GateName = (typeof gateOrder)[number];

const everyGate: readonly GateName[] = gateOrder;
/** For what tells no value of a secret to anybody. */
const withoutApproval: readonly GateName[] = ['lock', 'profile', 'identity', 'rate', 'access', 'name'];
const withoutLock: readonly GateName[] = ['profile', 'identity', 'rate', 'access', 'name'];
const withoutLockAndProfile: readonly GateName[] = ['identity', 'rate', 'access', 'name'];
/** For what is asked of the daemon as a whole. */
const withoutProfile: readonly GateName[] = ['identity', 'rate', 'access'];

/** One entry of the table: everything that server, client, gates and docs need to know of an operation. */
interface Operation<Params extends z.ZodType, Result extends z.ZodType> {
  readonly params: Params;
  readonly result: Result;
  /** Whether `params` accepts a value, unchanged; for the operations that are asked often, where zod is a third of their cost. */
  readonly accepts?: Check;
  readonly gates: readonly GateName[];
  /** The rights that the caller needs, all of them; none where being identified is enough. */
  readonly needs: (params: z.output<Params>) => readonly Right[];
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
    needs: () => [],
    subject: () => undefined,
    batchable: false,
    changes: false,
    repeatable: true,
    ...entry,
  };
}

/** The full coordinate of a platform value, as grants and audit records write it. */
const coordinateOf = (params: Coordinate): string => `${params.keyring}/${params.namespace}/${params.key}`;

/** A secret that goes to another path. */
const twoPaths = [
  ({ from, to }: { readonly from: string; readonly to: string }): boolean => from !== to,
  { error: 'from and to are the same path' },
] as const;

interface Coordinate {
  readonly keyring: string;
  readonly namespace: string;
  readonly key: string;
  readonly tenant?: string | undefined;
}

/** To seal: what names no tenant has none. */
const sealingRight = ({ keyring, namespace, key, tenant }: Coordinate): readonly Right[] => [
  { kind: 'crypto', keyring, namespace, key, tenant: tenant ?? '' },
];

/** To open: what names no tenant means the one in the handle, and the daemon looks at the right on that one there. */
const openingRight = ({ keyring, namespace, key, tenant }: Coordinate): readonly Right[] => [
  { kind: 'crypto', keyring, namespace, key, ...(tenant === undefined ? {} : { tenant }) },
];

/** A tenant and perhaps the keyring, as audit records name them. */
const tenantSubject = (params: { readonly tenant: string; readonly keyring?: string | undefined }): string =>
  params.keyring === undefined ? `tenant ${params.tenant}` : `tenant ${params.tenant} in ${params.keyring}`;

/** To read an audit: the daemon's own, which no profile is named for, is its owner's and operators'. */
const auditRight = (params: { readonly profile?: string | undefined }): readonly Right[] => [
  { kind: params.profile === undefined ? 'daemon' : 'audit' },
];

/**
 * The one table of operations: shape of parameters and result, the gates it passes, the right it needs,
 * what its audit record names. Server, client, gates and docs/protocol.md derive from it.
 */
export const operations = {
  hello: operation({
    params: z.strictObject({
      versions: z.array(z.number().int().min(1).max(0xffff)).min(1).max(16),
      client: z.string().max(128).optional(),
      /** Whether the client seals the values in its messages once more, after the handshake that follows. */
      fieldEncryption: z.boolean().optional(),
    }),
    result: z.object({
      version: count,
      versions: z.array(count),
      daemon: z.string(),
      limits,
      /** Whether the daemon takes nothing from this peer but with field encryption. */
      fieldEncryption: z.boolean().optional(),
    }),
    gates: [],
  }),
  handshake: operation({
    params: z.strictObject({ pattern: z.enum(['IK', 'NN']), message: bytes }),
    result: z.object({ message: bytes }),
    gates: [],
    repeatable: false,
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
      credentials,
      /** The id of the rollback that the operator takes on purpose, as an earlier ROLLBACK error named it. */
      acceptRollback: z.string().max(128).optional(),
    }),
    result: z.object({
      vaultId: z.string(),
      already: z.boolean(),
      /** What the operator should know, although it is open. */
      warning: z.string().optional(),
    }),
    gates: withoutLockAndProfile,
    needs: () => [{ kind: 'unlock' }],
    subject: ({ acceptRollback }) =>
      acceptRollback === undefined ? undefined : `accept-rollback ${acceptRollback}`,
  }),
  lock: operation({
    params: z.strictObject({ profile }),
    result: z.object({ already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => [{ kind: 'lock' }],
  }),
  'lock.all': operation({
    params: z.strictObject({}),
    result: z.object({ profiles: z.array(z.object({ name: z.string(), already: z.boolean() })) }),
    gates: ['identity', 'rate'],
  }),
  'slot.list': operation({
    params: z.strictObject({ profile }),
    result: z.object({
      generation: count,
      slots: z.array(
        z.object({
          ...slotName,
          createdAt: time,
          argon2: z.object({ memoryKiB: count, passes: count }).optional(),
          opensAlone: z.boolean(),
          groups: z.array(z.string()),
        }),
      ),
      openers: z.array(z.object({ id: z.string(), slots: z.array(z.string()) })),
    }),
    needs: () => [{ kind: 'admin' }],
  }),
  'slot.add': operation({
    params: z.strictObject({ profile, credentials, added: credential, label: slotLabel.optional() }),
    result: z.object(slotName),
    needs: () => [{ kind: 'admin' }],
    subject: ({ added, label }) => label ?? added.kind,
    changes: true,
    repeatable: false,
  }),
  'slot.change': operation({
    params: z.strictObject({ profile, credentials, replacement: credential, slot: slotId.optional() }),
    result: z.object(slotName),
    needs: () => [{ kind: 'admin' }],
    subject: ({ slot }) => slot,
    changes: true,
    repeatable: false,
  }),
  'slot.remove': operation({
    params: z.strictObject({ profile, slot: slotId }),
    result: nothing,
    needs: () => [{ kind: 'admin' }],
    subject: ({ slot }) => slot,
    changes: true,
    repeatable: false,
  }),
  'slot.rename': operation({
    params: z.strictObject({ profile, slot: slotId, label: slotLabel }),
    result: nothing,
    needs: () => [{ kind: 'admin' }],
    subject: ({ slot }) => slot,
    changes: true,
    repeatable: false,
  }),
  'slot.group': operation({
    params: z.strictObject({ profile, credentials, slots: z.array(slotId).min(2).max(4) }),
    result: z.object({ group: z.string() }),
    needs: () => [{ kind: 'admin' }],
    subject: ({ slots }) => slots.join('+'),
    changes: true,
    repeatable: false,
  }),
  'slot.ungroup': operation({
    params: z.strictObject({ profile, credentials, group: slotId }),
    result: z.object({ alone: z.array(z.string()) }),
    needs: () => [{ kind: 'admin' }],
    subject: ({ group }) => group,
    changes: true,
    repeatable: false,
  }),
  'profile.activate': operation({
    params: z.strictObject({ profile }),
    result: z.object({ already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => [{ kind: 'admin' }],
    changes: true,
  }),
  'profile.deactivate': operation({
    params: z.strictObject({ profile }),
    result: z.object({ already: z.boolean() }),
    gates: withoutLockAndProfile,
    needs: () => [{ kind: 'admin' }],
    changes: true,
  }),
  'profile.delete': operation({
    params: z.strictObject({ profile }),
    result: nothing,
    gates: withoutLockAndProfile,
    needs: () => [{ kind: 'admin' }],
    changes: true,
    repeatable: false,
  }),
  'secret.set': operation({
    params: z.strictObject({
      profile,
      path,
      value: bytes,
      /** The version that must be current for the value to be stored; 0: there must be none. */
      ifVersion: version0.optional(),
      /** When the value is to be used no more; of this version alone. */
      expiresAt: expiry.optional(),
      /** What people say of the secret, and what they file it under; they stay unless given. Empty ones clear them. */
      note: note.optional(),
      tags: tags.optional(),
    }),
    result: stored,
    needs: (params) => [{ kind: 'write', path: params.path }],
    subject: (params) => params.path,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.get': operation({
    params: z.strictObject({
      profile,
      path,
      /** An earlier version that is kept; the current one if left out. */
      version: version.optional(),
      allowExpired: z.boolean().optional(),
    }),
    accepts: acceptsGet,
    result: z.object({
      value: bytes,
      version: count,
      createdAt: time,
      updatedAt: time,
      expiresAt: time.optional(),
    }),
    needs: (params) => [{ kind: 'read', path: params.path }],
    subject: (params) => params.path,
    batchable: true,
  }),
  'secret.history': operation({
    params: z.strictObject({ profile, path }),
    result: z.object({
      /** The newest first. */
      versions: z.array(
        z.object({
          version: count,
          state: z.enum(['current', 'superseded', 'deleted']),
          createdAt: time,
          by: z.string().optional(),
          expiresAt: time.optional(),
          /** The size of the value. */
          bytes: count,
        }),
      ),
      deletedAt: time.optional(),
    }),
    gates: withoutApproval,
    needs: (params) => [{ kind: 'read', path: params.path }],
    subject: (params) => params.path,
    batchable: true,
  }),
  'secret.restore': operation({
    params: z.strictObject({
      profile,
      path,
      /** The one that was deleted, else the newest that is not current, if left out. */
      version: version.optional(),
      /** As of `secret.set`. */
      ifVersion: version0.optional(),
    }),
    result: stored,
    gates: withoutApproval,
    needs: (params) => [
      { kind: 'read', path: params.path },
      { kind: 'write', path: params.path },
    ],
    subject: (params) => params.path,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.delete': operation({
    params: z.strictObject({
      profile,
      path,
      /** As of `secret.set`. */
      ifVersion: version0.optional(),
    }),
    result: nothing,
    needs: (params) => [{ kind: 'delete', path: params.path }],
    subject: (params) => params.path,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.purge': operation({
    params: z.strictObject({
      profile,
      path,
      /** An earlier version, which goes alone; all of them if left out. */
      version: version.optional(),
    }),
    result: z.object({
      /** How many versions were destroyed. */
      purged: count,
      /** Whether their bytes are gone from the disk too. */
      erased: z.boolean(),
    }),
    needs: (params) => [{ kind: 'delete', path: params.path }, { kind: 'admin' }],
    subject: (params) => params.path,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.rename': operation({
    params: z.strictObject({ profile, from: path, to: path }).refine(...twoPaths),
    result: z.object({ version: count }),
    needs: ({ from, to }) => [
      { kind: 'read', path: from },
      { kind: 'delete', path: from },
      { kind: 'write', path: to },
    ],
    subject: ({ from, to }) => `${from} to ${to}`,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.copy': operation({
    params: z
      .strictObject({
        profile,
        from: path,
        to: path,
        /** As of `secret.set`, for `to`. */
        ifVersion: version0.optional(),
      })
      .refine(...twoPaths),
    result: stored,
    needs: ({ from, to }) => [
      { kind: 'read', path: from },
      { kind: 'write', path: to },
    ],
    subject: ({ from, to }) => `${from} to ${to}`,
    batchable: true,
    changes: true,
    repeatable: false,
  }),
  'secret.list': operation({
    params: z.strictObject({
      profile,
      prefix: path.optional(),
      tag: tag.optional(),
      /** Only those whose value has expired, or only those whose value has not. */
      expired: z.boolean().optional(),
      /** Those that are deleted, instead of those that are not. */
      deleted: z.boolean().optional(),
      /** The `next` of the page before. */
      after: z.string().max(256).optional(),
      limit: z.number().int().min(1).max(1000).optional(),
    }),
    result: z.object({ entries: z.array(listEntry), next: z.string().optional() }),
    needs: () => [{ kind: 'listing' }],
    subject: (params) => params.prefix,
    batchable: true,
  }),
  'secret.paths': operation({
    params: z.strictObject({
      profile,
      prefix: path.optional(),
      /** The `next` of the page before. */
      after: z.string().max(256).optional(),
      limit: z.number().int().min(1).max(1000).optional(),
    }),
    result: z.object({ paths: z.array(path), next: z.string().optional() }),
    needs: () => [{ kind: 'listing' }],
    subject: (params) => params.prefix,
    batchable: true,
  }),
  'ssh.list': operation({
    params: z.strictObject({
      profile,
      prefix: path.optional(),
      /** The `next` of the page before. */
      after: z.string().max(256).optional(),
      limit: z.number().int().min(1).max(100).optional(),
    }),
    result: z.object({
      keys: z.array(z.object({ path, ...sshPublicKey })),
      /** Secrets of such names that are no key which signs, and why. */
      unusable: z.array(z.object({ path, message: z.string() })),
      next: z.string().optional(),
    }),
    needs: () => [{ kind: 'signing' }],
    subject: (params) => params.prefix,
  }),
  'ssh.public': operation({
    params: z.strictObject({ profile, path }),
    result: z.object(sshPublicKey),
    needs: (params) => [{ kind: 'key', path: params.path }],
    subject: (params) => params.path,
    batchable: true,
  }),
  'ssh.sign': operation({
    params: z.strictObject({ profile, path, data: bytes, algorithm: sshAlgorithm.optional() }),
    result: z.object({ signature: bytes }),
    needs: (params) => [{ kind: 'sign', path: params.path }],
    subject: (params) => params.path,
  }),
  'ssh.generate': operation({
    params: z.strictObject({
      profile,
      path,
      type: sshKeyType,
      /** Of an RSA key. */
      bits: z.number().int().min(2048).max(4096).multipleOf(8).optional(),
      comment: text(0, 256, /^[^\p{Cc}]*$/u).optional(),
    }),
    result: z.object({ version: count, ...sshPublicKey }),
    needs: (params) => [{ kind: 'write', path: params.path }],
    subject: (params) => params.path,
    changes: true,
    repeatable: false,
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
  'crypto.adopt': operation({
    params: z.strictObject({
      ...cryptoContext,
      handle: cryptoHandle,
      /** The 32 bytes that sealed the handle without the daemon. */
      oldKey: bytes,
    }),
    result: z.object({ handle: cryptoHandle }),
    needs: openingRight,
    subject: coordinateOf,
    batchable: true,
  }),
  'crypto.digestKey': operation({
    params: z.strictObject({ profile, keyring }),
    result: z.object({ key: bytes, vaultId: z.string() }),
    needs: (params) => [{ kind: 'keyring', keyring: params.keyring }],
    subject: (params) => params.keyring,
  }),
  'keys.rotateVault': operation({
    params: z.strictObject({ profile }),
    result: z.object({
      generation: count,
      keysetGeneration: count,
      files: z.object({ vault: z.string(), keyset: z.string() }),
      secrets: count,
      removed: z.boolean(),
    }),
    needs: () => [{ kind: 'keys' }],
    changes: true,
    repeatable: false,
  }),
  'keys.vaultRotation': operation({
    params: z.strictObject({ profile }),
    result: z.object({
      underWay: z.boolean(),
      phase: z.enum(['copy', 'check', 'switch']).optional(),
      done: count.optional(),
      total: count.optional(),
    }),
    needs: () => [{ kind: 'keys' }],
  }),
  'keys.rotate': operation({
    params: z.strictObject({ profile, keyring: keyring.optional() }),
    result: z.object({
      keyring,
      kmsKeyId: z.string(),
      version: count,
      lines: count,
      /** How many stored values are now being sealed anew. */
      left: count,
    }),
    needs: () => [{ kind: 'keys' }],
    subject: (params) => params.keyring,
    changes: true,
    repeatable: false,
  }),
  'keys.status': operation({
    params: z.strictObject({
      profile,
      keyring: keyring.optional(),
      tenant: tenant.optional(),
      /** The `next` of the page before. */
      before: z.number().int().min(1).max(0xffff_ffff).optional(),
      limit: z.number().int().min(1).max(1000).optional(),
    }),
    result: keyStatus,
    needs: () => [{ kind: 'keys' }],
    subject: (params) => params.keyring,
  }),
  'keys.resealing': operation({
    params: z.strictObject({ profile }),
    result: resealing,
    needs: () => [{ kind: 'keys' }],
  }),
  'keys.retire': operation({
    params: z.strictObject({
      profile,
      keyring: keyring.optional(),
      tenant: tenant.optional(),
      version: z.number().int().min(1).max(0xffff_ffff),
      /** Whether a legacy key is meant, which belongs to no keyring. */
      legacy: z.boolean().optional(),
    }),
    result: z.object({
      version: count,
      /** Whether it was destroyed before. */
      already: z.boolean(),
      /** Whether the key's sealed bytes are gone from the disk too. */
      erased: z.boolean(),
      /** The backups that may hold it, the oldest first. */
      backups: z.array(z.object({ id: z.string(), at: time })),
      /** Earlier states in the daemon's own home that may hold it; paths within its `profiles`. */
      copies: z.array(z.string()),
    }),
    needs: () => [{ kind: 'keys' }],
    subject: ({ keyring = 'default', tenant, version, legacy }) =>
      legacy === true
        ? `legacy v${version}`
        : `${keyring}${tenant === undefined ? '' : `/${tenant}`} v${version}`,
    changes: true,
    repeatable: false,
  }),
  'secret.importLegacy': operation({
    params: z.strictObject({
      profile,
      /** The 32-byte master key that sealed the rows. */
      key: bytes,
      rows: z
        .array(
          z.strictObject({
            path,
            nonce: bytes,
            /** The ciphertext, followed by its tag of 16 bytes. */
            ciphertext: bytes,
            createdAt: text(24, 24, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/).optional(),
          }),
        )
        .min(1)
        .max(1000),
      overwrite: z.boolean().optional(),
      /** Whether everything is looked at and nothing is stored. */
      check: z.boolean().optional(),
    }),
    result: z.object({
      /** How many were stored, or would be. */
      stored: count,
      /** How many were there already with the same value. */
      already: count,
      /** The rows that cannot be stored; where there is one, none of them was. */
      refused: z.array(z.object({ index: count, code: z.string(), message: z.string(), hint: z.string() })),
    }),
    needs: () => [{ kind: 'admin' }],
    subject: ({ rows, check }) => `${rows.length} rows${check === true ? ', checked only' : ''}`,
    changes: true,
    repeatable: false,
  }),
  'keys.shred': operation({
    params: z.strictObject({ profile, tenant, keyring: keyring.optional() }),
    result: z.object({
      tenant: z.string(),
      keyrings: z.array(z.string()),
      /** How many keys were destroyed; 0 where all of them were before. */
      keys: count,
      /** Whether the keys' sealed bytes are gone from the disk too. */
      erased: z.boolean(),
      /** The backups from before that may hold them, the oldest first. */
      backups: z.array(z.object({ id: z.string(), at: time })),
      /** Earlier states in the daemon's own home that may hold them; paths within its `profiles`. */
      copies: z.array(z.string()),
    }),
    needs: () => [{ kind: 'keys' }],
    subject: tenantSubject,
    changes: true,
    repeatable: false,
  }),
  'keys.reopen': operation({
    params: z.strictObject({ profile, tenant, keyring: keyring.optional() }),
    result: z.object({
      tenant: z.string(),
      /** The keys that were made; none where each keyring had one. */
      keys: z.array(z.object({ keyring, version: count, kmsKeyId: z.string() })),
    }),
    needs: () => [{ kind: 'keys' }],
    subject: tenantSubject,
    changes: true,
    repeatable: false,
  }),
  'backup.begin': operation({
    params: z.strictObject({ profile }),
    result: z.object({
      id: backupId,
      /** Of the whole backup, in bytes. */
      size: count,
      createdAt: time,
      vaultId: z.string(),
      /** The number of the last commit that it holds. */
      commit: count,
    }),
    needs: () => [{ kind: 'admin' }],
    changes: true,
    repeatable: false,
  }),
  'backup.read': operation({
    params: z.strictObject({ profile, id: backupId, offset: count }),
    result: z.object({ data: bytes }),
    needs: () => [{ kind: 'admin' }],
    subject: ({ id, offset }) => `backup ${id} at ${offset}`,
  }),
  'backup.end': operation({
    params: z.strictObject({ profile, id: backupId, kept: z.boolean() }),
    result: z.object({ complete: z.boolean() }),
    needs: () => [{ kind: 'admin' }],
    subject: ({ id, kept }) => `backup ${id} ${kept ? 'kept' : 'not kept'}`,
    changes: true,
    repeatable: false,
  }),
  'client.list': operation({
    params: z.strictObject({}),
    result: z.object({
      clients: z.array(
        z.object({
          name: z.string(),
          /** 64 hex digits. */
          publicKey: z.string(),
          createdAt: time,
          by: z.string(),
          connections: count,
        }),
      ),
    }),
    gates: withoutProfile,
    needs: () => [{ kind: 'daemon' }],
  }),
  'client.add': operation({
    params: z.strictObject({
      name: text(1, 256),
      /** The 32 bytes of the public half of the client's key. */
      publicKey: bytes,
    }),
    result: z.object({
      daemonKey: bytes,
      /** What the operator may not expect of it. */
      warnings: z.array(z.string()),
    }),
    gates: withoutProfile,
    needs: () => [{ kind: 'daemon' }],
    subject: ({ name }) => name,
    changes: true,
    repeatable: false,
  }),
  'client.remove': operation({
    params: z.strictObject({ name: text(1, 256) }),
    result: z.object({
      /** How many open connections of the client were ended. */
      closed: count,
      /** What the operator may not expect of it. */
      warnings: z.array(z.string()),
    }),
    gates: withoutProfile,
    needs: () => [{ kind: 'daemon' }],
    subject: ({ name }) => name,
    changes: true,
    repeatable: false,
  }),
  'approval.list': operation({
    params: z.strictObject({ profile: profile.optional() }),
    result: z.object({
      requests: z.array(
        z.object({
          id: z.string(),
          profile: z.string(),
          path,
          /** What it is asked for. */
          right: z.enum(['read', 'sign']),
          /** Who asked, by name, and the process that asked first. */
          client: z.string(),
          uid: count,
          pid: count,
          exe: z.string().optional(),
          askedAt: time,
          state: z.enum(['waiting', 'approved', 'denied', 'used']),
          /** Who decided. */
          by: z.string().optional(),
          expiresInMs: count,
        }),
      ),
    }),
    gates: ['identity', 'rate'],
  }),
  'approval.decide': operation({
    params: z.strictObject({ profile, id: approvalId, approve: z.boolean() }),
    result: z.object({ path, right: z.enum(['read', 'sign']), client: z.string(), expiresInMs: count }),
    needs: () => [{ kind: 'admin' }],
    subject: ({ id, approve }) => `${approve ? 'approve' : 'deny'} ${id}`,
    changes: true,
    repeatable: false,
  }),
  'grant.add': operation({
    params: z.strictObject({
      profile,
      client: text(1, 256),
      right: z.enum(['read', 'write', 'delete', 'list', 'sign', 'crypto']),
      /** Over `<scope>/<name>`; for `crypto` over `<keyring>/<namespace>/<key>`, for all tenants. */
      pattern: text(1, 512),
      seconds: z.number().int().min(1).max(2_592_000),
    }),
    result: z.object({
      id: z.string(),
      until: time,
      /** Whether the config or an enrolment knows a client of that name. */
      known: z.boolean(),
    }),
    gates: withoutLock,
    needs: () => [{ kind: 'admin' }],
    subject: ({ client, right, pattern, seconds }) => `${client} ${right} ${pattern} for ${seconds} s`,
    changes: true,
    repeatable: false,
  }),
  'grant.list': operation({
    params: z.strictObject({ profile: profile.optional() }),
    result: z.object({
      grants: z.array(
        z.object({
          id: z.string(),
          profile: z.string(),
          client: z.string(),
          right: z.string(),
          pattern: z.string(),
          by: z.string(),
          until: time,
          secondsLeft: count,
        }),
      ),
    }),
    gates: ['identity', 'rate'],
  }),
  'grant.remove': operation({
    params: z
      .strictObject({
        profile: profile.optional(),
        client: text(1, 256).optional(),
        id: text(1, 64).optional(),
      })
      .refine(
        ({ profile, client, id }) =>
          (id === undefined) === (client !== undefined) && (client === undefined) === (profile === undefined),
        { error: 'either an id, or a profile and a client' },
      ),
    result: z.object({
      /** How many grants were taken back. */
      removed: count,
    }),
    gates: withoutLock,
    needs: (params) => (params.profile === undefined ? [] : [{ kind: 'admin' }]),
    subject: ({ client, id }) => client ?? id,
    changes: true,
    repeatable: false,
  }),
  'audit.segments': operation({
    params: z.strictObject({ profile: profile.optional() }),
    result: z.object({
      chain: z.string(),
      /** The hash of the chain's first record. */
      start: z.string(),
      head: chainPlace,
      /** Whether there are stubs of segments that are not kept any more. */
      stubs: z.boolean(),
      segments: z.array(z.object({ number: count, bytes: count })),
    }),
    gates: withoutLockAndProfile,
    needs: auditRight,
  }),
  'audit.read': operation({
    params: z.strictObject({
      profile: profile.optional(),
      /** 0: the stubs. */
      segment: count,
      offset: count,
    }),
    result: z.object({ data: bytes, size: count }),
    gates: withoutLockAndProfile,
    needs: auditRight,
    subject: ({ segment, offset }) => `segment ${segment} at ${offset}`,
  }),
  'audit.verify': operation({
    params: z.strictObject({
      profile,
      /** Seals, stubs and checkpoints as they stand in the files, without their line ends. */
      lines: z.array(text(1, 4_096)).max(250).optional(),
    }),
    result: z.object({
      vaultId: z.string(),
      commit: count,
      generation: count,
      /** The last record that is written, and the one that the vault remembers. */
      head: chainPlace,
      remembered: chainPlace.optional(),
      /** The lines that no key of the profile has made. */
      bad: z.array(z.object({ index: count, why: z.string() })),
    }),
    needs: auditRight,
  }),
  'audit.checkpoint': operation({
    params: z.strictObject({ profile: profile.optional() }),
    result: z.object({ line: z.string() }),
    gates: withoutLockAndProfile,
    needs: auditRight,
  }),
  batch: operation({
    params: z.strictObject({
      items: z
        .array(z.strictObject({ op: z.string().max(64), params: z.record(z.string(), z.unknown()) }))
        .min(1)
        .max(100_000),
    }),
    accepts: acceptsBatch,
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
              approval: z.string().exactOptional(),
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
    needs: () => [{ kind: 'daemon' }],
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
