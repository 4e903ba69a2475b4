import { HushError } from '../../protocol/errors.ts';
import { joinSealedHandle, splitSealedHandle } from '../../protocol/sealed-handle.ts';
import type { CryptoContext } from '../crypto-context.ts';
import type { CryptoHandle } from '../crypto-handle.ts';
import type { CryptoProviderOptions } from '../crypto-provider.ts';
import {
  base64Of,
  bytesOfBase64,
  checkedEnvelope,
  credentialsOf,
  envelopeOf,
  isEncrypted,
  jsonOf,
  parseEnvelope,
  unknownKid,
} from './envelope.ts';
import type { CredentialEnvelope, EnvelopeParts } from './envelope.ts';

/** How a keyring finds its daemon, and what its envelopes belong to: they open nowhere else. */
export interface DaemonKeyringOptions extends CryptoProviderOptions {
  /** `credentials` by default; a grant on `<keyring>/<namespace>/<key>` is what the client needs. */
  readonly namespace?: string;
  /** `envelope` by default. */
  readonly key?: string;
  /** The tenant whose keys seal; none by default. */
  readonly tenantId?: string;
}

/** The functions of this module over keys that never leave the daemon. They reject as the daemon's provider does. */
export interface DaemonKeyring {
  /** The vault whose keys seal, and the only one whose envelopes open. */
  readonly vaultId: string;
  encryptCredentials(value: unknown): Promise<CredentialEnvelope>;
  decryptCredentials(value: unknown): Promise<unknown>;
  /** Ends the connection. */
  close(): void;
}

const kidPattern =
  /^(hush:([0-9a-f]{32}):([A-Za-z0-9][A-Za-z0-9_-]{0,63}):v([1-9]\d{0,9}))\/(sec_[0-9a-f]{32})$/;
/** An envelope is sealed once, and never rotated in place. */
const revision = 1;

/**
 * A keyring in the daemon, connected and proved to work. Rejects as `createCryptoProvider` does, and with ACCESS_DENIED
 * when the client may not use the place of its envelopes.
 */
export async function keyringFromDaemon(options: DaemonKeyringOptions = {}): Promise<DaemonKeyring> {
  const { namespace = 'credentials', key = 'envelope', tenantId, keyring = 'default' } = options;
  const ctx: CryptoContext = { namespace, key, ...(tenantId === undefined ? {} : { tenantId }) };
  // Whoever has keys of their own needs none of what a connection loads.
  const { createCryptoProvider } = await import('../crypto-provider.ts');
  const provider = await createCryptoProvider({ proof: ctx, ...options, keyring });
  return {
    vaultId: provider.vaultId,
    async encryptCredentials(value) {
      if (isEncrypted(value)) return checkedEnvelope(value);
      return envelopeOf(partsOf(await provider.encrypt(jsonOf(value), ctx)));
    },
    async decryptCredentials(value) {
      if (!isEncrypted(value)) return value;
      const parts = parseEnvelope(value);
      const handle = handleOf(parts, tenantId ?? '');
      if (!parts.kid.startsWith(`hush:${provider.vaultId}:${keyring}:`)) throw unknownKid(parts.kid);
      return credentialsOf(await provider.decrypt(handle, ctx));
    },
    close: provider.close,
  };
}

/** A handle of the daemon as the parts of an envelope. */
function partsOf({ id, kmsKeyId, ciphertext }: CryptoHandle): EnvelopeParts {
  const parts = splitSealedHandle(bytesOfBase64(ciphertext) ?? new Uint8Array());
  const kid = `${kmsKeyId}/${id}`;
  const [, , , , dekVersion] = kidPattern.exec(kid) ?? [];
  if (parts?.revision !== revision || String(parts.dekVersion) !== dekVersion) {
    throw new HushError(
      'UNSUPPORTED_VERSION',
      'the daemon seals in a form that this client cannot put into an envelope',
    );
  }
  return { kid, iv: parts.nonce, ct: parts.sealed };
}

/** The handle of the daemon that an envelope was made of. Throws WRONG_KEY when its kid is not the daemon's. */
function handleOf({ kid, iv, ct }: EnvelopeParts, tenant: string): CryptoHandle {
  const [, kmsKeyId, , , dekVersion, id] = kidPattern.exec(kid) ?? [];
  if (kmsKeyId === undefined || id === undefined || Number(dekVersion) > 0xffff_ffff) throw unknownKid(kid);
  const form = joinSealedHandle({ dekVersion: Number(dekVersion), revision, tenant, nonce: iv, sealed: ct });
  return { id, kmsKeyId, alg: 'aes-256-gcm', version: revision, ciphertext: base64Of(form) };
}
