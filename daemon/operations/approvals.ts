import type { Handlers } from './handler.ts';

/** The operations by which somebody allows or refuses what another identity has asked to read. */
export const approvalHandlers: Handlers<'approval.list' | 'approval.decide'> = {
  'approval.list': ({ profile }, { peer, approvals }) => ({
    result: {
      requests: approvals
        .list()
        .filter((request) => profile === undefined || request.profile === profile)
        .filter((request) => peer.allows(request.profile, { kind: 'admin' }))
        .map((request) => ({
          id: request.id,
          profile: request.profile,
          path: request.path,
          right: request.right,
          client: request.asker.name,
          uid: request.asker.uid,
          pid: request.asker.pid,
          ...(request.asker.exe === undefined ? {} : { exe: request.asker.exe }),
          askedAt: request.askedAt,
          state: request.state,
          ...(request.by === undefined ? {} : { by: request.by }),
          expiresInMs: approvals.remainingMs(request),
        })),
    },
  }),

  'approval.decide': ({ profile, id, approve }, { peer, approvals, enrolled }) => {
    const { identity } = peer;
    const enrolledAt = identity.enrolled
      ? enrolled.all().find(({ name }) => name === identity.name)?.createdAt
      : undefined;
    const decided = approvals.decide(profile, id, approve, { identity, enrolledAt });
    const { path, right, asker } = decided;
    return { result: { path, right, client: asker.name, expiresInMs: approvals.remainingMs(decided) } };
  },
};
