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

const format = 2;
const aes256Gcm = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 12;

/** The parts of a sealed handle, or undefined if the bytes are none. Nothing in them is proved before they open. */
export function splitSealedHandle(bytes: Uint8Array): SealedHandleParts | undefined {
  if (bytes[0] !== format || bytes[1] !== aes256Gcm || bytes.length < headBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const body = headBytes + view.getUint16(10);
  if (bytes.length < body + nonceBytes + tagBytes) return undefined;
  return {
    dekVersion: view.getUint32(2),
    revision: view.getUint32(6),
    tenant: new TextDecoder().decode(bytes.subarray(headBytes, body)),
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
  const body = headBytes + tenantBytes.length;
  const bytes = new Uint8Array(body + nonceBytes + sealed.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = format;
  bytes[1] = aes256Gcm;
  view.setUint32(2, dekVersion);
  view.setUint32(6, revision);
  view.setUint16(10, tenantBytes.length);
  bytes.set(tenantBytes, headBytes);
  bytes.set(nonce, body);
  bytes.set(sealed, body + nonceBytes);
  return bytes;
}
