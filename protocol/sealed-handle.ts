/** The parts of a handle that the daemon sealed, as docs/formats.md lays them out under "Handle". */
export interface SealedHandleParts {
  readonly dekVersion: number;
  readonly revision: number;
  readonly tenant: string;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** The ciphertext and its tag of 16 bytes. */
  readonly sealed: Uint8Array;
}

/** The first byte of a sealed handle, and the second of everything that AES-256-GCM sealed. */
export const handleFormat = 2;
export const aes256Gcm = 1;
/** Format, algorithm, data key version (u32), revision (u32) and the length of the tenant (u16), before the tenant. */
export const handleHead = 12;
const nonceBytes = 12;
const tagBytes = 16;

/** The parts of a sealed handle, or undefined if the bytes are none. Nothing in them is proved before they open. */
export function splitSealedHandle(bytes: Uint8Array): SealedHandleParts | undefined {
  if (bytes[0] !== handleFormat || bytes[1] !== aes256Gcm || bytes.length < handleHead) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const body = handleHead + view.getUint16(10);
  if (bytes.length < body + nonceBytes + tagBytes) return undefined;
  return {
    dekVersion: view.getUint32(2),
    revision: view.getUint32(6),
    tenant: new TextDecoder().decode(bytes.subarray(handleHead, body)),
    nonce: bytes.subarray(body, body + nonceBytes),
    sealed: bytes.subarray(body + nonceBytes),
  };
}

/** The bytes of a sealed handle of these parts. */
export function joinSealedHandle({
  dekVersion,
  revision,
  tenant,
  nonce,
  sealed,
}: SealedHandleParts): Uint8Array {
  const tenantBytes = new TextEncoder().encode(tenant);
  const body = handleHead + tenantBytes.length;
  const bytes = new Uint8Array(body + nonceBytes + sealed.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = handleFormat;
  bytes[1] = aes256Gcm;
  view.setUint32(2, dekVersion);
  view.setUint32(6, revision);
  view.setUint16(10, tenantBytes.length);
  bytes.set(tenantBytes, handleHead);
  bytes.set(nonce, body);
  bytes.set(sealed, body + nonceBytes);
  return bytes;
}
