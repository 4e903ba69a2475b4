import { type CryptoRules, type PathRules, compileCryptoRules, compilePathRules } from './patterns.ts';
import { profileSchema, type RawConfig } from './schema.ts';

/** Bounds of the wire; bytes and milliseconds as the names say. */
export interface Limits {
  /** The largest frame in either direction, its 4 length bytes not counted. */
  readonly frameBytes: number;
  /** The largest stored value. */
  readonly valueBytes: number;
  /** The largest plaintext of `encrypt`. */
  readonly plaintextBytes: number;
  readonly connections: number;
  /** Requests in flight on one connection. */
  readonly inFlight: number;
  readonly helloMs: number;
  /** A frame that has begun must be complete by then. */
  readonly frameMs: number;
  readonly idleMs: number;
  readonly writeBacklogBytes: number;
  /** A peer with replies waiting must have read something by then. */
  readonly drainMs: number;
  readonly batchItems: number;
}

/** The cache of opened values; a TTL of 0 switches it off. */
export interface CacheConfig {
  readonly ttlSeconds: number;
  readonly entries: number;
  readonly bytes: number;
}

/** Token buckets: tokens a second, and how many a full bucket holds. */
export interface RateConfig {
  readonly rate: number;
  readonly burst: number;
  readonly unidentifiedRate: number;
  readonly unidentifiedBurst: number;
}

/** How the socket is reached, and what a client that can must seal once more; mode and group take effect at the start. */
export interface TransportConfig {
  /** The permission bits of the socket's file. */
  readonly socketMode: 0o600 | 0o660 | 0o666;
  /** The group of the socket's file, by name or id. */
  readonly socketGroup: string | number | undefined;
  readonly fieldEncryption: boolean;
}

/** What identifies a client; all conditions that are given must hold. */
export interface ClientRule {
  readonly name: string;
  readonly uid?: number;
  /** The primary group; the kernel tells no others. */
  readonly gid?: number;
  /** The path of the executable, as /proc/PID/exe shows it. */
  readonly exe?: string;
  /** The SHA-256 of the executable's bytes, in lower-case hex. */
  readonly sha256?: string;
  /** The systemd unit that it runs in, as its cgroup shows it. */
  readonly unit?: string;
  /** That the handshake proved the key that was enrolled under this name. */
  readonly enrolled?: true;
  /** No condition: whether it must seal the values in its messages once more. */
  readonly fieldEncryption: boolean;
}

/** What one client may do on one profile; whatever is not granted is denied, and an empty list grants nothing. */
export interface Grant {
  readonly read: PathRules;
  readonly write: PathRules;
  readonly delete: PathRules;
  /** Which of the readable names `list` shows; undefined: all of them. */
  readonly list: PathRules | undefined;
  /** Which keys it may have something signed with; those that it may read besides. */
  readonly sign: PathRules;
  readonly crypto: CryptoRules;
  readonly keys: boolean;
  readonly unlock: boolean;
  readonly lock: boolean;
  readonly audit: boolean;
  readonly admin: boolean;
  /** Past this moment it gives nothing; milliseconds since 1970. */
  readonly until: number | undefined;
  readonly rate: number | undefined;
  readonly burst: number | undefined;
}

/** When a data key is followed by a new one by itself. */
export interface RotationConfig {
  /** Its age in days; undefined: never for its age. */
  readonly afterDays: number | undefined;
  /** How many messages it has sealed. */
  readonly afterMessages: number;
}

/** What locks a profile by itself; undefined and false: that does not. */
export interface AutolockConfig {
  /** Seconds since the last operation that passed all gates. */
  readonly idleSeconds: number | undefined;
  /** Seconds since the unlock. */
  readonly ageSeconds: number | undefined;
  /** Whether it locks when the machine was suspended. */
  readonly suspend: boolean;
}

/** How the audit is kept; bytes and days as the names say, 0 for no bound. */
export interface AuditConfig {
  readonly onFailure: 'refuse' | 'warn';
  /** Past this a chain goes on in a new segment. */
  readonly segmentBytes: number;
  readonly keepBytes: number;
  readonly keepDays: number;
  /** No segment younger than this is given up. */
  readonly minAgeDays: number;
}

/** What `hush` does by itself; the daemon makes nothing of it. */
export interface CliConfig {
  /** Whether a command that finds no daemon starts it. */
  readonly autostart: boolean;
  /** Whether the completion of shells has the names of secrets, and keeps them for a while in a file. */
  readonly completeNames: boolean;
}

/** What the config says of one profile. */
export interface ProfileConfig {
  readonly maxTenants: number;
  /** How many earlier versions of a secret stay beside the current one. */
  readonly versions: number;
  /** Whether only enrolled clients may use it; operators may still ask status, lock and unlock. */
  readonly requireEnrolled: boolean;
  /** What is read, or signed with, only after another identity has approved it. */
  readonly approve: PathRules;
  /** How long an approval, and a request for one, lives. */
  readonly approvalSeconds: number;
  readonly autolock: AutolockConfig;
  readonly rotation: RotationConfig;
  /** By the client's name; an object without a prototype. */
  readonly grants: Readonly<Record<string, Grant>>;
}

