import type { StoredRow } from './store.ts';

/**
 * Bytes of one fingerprint: id (32), version (8, big endian), state (1), data key version (4, big endian), the last
 * 16 bytes of the sealed meta and the last 16 of the sealed value. Those are their AES-GCM tags, so two rows that
 * differ have different fingerprints.
 */
export const fingerprintSize = 77;

/** Bytes of a row's id. */
export const idSize = 32;

const tagSize = 16;

/** The fingerprint of a row. */
export function fingerprintOf(row: StoredRow): Uint8Array {
  const fingerprint = new Uint8Array(fingerprintSize);
  fingerprint.set(row.id);
  putU32(fingerprint, 32, Math.floor(row.version / 2 ** 32));
  putU32(fingerprint, 36, row.version);
  fingerprint[40] = row.state;
  putU32(fingerprint, 41, row.dek);
  fingerprint.set(row.meta.subarray(-tagSize), 45);
  fingerprint.set(row.value.subarray(-tagSize), 61);
  return fingerprint;
}

/** The lowest 32 bits, big endian: a DataView for each row would take longer than all the rest. */
function putU32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

/** The id within a fingerprint; shares its memory. */
export const idOf = (fingerprint: Uint8Array): Uint8Array => fingerprint.subarray(0, idSize);

/** The version within a fingerprint. */
export const versionOf = (fingerprint: Uint8Array): number =>
  Number(new DataView(fingerprint.buffer, fingerprint.byteOffset).getBigUint64(32));

/** The data key's version within a fingerprint. */
export const dekOf = (fingerprint: Uint8Array): number =>
  new DataView(fingerprint.buffer, fingerprint.byteOffset).getUint32(41);

/** The state within a fingerprint. */
export const stateOf = (fingerprint: Uint8Array): number | undefined => fingerprint[40];
