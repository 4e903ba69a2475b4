import { HushError } from '../../protocol/errors.ts';
import type { Peer } from '../peer.ts';
import { slotFacts, type Proof } from '../profiles/slots.ts';
import type { Session } from '../profiles/session.ts';
import type { Handlers } from './handler.ts';

/** A change of the header, so that its audit record is sealed with the new generation at once. */
const sealed = <Result>(session: Session, result: Result) => ({
  result,
  commit: session.vault.commitCounter(),
});

const proofOf = (credentials: Proof['credentials'], { identity }: Peer): Proof => ({
  credentials,
  by: identity.name,
});

/** The operations on who can open a profile. */
export const slotHandlers: Handlers<
  | 'lock.all'
  | 'slot.list'
  | 'slot.add'
  | 'slot.change'
  | 'slot.remove'
  | 'slot.rename'
  | 'slot.group'
  | 'slot.ungroup'
> = {
  'lock.all': (_params, { peer, profiles }) => {
    const locked = profiles.lockAll((name) => peer.allows(name, { kind: 'lock' }));
    if (locked.length === 0 && !peer.allows(undefined, { kind: 'lock' })) {
      throw new HushError('ACCESS_DENIED', 'the access rules let you lock no profile');
    }
    return { result: { profiles: [...locked] }, alsoIn: locked.map(({ name }) => name) };
  },

  'slot.list': ({ profile }, { profiles }) => {
    const header = profiles.session(profile).header();
    return { result: { generation: header.generation, ...slotFacts(header) } };
  },

  'slot.add': ({ profile, credentials, added, label }, { peer, profiles }) =>
    profiles.change(profile, 'slot.add', async (session) =>
      sealed(session, nameOf(await session.slots.add(proofOf(credentials, peer), added, label))),
    ),

  'slot.change': ({ profile, credentials, replacement, slot }, { peer, profiles }) =>
    profiles.change(profile, 'slot.change', async (session) =>
      sealed(session, nameOf(await session.slots.change(proofOf(credentials, peer), replacement, slot))),
    ),

  'slot.remove': ({ profile, slot }, { profiles }) =>
    profiles.change(profile, 'slot.remove', async (session) => {
      session.slots.remove(slot);
      return Promise.resolve(sealed(session, {}));
    }),

  'slot.rename': ({ profile, slot, label }, { profiles }) =>
    profiles.change(profile, 'slot.rename', async (session) => {
      session.slots.rename(slot, label);
      return Promise.resolve(sealed(session, {}));
    }),

  'slot.group': ({ profile, credentials, slots }, { peer, profiles }) =>
    profiles.change(profile, 'slot.group', async (session) =>
      sealed(session, { group: await session.slots.group(proofOf(credentials, peer), slots) }),
    ),

  'slot.ungroup': ({ profile, credentials, group }, { peer, profiles }) =>
    profiles.change(profile, 'slot.ungroup', async (session) =>
      sealed(session, { alone: [...(await session.slots.ungroup(proofOf(credentials, peer), group))] }),
    ),
};

const nameOf = ({
  id,
  kind,
  label,
}: {
  id: string;
  kind: 'passphrase' | 'key' | 'recovery';
  label: string;
}) => ({
  id,
  kind,
  label,
});
