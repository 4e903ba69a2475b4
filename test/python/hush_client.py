#!/usr/bin/env python3
"""A client of hushd written from docs/protocol.md alone, in the standard library of Python 3.

    hush_client.py SOCKET SCENARIO [PROFILE]

SOCKET is a path, or `-` to find it by the environment. SCENARIO is one of those at the end of this file. Each
step prints one line of JSON: {"step": ..., ...}. `unlock` reads the passphrase from standard input, one line.
Exit status 0 when every step went as the protocol says, 1 with the reason on standard error otherwise.

    hush_client.py - codec

reads messages in hexadecimal, one a line, and prints each as decoded and encoded again.
"""

import json
import os
import socket
import struct
import sys


# MessagePack, as far as the protocol needs it: nil, booleans, integers, floats, text, binary, arrays, maps.
# https://github.com/msgpack/msgpack/blob/master/spec.md


def encode(value):
    """The MessagePack bytes of None, bool, int, float, str, bytes, list or dict, each in its shortest form."""
    if value is None:
        return b"\xc0"
    if value is False:
        return b"\xc2"
    if value is True:
        return b"\xc3"
    if isinstance(value, int):
        return encode_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8")
        if len(text) < 32:
            return bytes([0xA0 | len(text)]) + text
        return encode_length(len(text), 0xD9, 0xDA, 0xDB) + text
    if isinstance(value, (bytes, bytearray)):
        return encode_length(len(value), 0xC4, 0xC5, 0xC6) + bytes(value)
    if isinstance(value, list):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else encode_length(len(value), None, 0xDC, 0xDD)
        return head + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else encode_length(len(value), None, 0xDE, 0xDF)
        return head + b"".join(encode(key) + encode(item) for key, item in value.items())
    raise TypeError(f"{type(value).__name__} has no place in a message")


def encode_int(value):
    """The shortest form of an integer of -2^63 to 2^64-1."""
    if 0 <= value < 128:
        return struct.pack(">B", value)
    if -32 <= value < 0:
        return struct.pack(">b", value)
    forms = (
        [(0xCC, ">B", 2**8), (0xCD, ">H", 2**16), (0xCE, ">I", 2**32), (0xCF, ">Q", 2**64)]
        if value > 0
        else [(0xD0, ">b", 2**7), (0xD1, ">h", 2**15), (0xD2, ">i", 2**31), (0xD3, ">q", 2**63)]
    )
    for mark, form, bound in forms:
        if value < bound and value >= -bound:
            return bytes([mark]) + struct.pack(form, value)
    raise OverflowError("an integer of more than 64 bits")


def encode_length(length, mark8, mark16, mark32):
    """The mark and length of a string, binary, array or map too long for a form of one byte."""
    if mark8 is not None and length < 2**8:
        return struct.pack(">BB", mark8, length)
    if length < 2**16:
        return struct.pack(">BH", mark16, length)
    return struct.pack(">BI", mark32, length)


SCALARS = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}
TEXT = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
BINARY = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
ARRAY = {0xDC: ">H", 0xDD: ">I"}
MAP = {0xDE: ">H", 0xDF: ">I"}


class Reader:
    """Reads MessagePack values from one message."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("the message ends too early")
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def items(self, count):
        return [self.value() for _ in range(count)]

    def pairs(self, count):
        found = {}
        for _ in range(count):
            key = self.value()
            if not isinstance(key, str) or key in found:
                raise ValueError("a map needs unique keys of text")
            found[key] = self.value()
        return found

    def value(self):
        mark = self.take(1)[0]
        if mark < 0x80:
            return mark
        if mark < 0x90:
            return self.pairs(mark & 0x0F)
        if mark < 0xA0:
            return self.items(mark & 0x0F)
        if mark < 0xC0:
            return self.take(mark & 0x1F).decode("utf-8")
        if mark >= 0xE0:
            return mark - 0x100
        if mark in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[mark]
        if mark in SCALARS:
            return self.number(SCALARS[mark])
        if mark in TEXT:
            return self.take(self.number(TEXT[mark])).decode("utf-8")
        if mark in BINARY:
            return self.take(self.number(BINARY[mark]))
        if mark in ARRAY:
            return self.items(self.number(ARRAY[mark]))
        if mark in MAP:
            return self.pairs(self.number(MAP[mark]))
        raise ValueError(f"the protocol does not use the type 0x{mark:02x}")


def decode(data):
    """The one value that the bytes are. Raises ValueError for anything else."""
    reader = Reader(data)
    value = reader.value()
    if reader.at != len(data):
        raise ValueError("bytes follow the message")
    return value


# The connection: frames of a four-byte big-endian length and one map.


class Refusal(Exception):
    """An error reply: `code`, `message`, `hint` and what else it holds."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.error = error


