import type { ClientRule } from '../config/config.ts';
import type { Handlers } from './handler.ts';

/** Those who prove by a key of their own who they are. */
export const clientHandlers: Handlers<'client.list' | 'client.add' | 'client.remove'> = {
  'client.list': (_params, { enrolled, presence }) => ({
    result: {
      clients: enrolled.all().map(({ name, public: publicKey, createdAt, by }) => ({
        name,
        publicKey,
        createdAt,
        by,
        connections: presence.count(name),
      })),
    },
  }),

  'client.add': ({ name, publicKey }, { enrolled, peer, clientEntry }) => {
    const daemonKey = enrolled.add({ name, publicKey, by: peer.identity.name });
    const warnings = warningsOf(
      clientEntry(name),
      (who) => `${who} is ${name} no more: only the key says so from now on`,
    );
    return { result: { daemonKey, warnings } };
  },

  'client.remove': ({ name }, { enrolled, presence, grants, approvals, clientEntry }) => {
    enrolled.remove(name);
    grants.remove({ client: name });
    grants.remove({ by: name });
    approvals.cancelOf(name);
    const warnings = warningsOf(
      clientEntry(name),
      (who) => `${who} is ${name} again without a key: add enrolled = true to [clients.${name}]`,
    );
    return { result: { closed: presence.expel(name), warnings } };
  },
};

/** What to say of the entry of a client by which the kernel's word alone is enough, if it has such a one. */
function warningsOf(entry: ClientRule | undefined, say: (who: string) => string): string[] {
  if (entry === undefined || entry.enrolled === true) return [];
  const { uid, gid, exe, sha256, unit } = entry;
  const conditions = Object.entries({ uid, gid, exe, sha256, unit }).filter(
    ([, value]) => value !== undefined,
  );
  return [say(conditions.map(([key, value]) => `${key} ${value}`).join(', '))];
}
