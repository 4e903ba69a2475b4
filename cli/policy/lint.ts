import type { Config, Grant } from '../../daemon/config/config.ts';
import type { KeyPath } from '../../daemon/config/lines.ts';
import { dotted, type ReadConfig } from '../../daemon/config/parse.ts';
import { approvalRemarks } from './lint-approval.ts';
import { clientRemarks } from './lint-clients.ts';
import { cryptoPatternRemark, pathPatternRemark } from './lint-patterns.ts';
import { overlaps } from './overlap.ts';

/** Something that a config may say and that is likely not meant. */
export interface Remark {
  readonly path: KeyPath;
  /** To be read after the key. */
  readonly message: string;
}

/** A remark or a fault, with its place. */
export interface PolicyFinding {
  readonly level: 'error' | 'warning';
  readonly file: string;
  readonly line?: number;
  /** Dotted; empty for a file as a whole. */
  readonly key: string;
  readonly message: string;
}

/** What is known besides the config. */
export interface Surroundings {
  /** The user that the daemon runs as. */
  readonly daemonUid: number;
  /** Undefined where that cannot be told: then nothing is said of it. */
  readonly enrolledNames: ReadonlySet<string> | undefined;
  /** The names of the profiles; undefined where that cannot be told. */
  readonly profiles: ReadonlySet<string> | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What a config that is in order may not mean as it is written, in the order of the files and lines. */
export function lint(
  { config, placeOf }: ReadConfig,
  around: Surroundings,
  file: string,
): readonly PolicyFinding[] {
  const remarks = [
    ...socketRemarks(config),
    ...operatorRemarks(config, around),
    ...clientRemarks(config, around),
    ...profileRemarks(config, around),
  ];
  return remarks
    .map(({ path, message }): PolicyFinding => {
      const at = placeOf(path) ?? { file };
      return { level: 'warning', ...at, key: dotted(path), message };
    })
    .sort(
      (a, b) =>
        Number(b.file === file) - Number(a.file === file) ||
        a.file.localeCompare(b.file) ||
        (a.line ?? 0) - (b.line ?? 0),
    );
}

function socketRemarks({ transport, profiles }: Config): readonly Remark[] {
  const path = ['transport', 'socket_mode'];
  if (
    transport.socketMode === 0o666 &&
    Object.values(profiles).some(({ requireEnrolled }) => !requireEnrolled)
  ) {
    const message =
      "lets every user of this host connect, and not every profile has require_enrolled = true: only the kernel's word keeps them apart";
    return [{ path, message }];
  }
  if (transport.socketMode !== 0o660 || transport.socketGroup !== undefined) return [];
  return [
    { path, message: "lets the primary group of the daemon's user connect: socket_group names another" },
  ];
}

function operatorRemarks({ operators }: Config, { daemonUid }: Surroundings): readonly Remark[] {
  if (operators.owner || !operators.uids.includes(daemonUid)) return [];
  const message = `has no effect for ${daemonUid}, the daemon's own user: with owner = false it is limited to status, lock and unlock`;
  return [{ path: ['operators', 'uids'], message }];
}

function profileRemarks(config: Config, around: Surroundings): readonly Remark[] {
  return Object.entries(config.profiles).flatMap(([profile, { grants, approve }]) => {
    const path = ['profiles', profile];
    const isMissing = around.profiles !== undefined && !around.profiles.has(profile);
    return [
      ...(isMissing ? [{ path, message: 'is about a profile that does not exist (yet)' }] : []),
      ...approve.patterns.flatMap((pattern, index) =>
        patternRemarks(pathPatternRemark(pattern), [...path, 'approve', String(index)]),
      ),
      ...approvalRemarks(config, profile, around),
      ...Object.entries(grants).flatMap(([name, grant]) =>
        grantRemarks(config, around, name, grant, [...path, 'grants', name]),
      ),
    ];
  });
}

function grantRemarks(
  config: Config,
  { enrolledNames, now }: Surroundings,
  name: string,
  grant: Grant,
  path: KeyPath,
): readonly Remark[] {
  const remarks: Remark[] = [];
  const isKnown = config.clients.some((client) => client.name === name) || enrolledNames?.has(name) === true;
  if (!isKnown) {
    const message = `is for a client that [clients.${name}] does not define and nobody has enrolled: nobody has it`;
    remarks.push({ path, message });
  }
  if (grant.until !== undefined && grant.until <= now) {
    remarks.push({ path: [...path, 'until'], message: 'has passed: the grant gives nothing any more' });
  }
  for (const right of ['read', 'write', 'delete', 'list', 'sign'] as const) {
    for (const [index, pattern] of (grant[right]?.patterns ?? []).entries()) {
      remarks.push(...patternRemarks(pathPatternRemark(pattern), [...path, right, String(index)]));
    }
  }
  for (const [index, { match, tenants }] of grant.crypto.rules.entries()) {
    const at = [...path, 'crypto', String(index)];
    remarks.push(...patternRemarks(cryptoPatternRemark(match), at));
    if (tenants?.length === 0) remarks.push({ path: at, message: 'is for no tenant: it gives nothing' });
  }
  for (const [index, pattern] of (grant.list?.patterns ?? []).entries()) {
    if (grant.read.patterns.some((readable) => overlaps(readable, pattern))) continue;
    const message = 'shows nothing: list shows only what may be read, and no pattern of read meets it';
    remarks.push({ path: [...path, 'list', String(index)], message });
  }
  if (isEmpty(grant)) remarks.push({ path, message: 'gives nothing' });
  return remarks;
}

function patternRemarks(message: string | undefined, path: KeyPath): readonly Remark[] {
  return message === undefined ? [] : [{ path, message }];
}

function isEmpty({
  read,
  write,
  delete: remove,
  sign,
  crypto,
  keys,
  unlock,
  lock,
  audit,
  admin,
}: Grant): boolean {
  return (
    ![keys, unlock, lock, audit, admin].includes(true) &&
    [read, write, remove, sign].every(({ patterns }) => patterns.length === 0) &&
    crypto.rules.length === 0
  );
}
