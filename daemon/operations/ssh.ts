import { HushError } from '../../protocol/errors.ts';
import { parseSecretPath, type SecretPath } from '../../protocol/names.ts';
import type { ResultOf } from '../../protocol/operations.ts';
import type { PublicHalf } from '../signing/signing.ts';
import type { Vault } from '../vault/vault.ts';
import type { Context, Handlers } from './handler.ts';
import { vaultOf } from './vault-of.ts';

/** Enough for all that SSH has signed; RFC 4252 keeps an authentication under 35,000 bytes. */
const maxDataBytes = 256 * 1024;
const usualBits = 3072;
const usualPage = 100;
/** What can be wrong with one key alone; anything else, such as INTEGRITY, is for all to hear, and on record. */
const faultsOfOne: readonly string[] = ['BAD_REQUEST', 'EXPIRED', 'KEY_DESTROYED'];

/** The operations on SSH keys that are secrets of the vault, where the keys stay. */
export const sshHandlers: Handlers<'ssh.list' | 'ssh.public' | 'ssh.sign' | 'ssh.generate'> = {
  'ssh.list': ({ profile, prefix, after, limit }, context) => {
    const vault = vaultOf(context, profile);
    const { entries, next } = vault.list({
      ...(prefix === undefined ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
      limit: limit ?? usualPage,
      visible: (path) => isShown(context, profile, path),
    });
    const keys: ResultOf<'ssh.list'>['keys'] = [];
    const unusable: ResultOf<'ssh.list'>['unusable'] = [];
    for (const { path } of entries) {
      const half = publicHalfOf(context, vault, parseSecretPath(path));
      if (half instanceof HushError) unusable.push({ path, message: half.message });
      else keys.push({ path, ...half });
    }
    return { result: { keys, unusable, ...(next === undefined ? {} : { next }) } };
  },

  'ssh.public': ({ profile }, context, call) => {
    const { value } = vaultOf(context, profile).get(placeOf(call));
    return { result: context.signing.publicHalf(value) };
  },

  'ssh.sign': ({ profile, data, algorithm }, context, call) => {
    if (data.length > maxDataBytes) {
      throw new HushError(
        'TOO_LARGE',
        `what is to be signed has ${data.length} bytes, the limit is ${maxDataBytes}`,
      );
    }
    const place = placeOf(call);
    const signature = context.signing.sign(() => vaultOf(context, profile).get(place).value, data, algorithm);
    return signature instanceof Promise
      ? signature.then((made) => ({ result: { signature: made } }))
      : { result: { signature } };
  },

  'ssh.generate': async ({ profile, type, bits = usualBits, comment }, context, call) => {
    const place = placeOf(call);
    requireFree(vaultOf(context, profile), place);
    const { secret, ...half } = await context.signing.generate({
      type,
      bits,
      comment: comment ?? place.text,
    });
    try {
      const vault = vaultOf(context, profile);
      // Another may have set it meanwhile.
      requireFree(vault, place);
      const { version, commit } = vault.set(place, secret.bytes, {
        by: context.peer.identity.name,
        ifVersion: 0,
      });
      return { result: { version, ...half }, commit };
    } finally {
      secret.wipe();
    }
  },
};

/** Whether the caller may know of a key: as `list` shows it, if it may read it; in any case if it may only sign with it. */
function isShown({ peer }: Context, profile: string, path: string): boolean {
  if (peer.allows(profile, { kind: 'read', path })) return peer.mayList(profile, path);
  return peer.allows(profile, { kind: 'key', path });
}

/** The public half, or why the secret is no key to sign with: that is no reason to show none of the others. */
function publicHalfOf({ signing }: Context, vault: Vault, path: SecretPath): PublicHalf | HushError {
  try {
    return signing.publicHalf(vault.get(path).value);
  } catch (error) {
    if (error instanceof HushError && faultsOfOne.includes(error.code)) return error;
    throw error;
  }
}

/** Throws EXISTS: a key that is written over is lost. */
function requireFree(vault: Vault, place: SecretPath): void {
  try {
    vault.get(place).value.fill(0);
  } catch (error) {
    if (error instanceof HushError && error.code === 'NOT_FOUND') return;
    if (!(error instanceof HushError) || error.code !== 'EXPIRED') throw error;
  }
  throw new HushError('EXISTS', `there is a secret ${place.text} already`, {
    hint: `choose another name, or hush delete ${place.text}`,
  });
}

function placeOf({ place }: { readonly place: SecretPath | undefined }): SecretPath {
  if (place === undefined) throw new HushError('INVALID_NAME');
  return place;
}
