import { koffi } from '../../native/koffi.ts';

/** A `BIGNUM *`, `BN_CTX *` or `RSA *` of OpenSSL. */
export type Pointer = object;

/** The functions of the OpenSSL inside Node that RSA needs; 1 means that a call succeeded. */
export interface OpenSslRsa {
  newNumber(): Pointer | null;
  numberOf(bytes: Uint8Array, length: number, into: null): Pointer | null;
  /** Overwrites it too. */
  freeNumber(number: Pointer): void;
  setFlags(number: Pointer, flags: number): void;
  subtractWord(number: Pointer, word: number): number;
  copy(number: Pointer): Pointer | null;
  /** The remainder alone where `quotient` is null. */
  divide(quotient: null, remainder: Pointer, number: Pointer, divisor: Pointer, context: Pointer): number;
  multiply(product: Pointer, a: Pointer, b: Pointer, context: Pointer): number;
  compare(a: Pointer, b: Pointer): number;
  bits(number: Pointer): number;
  bytesOf(number: Pointer, out: Uint8Array): number;
  newContext(): Pointer | null;
  freeContext(context: Pointer): void;
  newKey(): Pointer | null;
  /** Frees its numbers as well, and overwrites the private ones. */
  freeKey(key: Pointer): void;
  /** This and the two below take the numbers over, if they succeed. */
  setKey(key: Pointer, n: Pointer, e: Pointer, d: Pointer): number;
  setFactors(key: Pointer, p: Pointer, q: Pointer): number;
  setRemainders(key: Pointer, dmp1: Pointer, dmq1: Pointer, iqmp: Pointer): number;
  /** A number of a key, which stays the key's. */
  readonly numberIn: Readonly<Record<'n' | 'e' | 'd' | 'iqmp' | 'p' | 'q', (key: Pointer) => Pointer | null>>;
  sign(
    digestId: number,
    digest: Uint8Array,
    length: number,
    out: Uint8Array,
    written: Uint32Array,
    key: Pointer,
  ): number;
  verify(
    digestId: number,
    digest: Uint8Array,
    length: number,
    signature: Uint8Array,
    signatureLength: number,
    key: Pointer,
  ): number;
  /** Makes a key, on a thread of its own: of 4096 bits it takes a second or more. */
  generate(key: Pointer, bits: number, e: Pointer): Promise<number>;
  clearErrors(): void;
}

/** A function of C that koffi can run on another thread. */
interface Asynchronous {
  readonly async: (...given: readonly unknown[]) => void;
}

function bind(): OpenSslRsa | undefined {
  try {
    const library = koffi.load(null);
    const numberIn = (name: string) =>
      library.func(`void* RSA_get0_${name}(void*)`) as (key: Pointer) => Pointer | null;
    // Each cast restates the C declaration beside it, in the types that koffi converts it to.
    const generate = library.func(
      'int RSA_generate_key_ex(void*, int, void*, void*)',
    ) as unknown as Asynchronous;
    return {
      newNumber: library.func('void* BN_new()') as OpenSslRsa['newNumber'],
      numberOf: library.func('void* BN_bin2bn(const uint8_t*, int, void*)') as OpenSslRsa['numberOf'],
      freeNumber: library.func('void BN_clear_free(void*)') as OpenSslRsa['freeNumber'],
      setFlags: library.func('void BN_set_flags(void*, int)') as OpenSslRsa['setFlags'],
      subtractWord: library.func('int BN_sub_word(void*, uint64_t)') as OpenSslRsa['subtractWord'],
      copy: library.func('void* BN_dup(void*)') as OpenSslRsa['copy'],
      divide: library.func('int BN_div(void*, void*, void*, void*, void*)') as OpenSslRsa['divide'],
      multiply: library.func('int BN_mul(void*, void*, void*, void*)') as OpenSslRsa['multiply'],
      compare: library.func('int BN_cmp(void*, void*)') as OpenSslRsa['compare'],
      bits: library.func('int BN_num_bits(void*)') as OpenSslRsa['bits'],
      bytesOf: library.func('int BN_bn2bin(void*, uint8_t*)') as OpenSslRsa['bytesOf'],
      newContext: library.func('void* BN_CTX_new()') as OpenSslRsa['newContext'],
      freeContext: library.func('void BN_CTX_free(void*)') as OpenSslRsa['freeContext'],
      newKey: library.func('void* RSA_new()') as OpenSslRsa['newKey'],
      freeKey: library.func('void RSA_free(void*)') as OpenSslRsa['freeKey'],
      setKey: library.func('int RSA_set0_key(void*, void*, void*, void*)') as OpenSslRsa['setKey'],
      setFactors: library.func('int RSA_set0_factors(void*, void*, void*)') as OpenSslRsa['setFactors'],
      setRemainders: library.func(
        'int RSA_set0_crt_params(void*, void*, void*, void*)',
      ) as OpenSslRsa['setRemainders'],
      numberIn: {
        n: numberIn('n'),
        e: numberIn('e'),
        d: numberIn('d'),
        iqmp: numberIn('iqmp'),
        p: numberIn('p'),
        q: numberIn('q'),
      },
      sign: library.func(
        'int RSA_sign(int, const uint8_t*, uint, uint8_t*, uint*, void*)',
      ) as OpenSslRsa['sign'],
      verify: library.func(
        'int RSA_verify(int, const uint8_t*, uint, const uint8_t*, uint, void*)',
      ) as OpenSslRsa['verify'],
      generate: (key, bits, e) =>
        new Promise((resolve, reject) => {
          generate.async(key, bits, e, null, (error: Error | null, made: number) => {
            if (error === null) resolve(made);
            else reject(error);
          });
        }),
      clearErrors: library.func('void ERR_clear_error()') as OpenSslRsa['clearErrors'],
    };
  } catch {
    return undefined;
  }
}

/**
 * RSA by the OpenSSL that Node itself runs on, called straight on our memory; undefined where a build of Node hides its
 * symbols. Why not node:crypto: a KeyObject keeps the key until it is collected, and to make one copies its encoding into
 * memory that nobody overwrites.
 */
export const opensslRsa: OpenSslRsa | undefined = bind();