def find_socket(environment):
    """The path of the daemon's socket. Raises ValueError when the environment names none."""
    places = (
        ("HUSH_SOCKET", ""),
        ("HUSH_HOME", "/hushd.sock"),
        ("XDG_RUNTIME_DIR", "/hushd/hushd.sock"),
        ("XDG_DATA_HOME", "/hushd/hushd.sock"),
        ("HOME", "/.local/share/hushd/hushd.sock"),
    )
    for variable, rest in places:
        if environment.get(variable):
            return environment[variable] + rest
    raise ValueError("the environment names no socket")


def check_listener(connected, environment):
    """Raises PermissionError unless the listening end is of a user that is trusted with secrets."""
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    if uid not in (os.geteuid(), 0) and str(uid) != environment.get("HUSH_DAEMON_UID"):
        raise PermissionError(f"the socket is served by uid {uid}, which is not trusted")


class Connection:
    """One connection to the daemon. Nothing is said on it until `call` is used; `hello` has to come first."""

    def __init__(self, path, seconds=60):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        check_listener(self.socket, os.environ)
        self.last_id = 0

    def close(self):
        self.socket.close()

    def send(self, op, **params):
        """Sends one request and gives its id, without waiting."""
        self.last_id += 1
        self.send_message({"id": self.last_id, "op": op, "params": params})
        return self.last_id

    def send_message(self, message):
        self.send_body(encode(message))

    def send_body(self, body):
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def receive(self):
        """The next reply, or None when the daemon has closed the connection."""
        head = self.receive_bytes(4)
        if head is None:
            return None
        return decode(self.receive_bytes(struct.unpack(">I", head)[0]))

    def receive_bytes(self, count):
        parts = b""
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if part == b"":
                if parts == b"":
                    return None
                raise ValueError("the connection ended inside a frame")
            parts += part
        return parts

    def call(self, op, **params):
        """One request and its result. Raises Refusal for an error reply."""
        asked = self.send(op, **params)
        reply = self.receive()
        if reply is None:
            raise ConnectionError("the daemon closed the connection")
        if "error" in reply:
            raise Refusal(reply["error"])
        expect(reply["id"] == asked, "the reply carries the id of its request")
        return reply["ok"]


# The steps: each says in one line of JSON what the daemon answered.


def expect(condition, fact):
    if not condition:
        raise AssertionError(f"not so: {fact}")


def say(step, **facts):
    def plain(value):
        if isinstance(value, bytes):
            return {"hex": value.hex()}
        raise TypeError(type(value).__name__)

    print(json.dumps({"step": step, **facts}, default=plain), flush=True)


def refused(step, code, call, *args, **params):
    """Makes a call that must be refused with this code, and gives back the error."""
    try:
        result = call(*args, **params)
    except Refusal as refusal:
        expect(refusal.code == code, f"{step} is refused with {code}; it was {refusal.code}")
        expect(isinstance(refusal.error["message"], str), "an error has a message")
        say(step, code=refusal.code, message=refusal.error["message"], hint=refusal.error.get("hint"))
        return refusal.error
    raise AssertionError(f"not so: {step} is refused with {code}; it gave {sorted(result)}")


