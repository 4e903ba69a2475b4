import { HushError } from '../../protocol/errors.ts';
import type { OperationName } from '../../protocol/index.ts';
import { wipe } from '../memory/plain-bytes.ts';
import type { Coordinate } from '../vault/handles.ts';
import type { Call, CallOf } from './call.ts';
import type { Answer, Context, Handler, Handlers } from './handler.ts';
import { approvalHandlers } from './approvals.ts';
import { auditHandlers } from './audit.ts';
import { backupHandlers } from './backup.ts';
import { clientHandlers } from './clients.ts';
import { grantHandlers } from './grants.ts';
import { keyHandlers } from './keys.ts';
import { secretHandlers } from './secrets.ts';
import { slotHandlers } from './slots.ts';
import { sshHandlers } from './ssh.ts';
import { tenantHandlers } from './tenants.ts';
import { vaultKeyHandlers } from './vault-key.ts';
import { requireSize, vaultOf } from './vault-of.ts';

/** Operations that end inside the connection (hello, handshake) or the dispatcher (batch), and have no handler. */
type Handled = Exclude<OperationName, 'hello' | 'handshake' | 'batch'>;

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

  ...secretHandlers,
  ...sshHandlers,

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

function handle<Name extends Handled>(call: CallOf<Name>, context: Context): Answer | Promise<Answer> {
  // The table gives the handler of this very name, which takes these parameters.
  const handler: Handler<Name> = handlers[call.name];
  return handler(call.params, context, call);
}
