import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import type { ParamsOf } from '../../protocol/operations.ts';
import type { ListPage } from '../vault/list.ts';
import type { ExpectedVersion, SecretToSet } from '../vault/secrets.ts';
import type { CallOf } from './call.ts';
import type { Answer, Context, Handlers } from './handler.ts';
import { requireSize, vaultOf } from './vault-of.ts';

/** The operations on stored secrets. */
type SecretOperation =
  | 'secret.set'
  | 'secret.get'
  | 'secret.history'
  | 'secret.restore'
  | 'secret.delete'
  | 'secret.purge'
  | 'secret.rename'
  | 'secret.copy'
  | 'secret.list'
  | 'secret.paths';

const named = (place: SecretPath | undefined): SecretPath => {
  if (place === undefined) throw new HushError('INVALID_NAME');
  return place;
};

/** The operations on stored secrets, each of which ends at once and with one commit at most. */
export const secretHandlers: Handlers<SecretOperation> = {
  'secret.set': ({ profile }, context, call) => {
    const { path, value, ...options } = secretToSet(call, context);
    const { commit, ...result } = vaultOf(context, profile).set(path, value, options);
    return { result, commit };
  },

  'secret.get': ({ profile, version, allowExpired }, context, call) => {
    const vault = vaultOf(context, profile);
    const path = named(call.place);
    return {
      result:
        version === undefined && allowExpired === undefined
          ? vault.get(path)
          : vault.get(path, { version, allowExpired }),
    };
  },

  'secret.history': ({ profile }, context, call) => ({
    result: vaultOf(context, profile).history(named(call.place)),
  }),

  'secret.restore': (params, context, call) => {
    const vault = vaultOf(context, params.profile);
    const { commit, ...result } = vault.restore(named(call.place), params.version, {
      by: context.peer.identity.name,
      ...expected(params, context),
    });
    return { result, commit };
  },

  'secret.delete': (params, context, call) => {
    const vault = vaultOf(context, params.profile);
    const { commit } = vault.remove(named(call.place), expected(params, context));
    return { result: {}, commit };
  },

  'secret.purge': ({ profile, version }, context, call) => {
    const { commit, ...result } = vaultOf(context, profile).purge(named(call.place), version);
    return { result, commit };
  },

  'secret.rename': ({ profile }, context, call) => {
    const { commit, ...result } = vaultOf(context, profile).rename(named(call.place), named(call.target));
    return { result, commit };
  },

  'secret.copy': ({ profile, to, ifVersion }, context, call) => {
    const { commit, ...result } = vaultOf(context, profile).copy(named(call.place), named(call.target), {
      by: context.peer.identity.name,
      ...expected({ profile, path: to, ifVersion }, context),
    });
    return { result, commit };
  },

  'secret.list': (params, context) => ({ result: listed(params, context) }),

  'secret.paths': (params, context) => {
    const { entries, ...next } = listed(params, context);
    return { result: { paths: entries.map(({ path }) => path), ...next } };
  },
};

/** Which version of a path must be current; who may not read it is not told which is. */
function expected(
  { profile, path, ifVersion }: Pick<ParamsOf<'secret.delete'>, 'profile' | 'path' | 'ifVersion'>,
  { peer }: Context,
): ExpectedVersion {
  return ifVersion === undefined
    ? {}
    : { ifVersion, tellsVersion: peer.allows(profile, { kind: 'read', path }) };
}

function listed({ profile, limit, ...options }: ParamsOf<'secret.list'>, context: Context): ListPage {
  return vaultOf(context, profile).list({
    ...options,
    limit: limit ?? 500,
    visible: (path) => context.peer.mayList(profile, path),
  });
}

/**
 * Carries out several sets of one profile, which passed the gates and name a secret each, with one commit; answers in
 * their order what became of each. Throws when the commit fails: then none is stored.
 */
export function answerSets(
  calls: readonly CallOf<'secret.set'>[],
  context: Context,
): readonly (Answer<'secret.set'> | HushError)[] {
  const [first] = calls;
  if (first === undefined) return [];
  const items = calls.map((call) => secretOrFault(call, context));
  const stored = vaultOf(context, first.params.profile)
    .setAll(items.filter((item): item is SecretToSet => !(item instanceof HushError)))
    .values();
  return items.map((item) => {
    const one = item instanceof HushError ? item : stored.next().value;
    if (one === undefined || one instanceof HushError) return one ?? new HushError('UNAVAILABLE');
    const { commit, ...result } = one;
    return { result, commit };
  });
}

function secretOrFault(call: CallOf<'secret.set'>, context: Context): SecretToSet | HushError {
  try {
    return secretToSet(call, context);
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  }
}

function secretToSet({ params, place }: CallOf<'secret.set'>, context: Context): SecretToSet {
  const { value, expiresAt, note, tags } = params;
  requireSize(value, context.limits.valueBytes, 'valueBytes');
  return {
    path: named(place),
    value,
    note,
    tags,
    by: context.peer.identity.name,
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
    ...expected(params, context),
  };
}