/** The daemon's config; deeply frozen. */
export interface Config {
  readonly limits: Limits;
  readonly cache: CacheConfig;
  readonly rate: RateConfig;
  readonly operators: { readonly owner: boolean; readonly uids: readonly number[] };
  /** Argon2id parameters that replace the calibrated ones for new slots. */
  readonly kdf: { readonly memoryMib: number | undefined; readonly passes: number | undefined };
  readonly transport: TransportConfig;
  /** The buckets of unlock attempts: a second, and at once. */
  readonly unlock: { readonly rate: number; readonly burst: number };
  readonly audit: AuditConfig;
  readonly cli: CliConfig;
  readonly clients: readonly ClientRule[];
  /** By the profile's name; an object without a prototype. See `profileConfigOf`. */
  readonly profiles: Readonly<Record<string, ProfileConfig>>;
}

/** What the config says of a profile; one without a section has the defaults and grants nobody anything. */
export function profileConfigOf(config: Config, profile: string): ProfileConfig {
  return config.profiles[profile] ?? defaultProfile;
}

const defaultProfile: ProfileConfig = deepFreeze(profileOf(profileSchema.parse({})));

/** Room in a frame besides the plaintext: names, context, the envelope of a batch. */
const frameOverhead = 65_536;
const smallestDefaultFrame = 1_572_864;
const smallestDefaultBacklog = 4_194_304;

/** The smallest frame that carries the largest value, and the largest plaintext sealed and in base64. */
export function neededFrameBytes(limits: RawConfig['limits']): number {
  return Math.max(limits.value_bytes, Math.ceil((limits.plaintext_bytes * 4) / 3)) + frameOverhead;
}

/** The config that a checked shape stands for. */
export function configOf(raw: RawConfig): Config {
  const frameBytes = raw.limits.frame_bytes ?? Math.max(smallestDefaultFrame, neededFrameBytes(raw.limits));
  return deepFreeze<Config>({
    limits: {
      frameBytes,
      valueBytes: raw.limits.value_bytes,
      plaintextBytes: raw.limits.plaintext_bytes,
      connections: raw.limits.connections,
      inFlight: raw.limits.in_flight,
      helloMs: raw.limits.hello_ms,
      frameMs: raw.limits.frame_ms,
      idleMs: raw.limits.idle_ms,
      writeBacklogBytes: raw.limits.write_backlog_bytes ?? Math.max(smallestDefaultBacklog, 2 * frameBytes),
      drainMs: raw.limits.drain_ms,
      batchItems: raw.limits.batch_items,
    },
    cache: { ttlSeconds: raw.cache.ttl, entries: raw.cache.entries, bytes: raw.cache.bytes },
    rate: {
      rate: raw.rate.rate,
      burst: raw.rate.burst,
      unidentifiedRate: raw.rate.unidentified_rate,
      unidentifiedBurst: raw.rate.unidentified_burst,
    },
    operators: raw.operators,
    kdf: { memoryMib: raw.kdf.memory_mib, passes: raw.kdf.passes },
    transport: {
      socketMode: socketModes[raw.transport.socket_mode],
      socketGroup: raw.transport.socket_group,
      fieldEncryption: raw.transport.field_encryption,
    },
    unlock: raw.unlock,
    audit: {
      onFailure: raw.audit.on_failure,
      segmentBytes: raw.audit.segment_bytes,
      keepBytes: raw.audit.keep_bytes,
      keepDays: raw.audit.keep_days,
      minAgeDays: raw.audit.min_age_days,
    },
    cli: { autostart: raw.cli.autostart, completeNames: raw.cli.complete_names },
    clients: Object.entries(raw.clients).map(([name, client]) => clientOf(name, client)),
    profiles: mapped(raw.profiles, profileOf),
  });
}

const socketModes = { '0600': 0o600, '0660': 0o660, '0666': 0o666 } as const;

function clientOf(name: string, raw: RawConfig['clients'][string]): ClientRule {
  const { uid, gid, exe, sha256, unit, enrolled } = raw;
  return {
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(exe === undefined ? {} : { exe }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(unit === undefined ? {} : { unit }),
    ...(enrolled === undefined ? {} : { enrolled }),
    fieldEncryption: raw.field_encryption,
  };
}

function profileOf(raw: RawConfig['profiles'][string]): ProfileConfig {
  return {
    maxTenants: raw.max_tenants,
    versions: raw.versions,
    requireEnrolled: raw.require_enrolled,
    approve: compilePathRules(raw.approve),
    approvalSeconds: raw.approval_s,
    autolock: {
      idleSeconds: raw.autolock.idle_s,
      ageSeconds: raw.autolock.age_s,
      suspend: raw.autolock.suspend,
    },
    rotation: { afterDays: raw.keys.rotate_after_days, afterMessages: raw.keys.rotate_after_messages },
    grants: mapped(raw.grants, grantOf),
  };
}

function grantOf(raw: RawConfig['profiles'][string]['grants'][string]): Grant {
  return {
    read: compilePathRules(raw.read),
    write: compilePathRules(raw.write),
    delete: compilePathRules(raw.delete),
    list: raw.list === undefined ? undefined : compilePathRules(raw.list),
    sign: compilePathRules(raw.sign),
    crypto: compileCryptoRules(raw.crypto),
    keys: raw.keys,
    unlock: raw.unlock,
    lock: raw.lock,
    audit: raw.audit,
    admin: raw.admin,
    until: raw.until,
    rate: raw.rate,
    burst: raw.burst,
  };
}

/** A copy with each value replaced; without a prototype, so that a name such as `constructor` finds nothing. */
function mapped<From, To>(source: Record<string, From>, change: (value: From) => To): Record<string, To> {
  // Object.create(null) is typed any; it is an object without any property, which every record type allows.
  const target = Object.create(null) as Record<string, To>;
  for (const [name, value] of Object.entries(source)) target[name] = change(value);
  return target;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
