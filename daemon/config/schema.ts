import { TomlDate } from 'smol-toml';
import { z } from 'zod';
import { isProfileName, isReservedName } from '../../protocol/names.ts';
import { includeProblem } from './include-pattern.ts';
import { cryptoPatternProblem, pathPatternProblem } from './patterns.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** A whole number within bounds, both included. */
const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const flag = z.boolean({ error: 'must be true or false' });

/** A user or group id. 65534 is what the kernel shows for ids it cannot map: nobody in particular. */
const id = whole(0, 4294967294).refine((value) => value !== 65534, {
  error: 'must not be 65534, which the kernel shows for every id that it cannot map',
});

const text = z.string({ error: 'must be a text' });

const list = <T extends z.ZodType>(item: T) => z.array(item, { error: 'must be a list' }).max(10_000);

/** A pattern as text; `problem` says why it is none. */
const pattern = (problem: (text: string) => string | undefined) =>
  text.superRefine((value, context) => {
    const message = problem(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

const pathPatterns = list(pattern(pathPatternProblem));

const cryptoRule = z.preprocess(
  (value) => (typeof value === 'string' ? { match: value } : value),
  z.strictObject(
    {
      match: pattern(cryptoPatternProblem),
      tenants: list(text.max(128, { error: 'must be at most 128 characters' })).optional(),
    },
    { error: "must be a pattern or { match = 'keyring/namespace/key', tenants = ['…'] }" },
  ),
);

const limits = z.strictObject({
  frame_bytes: whole(4 * KiB, 64 * MiB).optional(),
  value_bytes: whole(1, 16 * MiB).default(64 * KiB),
  plaintext_bytes: whole(1, 32 * MiB).default(MiB),
  connections: whole(1, 65_536).default(512),
  in_flight: whole(1, 65_536).default(256),
  hello_ms: whole(100, 600_000).default(5_000),
  frame_ms: whole(100, 600_000).default(10_000),
  idle_ms: whole(1_000, 2_147_483_647).default(3_600_000),
  write_backlog_bytes: whole(64 * KiB, 1024 * MiB).optional(),
  drain_ms: whole(100, 600_000).default(10_000),
  batch_items: whole(1, 100_000).default(1_000),
});

const cache = z.strictObject({
  ttl: whole(0, 86_400).default(300),
  entries: whole(1, 1_000_000).default(10_000),
  bytes: whole(KiB, 1024 * MiB).default(4 * MiB),
});

const perSecond = whole(1, 10_000_000);

const rate = z.strictObject({
  rate: perSecond.default(100_000),
  burst: perSecond.default(100_000),
  unidentified_rate: perSecond.default(20),
  unidentified_burst: perSecond.default(40),
});

/** Buckets of their own: a flood of requests leaves the unlock alone, and the other way round. */
const unlock = z.strictObject({ rate: perSecond.default(5), burst: perSecond.default(10) });

/** What a client is told by; `field_encryption` tells nobody from anybody. */
const client = z
  .strictObject({
    uid: id.optional(),
    gid: id.optional(),
    exe: text.startsWith('/', { error: 'must be an absolute path' }).max(4_096).optional(),
    sha256: text
      .regex(/^[0-9A-Fa-f]{64}$/, { error: 'must be the 64 hex digits of a SHA-256' })
      .toLowerCase()
      .optional(),
    unit: text
      .regex(/^[A-Za-z0-9:_.@\\-]{1,240}\.(?:service|scope)$/, {
        error: 'must be the name of a systemd unit that ends in .service or .scope',
      })
      .optional(),
    enrolled: z.literal(true, { error: 'must be true, or be left out' }).optional(),
    field_encryption: flag.default(false),
  })
  .refine(
    ({ uid, gid, exe, sha256, unit, enrolled }) =>
      [uid, gid, exe, sha256, unit, enrolled].some((condition) => condition !== undefined),
    { error: 'must have at least one of uid, gid, exe, sha256, unit, enrolled' },
  );

const nameRule = 'must be 1-64 of A-Z a-z 0-9 _ -, starting with a letter or digit';
const profileName = z.string().refine((name): boolean => isProfileName(name), { error: nameRule });
const clientName = profileName.refine((name) => !isReservedName(name), {
  error: 'is a name that hushd gives itself; choose another',
});

/** A moment, in milliseconds since 1970. A local time would mean another moment wherever the daemon runs. */
const moment = z
  .custom<TomlDate>((value) => value instanceof TomlDate && value.isDateTime() && !value.isLocal(), {
    error: 'must be a date, a time and an offset, without quotes: 2026-12-31T00:00:00Z',
  })
  .transform((value) => value.getTime());

const grant = z.strictObject({
  read: pathPatterns.default([]),
  write: pathPatterns.default([]),
  delete: pathPatterns.default([]),
  list: pathPatterns.optional(),
  sign: pathPatterns.default([]),
  crypto: list(cryptoRule).default([]),
  keys: flag.default(false),
  unlock: flag.default(false),
  lock: flag.default(false),
  audit: flag.default(false),
  admin: flag.default(false),
  until: moment.optional(),
  rate: perSecond.optional(),
  burst: perSecond.optional(),
});

/** Each unlock begins a new block of 65,536 messages, and a key that is due seals on for a second: both stay small. */
const keys = z.strictObject({
  rotate_after_days: whole(1, 36_500).optional(),
  rotate_after_messages: whole(1_000_000, 4_000_000_000).default(2_147_483_648),
});

/** Ten years: longer than anything runs, and within what a timer's arithmetic bears. */
const longestSeconds = 315_360_000;

const autolock = z.strictObject({
  idle_s: whole(1, longestSeconds).optional(),
  age_s: whole(1, longestSeconds).optional(),
  suspend: flag.default(false),
});

/** What stands in `[profiles.NAME]`. */
export const profileSchema = z.strictObject({
  max_tenants: whole(1, 1_000_000).default(1_000),
  versions: whole(0, 100).default(5),
  require_enrolled: flag.default(false),
  approve: pathPatterns.default([]),
  approval_s: whole(1, 86_400).default(300),
  autolock: autolock.prefault({}),
  keys: keys.prefault({}),
  grants: z.record(clientName, grant).default({}),
});

const socketModes = ['0600', '0660', '0666'] as const;

const transport = z.strictObject({
  socket_mode: z.enum(socketModes, { error: "must be '0600', '0660' or '0666', in quotes" }).default('0600'),
  socket_group: z
    .union([id, text.regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/)], {
      error: 'must be the name or id of a group',
    })
    .optional(),
  field_encryption: flag.default(false),
});

const audit = z.strictObject({
  on_failure: z.enum(['refuse', 'warn'], { error: "must be 'refuse' or 'warn'" }).default('refuse'),
  segment_bytes: whole(4 * KiB, 1024 * MiB).default(64 * MiB),
  keep_bytes: whole(0, 1024 * 1024 * MiB).default(1024 * MiB),
  keep_days: whole(0, 36_500).default(0),
  min_age_days: whole(0, 36_500).default(90),
});

const cli = z.strictObject({ autostart: flag.default(false), complete_names: flag.default(true) });

const includePattern = text.superRefine((value, context) => {
  const message = includeProblem(value);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/** The shape of config.toml; sections that are missing have their defaults. */
export const configSchema = z.strictObject({
  include: list(includePattern).default([]),
  limits: limits.prefault({}),
  cache: cache.prefault({}),
  rate: rate.prefault({}),
  operators: z.strictObject({ owner: flag.default(true), uids: list(id).default([]) }).prefault({}),
  kdf: z
    .strictObject({ memory_mib: whole(19, 1_024).optional(), passes: whole(2, 16).optional() })
    .prefault({}),
  transport: transport.prefault({}),
  unlock: unlock.prefault({}),
  audit: audit.prefault({}),
  cli: cli.prefault({}),
  clients: z.record(clientName, client).default({}),
  profiles: z.record(profileName, profileSchema).default({}),
});

/** config.toml as the schema hands it over: snake_case, defaults filled in. */
export type RawConfig = z.infer<typeof configSchema>;
