/** The few functions of sodium-native that hushd uses; the package ships no types of its own. */
declare module 'sodium-native' {
  interface Sodium {
    readonly crypto_pwhash_ALG_ARGON2ID13: number;
    sodium_malloc(size: number): Buffer;
    sodium_free(buffer: Uint8Array): void;
    sodium_memzero(buffer: Uint8Array): void;
    sodium_mlock(buffer: Uint8Array): void;
    sodium_memcmp(a: Uint8Array, b: Uint8Array): boolean;
    randombytes_buf(buffer: Uint8Array): void;
    crypto_scalarmult(shared: Uint8Array, secret: Uint8Array, point: Uint8Array): void;
    crypto_scalarmult_base(point: Uint8Array, secret: Uint8Array): void;
    crypto_generichash(out: Uint8Array, input: Uint8Array, key?: Uint8Array): void;
    crypto_hash_sha256(out: Uint8Array, input: Uint8Array): void;
    crypto_hash_sha512(out: Uint8Array, input: Uint8Array): void;
    crypto_sign_seed_keypair(point: Uint8Array, secret: Uint8Array, seed: Uint8Array): void;
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secret: Uint8Array): void;
    /** `memoryBytes` is in bytes; lanes are always 1. */
    crypto_pwhash_async(
      out: Uint8Array,
      password: Uint8Array,
      salt: Uint8Array,
      passes: number,
      memoryBytes: number,
      algorithm: number,
    ): Promise<void>;
  }
  const sodium: Sodium;
  export default sodium;
}