def greet(path):
    connection = Connection(path)
    answer = connection.call("hello", versions=[1], client="hush_client.py")
    expect(answer["version"] == 1, "the daemon speaks version 1")
    expect(answer["limits"]["frameBytes"] >= 65536, "hello tells the limits")
    return connection, answer


def hello(path, profile):
    connection, answer = greet(path)
    say("hello", **answer)
    connection.close()


def status(path, profile):
    connection, _ = greet(path)
    answer = connection.call("status")
    say("status", **answer)
    found = {entry["name"]: entry["state"] for entry in answer["profiles"]}
    expect(profile in found, "status names the profile")
    connection.close()


def unlock(path, profile):
    passphrase = sys.stdin.readline().rstrip("\n").encode("utf-8")
    connection, _ = greet(path)
    wrong = [{"kind": "passphrase", "secret": passphrase + b" but wrong"}]
    right = [{"kind": "passphrase", "secret": passphrase}]
    path_of_any = "global/python-before-unlock"
    refused("get while locked", "LOCKED", connection.call, "secret.get", profile=profile, path=path_of_any)
    refused("unlock with a wrong one", "WRONG_PASSPHRASE", connection.call, "unlock", profile=profile, credentials=wrong)
    say("unlock", **connection.call("unlock", profile=profile, credentials=right))
    again = connection.call("unlock", profile=profile, credentials=right)
    expect(again["already"] is True, "to unlock what is unlocked is done already")
    connection.close()


def secrets(path, profile):
    connection, _ = greet(path)
    call = connection.call
    values = {
        "global/python-text": "grün ✓".encode("utf-8"),
        "global/python-every-byte": bytes(range(256)),
        "ws:one/python-empty": b"",
        "pr:two/python-large": b"\x00\xff" * 16384,
    }
    for name, value in values.items():
        first = call("secret.set", profile=profile, path=name, value=b"to be replaced")
        second = call("secret.set", profile=profile, path=name, value=value)
        expect(second["version"] > first["version"], "a version grows when a value is replaced")
        expect(second["createdAt"] == first["createdAt"], "the created time stays")
        say("set", path=name, version=second["version"], createdAt=second["createdAt"], updatedAt=second["updatedAt"])
    for name, value in values.items():
        got = call("secret.get", profile=profile, path=name)
        expect(got["value"] == value, f"{name} comes back byte for byte")
        say("get", path=name, size=len(got["value"]), version=got["version"])

    listed, after, pages = {}, {}, 0
    while True:
        page = call("secret.list", profile=profile, limit=2, **after)
        listed.update((entry["path"], entry["size"]) for entry in page["entries"])
        expect(all("value" not in entry for entry in page["entries"]), "a list holds no values")
        pages += 1
        if page.get("next") is None:
            break
        after = {"after": page["next"]}
    expect({name: len(value) for name, value in values.items()}.items() <= listed.items(), "a list holds all names")
    say("list", paths=sorted(listed), pages=pages)

    asked = {connection.send("secret.get", profile=profile, path=name): value for name, value in values.items()}
    for _ in values:
        reply = connection.receive()
        expect(reply["ok"]["value"] == asked.pop(reply["id"]), "replies are matched to requests by id")
    say("pipelined", count=len(values))

    page = call("secret.list", profile=profile, prefix="ws:one/")
    expect([entry["path"] for entry in page["entries"]] == ["ws:one/python-empty"], "a prefix narrows the list")
    expect("next" not in page, "the last page has no next")

    for name in values:
        call("secret.delete", profile=profile, path=name)
        refused("get of what was deleted", "NOT_FOUND", call, "secret.get", profile=profile, path=name)
        refused("delete of what was deleted", "NOT_FOUND", call, "secret.delete", profile=profile, path=name)
    connection.close()


