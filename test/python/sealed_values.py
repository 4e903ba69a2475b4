#!/usr/bin/env python3
"""Credential envelopes and local handles, written and opened from docs/formats.md alone: Python's standard library, and
AES-256-GCM by the system's OpenSSL.

    sealed_values.py

reads one job a line, as JSON, and answers each with one line: {"ok": ...} or {"refused": true}.

    {"do": "seal envelope", "key": base64, "kid": text, "value": any JSON}
    {"do": "open envelope", "keys": {kid: base64}, "envelope": {...}}
    {"do": "seal handle", "secret": hex, "id": text, "namespace": text, "key": text, "tenant": text, "plain": text}
    {"do": "open handle", "secret": hex, "handle": {...}, "namespace": text, "key": text}
"""

import base64
import ctypes
import hashlib
import hmac
import json
import os
import struct
import sys

GET_TAG = 0x10
SET_TAG = 0x11


class Refused(Exception):
    """The tag does not fit, or the form is not what the page says."""


def load_openssl():
    for name in ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so"):
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise SystemExit("there is no libcrypto on this machine")
    library.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    library.EVP_aes_256_gcm.restype = ctypes.c_void_p
    return library


openssl = load_openssl()


def check(result):
    if result != 1:
        raise Refused()


def gcm(key, nonce, aad, data, tag=None):
    """Seals data and gives ciphertext and tag; with a tag, opens data and gives the plaintext."""
    assert len(key) == 32 and len(nonce) == 12
    context = ctypes.c_void_p(openssl.EVP_CIPHER_CTX_new())
    try:
        cipher = ctypes.c_void_p(openssl.EVP_aes_256_gcm())
        check(openssl.EVP_CipherInit_ex(context, cipher, None, key, nonce, 1 if tag is None else 0))
        written = ctypes.c_int(0)
        if aad:
            check(openssl.EVP_CipherUpdate(context, None, ctypes.byref(written), aad, len(aad)))
        out = ctypes.create_string_buffer(len(data) + 16)
        length = 0
        if data:
            check(openssl.EVP_CipherUpdate(context, out, ctypes.byref(written), data, len(data)))
            length = written.value
        if tag is not None:
            check(openssl.EVP_CIPHER_CTX_ctrl(context, SET_TAG, 16, ctypes.c_char_p(tag)))
        rest = ctypes.create_string_buffer(16)
        check(openssl.EVP_CipherFinal_ex(context, rest, ctypes.byref(written)))
        if tag is not None:
            return out.raw[:length]
        made = ctypes.create_string_buffer(16)
        check(openssl.EVP_CIPHER_CTX_ctrl(context, GET_TAG, 16, made))
        return out.raw[:length] + made.raw
    finally:
        openssl.EVP_CIPHER_CTX_free(context)


def b64(data):
    return base64.b64encode(data).decode("ascii")


def seal_envelope(job):
    nonce = os.urandom(12)
    plain = json.dumps(job["value"], ensure_ascii=False).encode("utf-8")
    sealed = gcm(base64.b64decode(job["key"]), nonce, b"", plain)
    return {"__enc": 1, "kid": job["kid"], "iv": b64(nonce), "ct": b64(sealed)}


def open_envelope(job):
    envelope = job["envelope"]
    if set(envelope) != {"__enc", "kid", "iv", "ct"} or envelope["__enc"] != 1:
        raise Refused()
    key = base64.b64decode(job["keys"][envelope["kid"]])
    sealed = base64.b64decode(envelope["ct"])
    plain = gcm(key, base64.b64decode(envelope["iv"]), b"", sealed[:-16], sealed[-16:])
    return json.loads(plain.decode("utf-8"))


def hkdf(secret, info, length):
    """RFC 5869 with SHA-256, no salt, and one block."""
    pseudorandom = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(pseudorandom, info.encode("ascii") + b"\x01", hashlib.sha256).digest()[:length]


def aad_of(fields):
    return b"".join(struct.pack(">I", len(field)) + field for field in (text.encode("utf-8") for text in fields))


def handle_aad(key_id, handle_id, job, tenant, revision):
    fields = ["hushd", "65", "handle", key_id.hex(), handle_id, job["namespace"], job["key"], tenant, str(revision)]
    return aad_of(fields)


def seal_handle(job):
    secret = bytes.fromhex(job["secret"])
    key_id = hkdf(secret, "hushd v1 local key id", 8)
    key = hkdf(secret, "hushd v1 local handle key, AES-256-GCM", 32)
    tenant = job["tenant"].encode("utf-8")
    nonce = os.urandom(12)
    sealed = gcm(key, nonce, handle_aad(key_id, job["id"], job, job["tenant"], 1), job["plain"].encode("utf-8"))
    head = b"\x41\x01" + key_id + struct.pack(">IH", 1, len(tenant)) + tenant
    return {
        "id": job["id"],
        "kmsKeyId": "local:" + key_id.hex(),
        "alg": "aes-256-gcm",
        "version": 1,
        "ciphertext": b64(head + nonce + sealed),
    }


def open_handle(job):
    secret = bytes.fromhex(job["secret"])
    key_id = hkdf(secret, "hushd v1 local key id", 8)
    form = base64.b64decode(job["handle"]["ciphertext"])
    if form[:2] != b"\x41\x01" or form[2:10] != key_id:
        raise Refused()
    revision, tenant_length = struct.unpack(">IH", form[10:16])
    tenant, body = form[16 : 16 + tenant_length].decode("utf-8"), form[16 + tenant_length :]
    key = hkdf(secret, "hushd v1 local handle key, AES-256-GCM", 32)
    aad = handle_aad(key_id, job["handle"]["id"], job, tenant, revision)
    return gcm(key, body[:12], aad, body[12:-16], body[-16:]).decode("utf-8")


def answer(job):
    work = {
        "seal envelope": seal_envelope,
        "open envelope": open_envelope,
        "seal handle": seal_handle,
        "open handle": open_handle,
    }[job["do"]]
    try:
        return {"ok": work(job)}
    except Refused:
        return {"refused": True}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
