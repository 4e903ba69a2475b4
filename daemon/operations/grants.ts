import { HushError } from '../../protocol/errors.ts';
import { parseClientName } from '../../protocol/names.ts';
import type { RuntimeGrant, RuntimeRight } from '../access/runtime-grants.ts';
import { cryptoPatternProblem, pathPatternProblem } from '../config/patterns.ts';
import type { Handlers } from './handler.ts';

/** Grants for a time, in memory. */
export const grantHandlers: Handlers<'grant.add' | 'grant.list' | 'grant.remove'> = {
  'grant.add': ({ profile, client, right, pattern, seconds }, { grants, knowsClient, peer }) => {
    parseClientName(client);
    const { kind, name } = peer.identity;
    if (kind === 'client' && client === name) {
      throw new HushError('ACCESS_DENIED', 'a client cannot grant anything to itself', {
        hint: 'ask the owner or an operator',
      });
    }
    requirePattern(right, pattern);
    // What a client grants ends with its own right to grant.
    const ms = Math.min(seconds * 1000, peer.administersForMs(profile));
    const { id } = grants.add({ profile, client, right, pattern }, ms / 1000, name);
    return { result: { id, until: timeIn(ms), known: knowsClient(client) } };
  },

  'grant.list': ({ profile }, { grants, peer }) => {
    const now = performance.now();
    const visible = grants
      .list({ profile })
      .filter((grant) => peer.allows(grant.profile, { kind: 'admin' }))
      .map(({ endsAt, ...grant }) => ({
        ...grant,
        until: timeIn(endsAt - now),
        secondsLeft: Math.max(0, Math.ceil((endsAt - now) / 1000)),
      }));
    return { result: { grants: visible } };
  },

  'grant.remove': ({ profile, client, id }, { grants, peer }) => {
    const may = ({ profile: of }: RuntimeGrant): boolean => peer.allows(of, { kind: 'admin' });
    // What the caller may not take back looks like what is not there.
    if (!grants.list({ profile, client, id }).some(may)) {
      throw new HushError('NOT_FOUND', 'there is no such grant', { hint: 'hush grant' });
    }
    const removed = grants.remove({ profile, client, id });
    const alsoIn = profile === undefined ? removed.map((grant) => grant.profile) : [];
    return { result: { removed: removed.length }, alsoIn };
  },
};

function requirePattern(right: RuntimeRight, pattern: string): void {
  const problem = right === 'crypto' ? cryptoPatternProblem(pattern) : pathPatternProblem(pattern);
  if (problem !== undefined) throw new HushError('BAD_REQUEST', `the pattern ${problem}`);
}

function timeIn(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