def crypto(path, profile):
    connection, _ = greet(path)
    call = connection.call
    place = {"profile": profile, "keyring": "default", "namespace": "mail", "key": "smtp_password"}
    plaintext = "ünïcode and \0 bytes".encode("utf-8")
    handle = call("crypto.encrypt", **place, plaintext=plaintext)["handle"]
    say("encrypt", handle=handle)
    expect(handle["id"].startswith("sec_"), "a handle's id starts with sec_")
    expect(call("crypto.decrypt", **place, handle=handle)["plaintext"] == plaintext, "decrypt gives the plaintext back")
    owned = call("crypto.encrypt", **place, tenant="acme", plaintext=plaintext)["handle"]
    expect(call("crypto.decrypt", **place, handle=owned)["plaintext"] == plaintext, "decrypt needs no tenant")
    expect(owned["id"] != handle["id"], "each handle has an id of its own")
    say("decrypt", size=len(plaintext))

    elsewhere = {**place, "key": "imap_password"}
    refused("decrypt under another key", "INTEGRITY", call, "crypto.decrypt", **elsewhere, handle=handle)
    refused("decrypt for another tenant", "INTEGRITY", call, "crypto.decrypt", **place, tenant="other", handle=owned)
    swapped = {**handle, "id": owned["id"]}
    refused("decrypt under another id", "INTEGRITY", call, "crypto.decrypt", **place, handle=swapped)

    digest = call("crypto.digestKey", profile=profile, keyring="default")
    expect(len(digest["key"]) == 32, "a digest key has 32 bytes")
    made = call("keys.rotate", profile=profile)
    expect(made["keyring"] == "default" and made["lines"] == 2, "each tenant and the keyring itself get a new key")
    say("rotate keys", kmsKeyId=made["kmsKeyId"], version=made["version"])
    newer = call("crypto.rotate", **place, handle=handle)["handle"]
    expect(newer["id"] == handle["id"], "a rotated handle keeps its id")
    expect(newer["version"] == handle["version"] + 1, "a rotated handle has the next version")
    expect(newer["kmsKeyId"] == made["kmsKeyId"], "a rotated handle is sealed under the newest key")
    for each in (handle, newer):
        expect(call("crypto.decrypt", **place, handle=each)["plaintext"] == plaintext, "both forms open")
    expect(call("crypto.digestKey", profile=profile, keyring="default") == digest, "rotation keeps the digest key")
    say("rotate", handle=newer)
    connection.close()


def batch(path, profile):
    connection, _ = greet(path)
    at = {"profile": profile, "path": "global/python-batch"}
    items = [
        {"op": "secret.set", "params": {**at, "value": b"one of many"}},
        {"op": "secret.get", "params": at},
        {"op": "secret.delete", "params": at},
        {"op": "secret.get", "params": at},
        {"op": "batch", "params": {"items": []}},
        {"op": "secret.list", "params": {"profile": profile}},
    ]
    results = connection.call("batch", items=items)["results"]
    expect(len(results) == len(items), "each item has its result")
    expect(results[1]["ok"]["value"] == b"one of many", "items are carried out in their order")
    expect(results[3]["error"]["code"] == "NOT_FOUND", "an item that fails says why")
    expect(results[4]["error"]["code"] == "BAD_REQUEST", "an operation that has no place in a batch is refused")
    expect("ok" in results[5], "an item that fails does not stop the rest")
    say("batch", outcomes=["ok" if "ok" in result else result["error"]["code"] for result in results])
    connection.close()


