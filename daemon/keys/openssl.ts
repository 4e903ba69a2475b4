import { koffi } from '../../native/koffi.ts';

/** An `EVP_CIPHER_CTX *` or an `EVP_*` method of OpenSSL. */
type Pointer = object;

/** The functions of the OpenSSL inside Node that hushd calls itself; 1 means that a call succeeded. */
export interface OpenSsl {
  newContext(): Pointer | null;
  freeContext(context: Pointer): void;
  init(
    context: Pointer,
    cipher: Pointer | null,
    engine: null,
    key: Uint8Array | null,
    nonce: Uint8Array | null,
    encrypt: 0 | 1,
  ): number;
  update(
    context: Pointer,
    out: Uint8Array | null,
    written: Int32Array,
    input: Uint8Array,
    length: number,
  ): number;
  control(context: Pointer, command: number, length: number, tag: Uint8Array): number;
  final(context: Pointer, out: Uint8Array, written: Int32Array): number;
  hmac(
    digest: Pointer,
    key: Uint8Array,
    keyLength: number,
    input: Uint8Array,
    inputLength: number,
    out: Uint8Array,
    written: null,
  ): Pointer | null;
  readonly aes256Gcm: Pointer;
  readonly sha256: Pointer;
}

function bind(): OpenSsl | undefined {
  try {
    const library = koffi.load(null);
    // Each cast restates the C declaration beside it, in the types that koffi converts it to.
    return {
      newContext: library.func('void* EVP_CIPHER_CTX_new()') as OpenSsl['newContext'],
      freeContext: library.func('void EVP_CIPHER_CTX_free(void*)') as OpenSsl['freeContext'],
      init: library.func(
        'int EVP_CipherInit_ex(void*, void*, void*, const uint8_t*, const uint8_t*, int)',
      ) as OpenSsl['init'],
      update: library.func(
        'int EVP_CipherUpdate(void*, uint8_t*, int*, const uint8_t*, int)',
      ) as OpenSsl['update'],
      control: library.func('int EVP_CIPHER_CTX_ctrl(void*, int, int, uint8_t*)') as OpenSsl['control'],
      final: library.func('int EVP_CipherFinal_ex(void*, uint8_t*, int*)') as OpenSsl['final'],
      hmac: library.func(
        'void* HMAC(void*, const uint8_t*, int, const uint8_t*, size_t, uint8_t*, void*)',
      ) as OpenSsl['hmac'],
      aes256Gcm: library.func('void* EVP_aes_256_gcm()')() as Pointer,
      sha256: library.func('void* EVP_sha256()')() as Pointer,
    };
  } catch {
    return undefined;
  }
}

/**
 * The OpenSSL that Node itself runs on, called straight on our memory; undefined where a build of Node hides its
 * symbols, and node:crypto does the same work. Why not node:crypto everywhere: `decipher.update` frees an unwiped
 * copy of each plaintext, and a KeyObject or Hmac keeps one of its key until it is collected (found by scanning the
 * process); and to open 200 bytes takes it 9.5 µs, and this 1.9 µs.
 */
export const openssl: OpenSsl | undefined = bind();
