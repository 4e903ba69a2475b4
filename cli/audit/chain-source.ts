import { accessSync, constants, existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { type ChainPart, folderParts } from '../../daemon/audit/parts.ts';
import { segmentFileName, stubFileName } from '../../daemon/audit/segments.ts';
import { errnoOf } from '../../daemon/home/disk-errors.ts';
import { pathsOf, profilePathsOf } from '../../daemon/home/paths.ts';
import { HushError } from '../../protocol/errors.ts';
import type { ProfileName } from '../../protocol/names.ts';
import { type Daemon, noSuchProfile, withDaemon } from '../daemon.ts';

/** A chain, wherever it is read from. */
export interface ChainSource {
  /** `daemon`, or `profiles/` and the name of a profile. */
  readonly chain: string;
  /** Whether reading it leaves records in it. */
  readonly isRemote: boolean;
  /** Its parts as they are now, in their order. Throws UNAVAILABLE, and what the daemon refuses with. */
  parts(): Promise<readonly ChainPart[]>;
}

const isElsewhere = (env: NodeJS.ProcessEnv): boolean => Boolean(env['HUSH_SOCKET'] && !env['HUSH_HOME']);

/** Which chain is meant: a profile's, or with undefined the daemon's own. */
export type ChainOwner = ProfileName | undefined;

/** The name of a chain in messages and checkpoints. */
export const chainNameOf = (owner: ChainOwner): string =>
  owner === undefined ? 'daemon' : `profiles/${owner}`;

/**
 * The chain as it lies in the home of this user; undefined where it does not, where it may not be read, and where the
 * environment names a socket alone, behind which another home may be.
 */
export function localSource(owner: ChainOwner, env: NodeJS.ProcessEnv): ChainSource | undefined {
  if (isElsewhere(env)) return undefined;
  const folder = folderOf(owner, env);
  if (!mayRead(folder)) return undefined;
  return {
    chain: chainNameOf(owner),
    isRemote: false,
    parts: () => Promise.resolve(folderParts(folder)),
  };
}

function folderOf(owner: ChainOwner, env: NodeJS.ProcessEnv): string {
  const paths = pathsOf(env);
  return owner === undefined ? paths.daemonAudit : profilePathsOf(paths, owner).audit;
}

/** Whether the home of this user, which may be looked into, has no folder for that chain. */
export function isGone(owner: ChainOwner, env: NodeJS.ProcessEnv): boolean {
  try {
    lstatSync(folderOf(owner, env));
    return false;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}

/**
 * The error for a profile without any audit: INTEGRITY where there is the profile itself, here or, with `isKnown`, as the
 * daemon says.
 */
export function missingAudit(profile: ProfileName, env: NodeJS.ProcessEnv, isKnown: boolean): HushError {
  const isHere = !isElsewhere(env) && existsSync(profilePathsOf(pathsOf(env), profile).header);
  if (!isHere && !isKnown) return noSuchProfile(profile);
  return new HushError('INTEGRITY', `the audit of profile ${profile} is gone, and the profile is there`, {
    hint: 'keep the home as it is, and put the audit back: docs/operations.md, "the audit does not verify"',
  });
}

function mayRead(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return existsSync(folder);
  } catch {
    return false;
  }
}

/** The chain as the daemon hands it out to who has the right `audit`; its own to its owner and operators. */
export function remoteSource(owner: ChainOwner, daemon: Daemon): ChainSource {
  const whose = owner === undefined ? {} : { profile: owner };
  const chain = chainNameOf(owner);
  const part = (segment: number): ChainPart => ({
    name: join(chain, segment === 0 ? stubFileName : segmentFileName(segment)),
    kind: segment === 0 ? 'stubs' : 'segment',
    number: segment === 0 ? undefined : segment,
    async *blocks(from = 0) {
      for (let offset = from; ;) {
        const { data, size } = await daemon.call('audit.read', { ...whose, segment, offset });
        if (data.byteLength > 0) yield Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        offset += data.byteLength;
        // What is written meanwhile is for the next look: each of these calls adds a record itself.
        if (data.byteLength === 0 || offset >= size) return;
      }
    },
  });
  return {
    chain,
    isRemote: true,
    async parts() {
      const { stubs, segments } = await daemon.call('audit.segments', whose);
      return [...(stubs ? [0] : []), ...segments.map(({ number }) => number)].map(part);
    },
  };
}

/** Runs `use` with the chain: from the files where they may be read, else from the daemon. */
export async function withChain<Result>(
  owner: ChainOwner,
  env: NodeJS.ProcessEnv,
  use: (source: ChainSource) => Promise<Result>,
): Promise<Result> {
  const local = localSource(owner, env);
  if (local === undefined) return withDaemon((daemon) => use(remoteSource(owner, daemon)));
  if (owner !== undefined && (await local.parts()).length === 0) throw missingAudit(owner, env, false);
  return use(local);
}
