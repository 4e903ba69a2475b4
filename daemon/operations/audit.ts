import { constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { HushError } from '../../protocol/errors.ts';
import type { ResultOf } from '../../protocol/index.ts';
import type { Chain } from '../audit/chain.ts';
import { checkpointLine } from '../audit/checkpoint.ts';
import { proveLine } from '../audit/prove-line.ts';
import { chainFiles, segmentFileName, stubFileName } from '../audit/segments.ts';
import { holdFile } from '../home/held-file.ts';
import { openSafeFile } from '../home/safety.ts';
import type { JournalChain } from '../journal.ts';
import { newBytes } from '../memory/plain-bytes.ts';
import { noSuchProfile } from '../profiles/profile.ts';
import type { Profiles } from '../profiles/profiles.ts';
import type { Handlers } from './handler.ts';

/** The most bytes of a file in one reply, and what is left free around them in a frame. */
const chunk = { bytes: 256 * 1024, overhead: 1024 };

/** The chain of a profile, or the daemon's own. Throws NO_SUCH_PROFILE, UNAVAILABLE where it cannot be opened. */
function chainFor(profiles: Profiles, profile: string | undefined): JournalChain {
  if (profile !== undefined && profiles.state(profile) === 'missing') throw noSuchProfile(profile);
  const found = profiles.chainOf(profile);
  if (found.profile === profile) return found;
  throw new HushError('UNAVAILABLE', `the audit of the profile ${profile ?? ''} cannot be opened`, {
    hint: 'hush unlock tells why',
  });
}

const chainName = (profile: string | undefined): string =>
  profile === undefined ? 'daemon' : `profiles/${profile}`;

/** Reading the audit, having what vouches for it checked, and where it stands. */
export const auditHandlers: Handlers<'audit.segments' | 'audit.read' | 'audit.verify' | 'audit.checkpoint'> =
  {
    'audit.segments': ({ profile }, { profiles }) => {
      const { chain } = chainFor(profiles, profile);
      chain.flush();
      const { stubs, segments } = chainFiles(chain.folder);
      const { seq, hash } = chain.head();
      return {
        result: {
          chain: chainName(profile),
          start: chain.start,
          head: { seq, hash },
          stubs: stubs !== undefined,
          segments: segments.map(({ number, bytes }) => ({ number, bytes })),
        },
      };
    },

    'audit.read': async ({ profile, segment, offset }, { profiles, limits }) => {
      const { chain } = chainFor(profiles, profile);
      const most = Math.min(chunk.bytes, limits.frameBytes - chunk.overhead);
      return { result: await readSome(chain, segment, offset, most) };
    },

    'audit.verify': ({ profile, lines = [] }, { profiles }) => {
      const { vault, sealState } = profiles.session(profile);
      const { chain, keys } = chainFor(profiles, profile);
      const own = keys();
      if (own === undefined) throw new HushError('LOCKED');
      const bad = lines.flatMap((line, index) => {
        try {
          proveLine(line, own.vaultId, own.secretOf);
          return [];
        } catch (error) {
          if (!(error instanceof HushError)) throw error;
          return [{ index, why: error.message }];
        }
      });
      chain.flush();
      const { commit, generation } = sealState();
      const remembered = vault.auditHead();
      return {
        result: {
          vaultId: own.vaultId,
          commit,
          generation,
          head: placeOf(chain.head()),
          ...(remembered === undefined ? {} : { remembered: placeOf(remembered) }),
          bad,
        },
      };
    },

    'audit.checkpoint': ({ profile }, { profiles }) => {
      const { chain, keys } = chainFor(profiles, profile);
      const own = keys();
      if (profile !== undefined && own !== undefined) profiles.settle(profile);
      chain.flush();
      chain.syncNow();
      const facts = { chain: chainName(profile), start: chain.start, ...placeOf(chain.head()) };
      const proof = own === undefined ? undefined : { vaultId: own.vaultId, key: own.key() };
      return { result: { line: checkpointLine({ ...facts, time: new Date().toISOString() }, proof) } };
    },
  };

const placeOf = ({ seq, hash }: { seq: number; hash: string }): { seq: number; hash: string } => ({
  seq,
  hash,
});

async function readSome(
  { folder }: Chain,
  segment: number,
  offset: number,
  most: number,
): Promise<ResultOf<'audit.read'>> {
  const path = join(folder, segment === 0 ? stubFileName : segmentFileName(segment));
  if (!existsSync(path)) throw new HushError('NOT_FOUND', `segment ${segment} of the audit is not kept`);
  const file = holdFile(openSafeFile(path, constants.O_RDONLY), 'the audit');
  try {
    const size = file.size();
    const data = newBytes(Math.max(0, Math.min(most, size - offset)));
    await file.read(data, offset);
    return { data, size };
  } finally {
    file.release();
  }
}
