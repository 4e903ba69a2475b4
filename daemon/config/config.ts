import { type CryptoRules, type PathRules, compileCryptoRules, compilePathRules } from './patterns.ts';
import type { RawConfig } from './schema.ts';

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

/** What identifies a client; all conditions that are given must hold. */
export interface ClientRule {
  readonly name: string;
  readonly uid?: number;
  /** The primary group; the kernel tells no others. */
  readonly gid?: number;
  /** The path of the executable, as /proc/PID/exe shows it. */
  readonly exe?: string;
}

/** What one client may do on one profile; whatever is not granted is denied, and an empty list grants nothing. */
export interface Grant {
  readonly read: PathRules;
  readonly write: PathRules;
  readonly delete: PathRules;
  /** Which of the readable names `list` shows; undefined: all of them. */
  readonly list: PathRules | undefined;
  readonly crypto: CryptoRules;
  readonly keys: boolean;
  readonly unlock: boolean;
  readonly lock: boolean;
  readonly audit: boolean;
  readonly admin: boolean;
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

/** What the config says of one profile. */
export interface ProfileConfig {
  readonly maxTenants: number;
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
  readonly audit: { readonly onFailure: 'refuse' | 'warn' };
  readonly clients: readonly ClientRule[];
  /** By the profile's name; an object without a prototype. See `profileConfigOf`. */
  readonly profiles: Readonly<Record<string, ProfileConfig>>;
}

const defaultMaxTenants = 1_000;
/** Half of what a key may seal: it never comes to its end without a successor. */
const defaultRotation: RotationConfig = { afterDays: undefined, afterMessages: 2 ** 31 };

/** What the config says of a profile; one without a section has the defaults and grants nobody anything. */
export function profileConfigOf(config: Config, profile: string): ProfileConfig {
  const defaults = { maxTenants: defaultMaxTenants, rotation: defaultRotation };
  return config.profiles[profile] ?? { ...defaults, grants: mapped({}, grantOf) };
}

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
    audit: { onFailure: raw.audit.on_failure },
    clients: Object.entries(raw.clients).map(([name, { uid, gid, exe }]) => ({
      name,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(exe === undefined ? {} : { exe }),
    })),
    profiles: mapped(raw.profiles, (profile) => ({
      maxTenants: profile.max_tenants,
      rotation: {
        afterDays: profile.keys.rotate_after_days,
        afterMessages: profile.keys.rotate_after_messages,
      },
      grants: mapped(profile.grants, grantOf),
    })),
  });
}

function grantOf(raw: RawConfig['profiles'][string]['grants'][string]): Grant {
  return {
    read: compilePathRules(raw.read),
    write: compilePathRules(raw.write),
    delete: compilePathRules(raw.delete),
    list: raw.list === undefined ? undefined : compilePathRules(raw.list),
    crypto: compileCryptoRules(raw.crypto),
    keys: raw.keys,
    unlock: raw.unlock,
    lock: raw.lock,
    audit: raw.audit,
    admin: raw.admin,
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