def refusals(path, profile):
    silent = Connection(path)
    refused("a first request that is not hello", "BAD_REQUEST", silent.call, "status")
    silent.close()

    stranger = Connection(path)
    refused("hello in a version of the future", "UNSUPPORTED_VERSION", stranger.call, "hello", versions=[9999])
    stranger.close()

    connection, answer = greet(path)
    call = connection.call
    refused("an unknown operation", "BAD_REQUEST", call, "secret.gets", profile=profile)
    refused("a missing parameter", "BAD_REQUEST", call, "secret.get", profile=profile)
    refused("a parameter of another type", "BAD_REQUEST", call, "secret.get", profile=profile, path=7)
    refused("a path that is not a name", "INVALID_NAME", call, "secret.get", profile=profile, path="global/../x")
    refused("a profile that is not there", "NO_SUCH_PROFILE", call, "secret.get", profile="nowhere", path="global/x")
    large = b"x" * (answer["limits"]["valueBytes"] + 1)
    refused("a value over the limit", "TOO_LARGE", call, "secret.set", profile=profile, path="global/x", value=large)
    connection.close()

    for step, body in {"bytes that are no message": b"\xc1", "a message that is no map": encode([1, 2])}.items():
        broken, _ = greet(path)
        broken.send_body(body)
        closing(step, broken, "BAD_REQUEST")
    claiming, answer = greet(path)
    claiming.socket.sendall(struct.pack(">I", 0xFFFFFFFF))
    closing("a frame that claims 4 GiB", claiming, "TOO_LARGE")


def closing(step, connection, code):
    """The daemon must name what broke the connection, in a reply without an id, and then close it."""
    reply = connection.receive()
    expect(reply is not None and reply["id"] is None, f"{step} gets a reply without an id")
    expect(reply["error"]["code"] == code, f"{step} is refused with {code}; it was {reply['error']['code']}")
    expect(connection.receive() is None, f"{step} ends the connection")
    say(step, code=code, closed=True)
    connection.close()


def lock(path, profile):
    connection, _ = greet(path)
    say("lock", **connection.call("lock", profile=profile))
    expect(connection.call("lock", profile=profile)["already"] is True, "to lock what is locked is done already")
    refused("get after lock", "LOCKED", connection.call, "secret.get", profile=profile, path="global/x")
    place = {"profile": profile, "keyring": "default", "namespace": "mail", "key": "smtp_password"}
    refused("encrypt after lock", "LOCKED", connection.call, "crypto.encrypt", **place, plaintext=b"x")
    connection.close()


def profiles(path, profile):
    connection, _ = greet(path)
    call = connection.call
    credentials = [{"kind": "key", "secret": bytes(32)}]
    expect(call("profile.deactivate", profile=profile)["already"] is False, "an active profile can be deactivated")
    refused("get while inactive", "PROFILE_INACTIVE", call, "secret.get", profile=profile, path="global/x")
    refused("unlock while inactive", "PROFILE_INACTIVE", call, "unlock", profile=profile, credentials=credentials)
    expect(call("profile.activate", profile=profile)["already"] is False, "an inactive profile can be activated")
    refused("unlock with a key that opens nothing", "WRONG_KEY", call, "unlock", profile=profile, credentials=credentials)
    say("profiles", activated=True)
    connection.close()


def stop(path, profile):
    connection, _ = greet(path)
    say("stop", **connection.call("daemon.stop"))
    expect(connection.receive() is None, "the daemon closes its connections when it stops")
    connection.close()


def everything(path, profile):
    for scenario in (hello, status, unlock, secrets, crypto, batch, refusals, lock, profiles, stop):
        scenario(path, profile)


def codec(path, profile):
    for line in sys.stdin:
        print(encode(decode(bytes.fromhex(line.strip()))).hex(), flush=True)


SCENARIOS = {
    run.__name__: run
    for run in (hello, status, unlock, secrets, crypto, batch, refusals, lock, profiles, stop, everything, codec)
}


def main(arguments):
    if len(arguments) not in (2, 3) or arguments[1] not in SCENARIOS:
        print(f"usage: hush_client.py SOCKET {'|'.join(SCENARIOS)} [PROFILE]", file=sys.stderr)
        return 2
    path, scenario = arguments[:2]
    profile = arguments[2] if len(arguments) == 3 else "default"
    try:
        if path == "-" and scenario != "codec":
            path = find_socket(os.environ)
        SCENARIOS[scenario](path, profile)
    except (AssertionError, OSError, Refusal, ValueError) as failure:
        print(f"{scenario}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
