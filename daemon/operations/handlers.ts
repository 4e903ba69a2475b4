import { HushError } from '../../protocol/errors.ts';
import type { SecretPath } from '../../protocol/names.ts';
import type { OperationName } from '../../protocol/index.ts';
import { wipe } from '../memory/plain-bytes.ts';
import type { Coordinate } from '../vault/handles.ts';
import type { SecretToSet } from '../vault/secrets.ts';
import type { Vault } from '../vault/vault.ts';
import type { Call, CallOf } from './call.ts';
import type { Answer, Context, Handler, Handlers } from './handler.ts';
import { approvalHandlers } from './approvals.ts';
import { auditHandlers } from './audit.ts';
import { backupHandlers } from './backup.ts';
import { clientHandlers } from './clients.ts';
import { grantHandlers } from './grants.ts';
import { keyHandlers } from './keys.ts';
import { slotHandlers } from './slots.ts';
import { tenantHandlers } from './tenants.ts';
import { vaultKeyHandlers } from './vault-key.ts';

/** Operations that end inside the connection (hello, handshake) or the dispatcher (batch), and have no handler. */
type Handled = Exclude<OperationName, 'hello' | 'handshake' | 'batch'>;

const vaultOf = (context: Context, profile: string): Vault => context.profiles.vault(profile);

const placeOf = ({ place }: { readonly place: SecretPath | undefined }): SecretPath => {
  if (place === undefined) throw new HushError('INVALID_NAME');
  return place;
};

const requireSize = (bytes: Uint8Array, limit: number, name: 'valueBytes' | 'plaintextBytes'): void => {
  if (bytes.byteLength > limit) {
    throw new HushError('TOO_LARGE', `the value has ${bytes.byteLength} bytes, the limit is ${limit}`, {
      limit: name,
    });
  }
};

/** Gate 5 for the tenant that only the handle tells: whether the caller may do it for that one. */
const tenantGate =
  ({ peer }: Context, { profile, keyring, namespace, key }: Coordinate & { readonly profile: string }) =>
  (tenant: string): boolean =>
    peer.allows(profile, { kind: 'crypto', keyring, namespace, key, tenant });

const handlers: Handlers<Handled> = {
  ...slotHandlers,

  status: ({ profile }, context) => ({ result: context.status(context.peer, profile) }),

  unlock: async ({ profile, credentials, acceptRollback }, context) => {
    const { peer, profiles } = context;
    if (acceptRollback !== undefined && !peer.allows(profile, { kind: 'admin' })) {
      throw new HushError('ACCESS_DENIED', 'to accept a rollback takes the right admin');
    }
    const { headerChanged, warning, ...opened } = await profiles.unlock(
      profile,
      credentials,
      acceptRollback,
      peer.identity.name,
    );
    const result = { ...opened, ...(warning === undefined ? {} : { warning }) };
    return { result, ...(headerChanged ? { commit: vaultOf(context, profile).commitCounter() } : {}) };
  },

  lock: ({ profile }, { profiles }) => ({ result: { already: !profiles.lock(profile) } }),

  'profile.activate': ({ profile }, { profiles }) => ({ result: { already: !profiles.activate(profile) } }),

  'profile.deactivate': ({ profile }, { profiles }) => ({
    result: { already: !profiles.deactivate(profile) },
  }),

  'profile.delete': ({ profile }, { profiles, grants }) => {
    profiles.delete(profile);
    grants.remove({ profile });
    return { result: {} };
  },

  'secret.set': ({ profile, value }, context, call) => {
    requireSize(value, context.limits.valueBytes, 'valueBytes');
    const { commit, ...result } = vaultOf(context, profile).set(placeOf(call), value);
    return { result, commit };
  },

  'secret.get': ({ profile }, context, call) => ({
    result: vaultOf(context, profile).get(placeOf(call)),
  }),

  'secret.delete': ({ profile }, context, call) => {
    const { commit } = vaultOf(context, profile).remove(placeOf(call));
    return { result: {}, commit };
  },

  'secret.list': ({ profile, prefix, after, limit }, context) => ({
    result: vaultOf(context, profile).list({
      ...(prefix === undefined ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
      limit: limit ?? 500,
      visible: (path) => context.peer.mayList(profile, path),
    }),
  }),

  'crypto.encrypt': (params, context) => {
    const { profile, plaintext } = params;
    requireSize(plaintext, context.limits.plaintextBytes, 'plaintextBytes');
    return { result: { handle: vaultOf(context, profile).encrypt(params, plaintext) } };
  },

  'crypto.decrypt': (params, context) => ({
    result: {
      plaintext: vaultOf(context, params.profile).decrypt(params, params.handle, tenantGate(context, params)),
    },
  }),

  'crypto.rotate': (params, context) => ({
    result: {
      handle: vaultOf(context, params.profile).rotateHandle(
        params,
        params.handle,
        tenantGate(context, params),
      ),
    },
  }),

  'crypto.adopt': (params, context) => {
    const { profile, handle, oldKey } = params;
    try {
      const vault = vaultOf(context, profile);
      const { plaintextBytes } = context.limits;
      return {
        result: { handle: vault.adopt(params, handle, oldKey, plaintextBytes, tenantGate(context, params)) },
      };
    } finally {
      wipe(oldKey);
    }
  },

  'crypto.digestKey': ({ profile, keyring }, context) => {
    const vault = vaultOf(context, profile);
    return { result: { key: vault.digestKey(keyring), vaultId: vault.vaultId } };
  },

  ...keyHandlers,
  ...tenantHandlers,
  ...vaultKeyHandlers,
  ...backupHandlers,
  ...auditHandlers,
  ...grantHandlers,
  ...clientHandlers,
  ...approvalHandlers,

  'daemon.stop': (_params, context) => ({ result: { pid: context.stop() } }),
};

/** Carries out a call that passed the gates. Throws or rejects with the HushError that refuses it. */
export function answer(call: Call, context: Context): Answer | Promise<Answer> {
  if (call.name === 'hello' || call.name === 'handshake' || call.name === 'batch') {
    throw new HushError('BAD_REQUEST', `${call.name} cannot be asked for here`);
  }
  return handle(call, context);
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
  const items = calls.map((call) => secretToSet(call, context));
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

function secretToSet(call: CallOf<'secret.set'>, { limits }: Context): SecretToSet | HushError {
  const { value } = call.params;
  try {
    requireSize(value, limits.valueBytes, 'valueBytes');
    return { path: placeOf(call), value };
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  }
}

function handle<Name extends Handled>(call: CallOf<Name>, context: Context): Answer | Promise<Answer> {
  // The table gives the handler of this very name, which takes these parameters.
  const handler: Handler<Name> = handlers[call.name];
  return handler(call.params, context, call);
}
