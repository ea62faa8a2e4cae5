#!/usr/bin/env python3
"""Reference reader and writer of sealed entries; the format is told in memoize-runtime/src/entry/mod.rs and crypto/mod.rs.

Written for clarity, not speed; it needs the PyPI package `cryptography`.
`cm1.py vectors` prints known answers; `cm1.py check` attacks its own entries.
As a module it lets a test read entries that the Rust code wrote, and write some for it to read.
"""
import base64, hashlib, hmac, json, os, random, struct, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC, VERSION = b"\xc5\x4d", 1
SEALED, LZ4, CHUNKED, PADDED = 1, 2, 4, 8
NEVER = 2**64 - 1


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf_extract(salt, secret):
    return mac(salt, secret)


def hkdf_expand(prk, info, length):
    block, out, counter = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block + info + bytes([counter]))
        out += block
        counter += 1
    return out[:length]


class Secret:
    """The keys that one configured secret gives."""

    def __init__(self, secret):
        if len(secret) < 32:
            raise ValueError("a secret has at least 32 bytes")
        prk = hkdf_extract(b"cache_memoize/v1", secret)
        self.name_key = hkdf_expand(prk, b"cm1 name", 32)
        self.seal_key = hkdf_expand(prk, b"cm1 seal", 32)
        self.key_id = struct.unpack("<I", hkdf_expand(prk, b"cm1 kid", 4))[0] or 1

    def binding(self, full_key):
        return mac(self.name_key, full_key.encode())

    def backend_name(self, full_key):
        return "cm1e:" + b64(self.binding(full_key))


def header(flags, codec, key_id, fingerprint, created_ms, expires_ms):
    return MAGIC + bytes([VERSION, flags | codec << 4]) + struct.pack(
        "<IQQQ", key_id, fingerprint, created_ms, expires_ms)


def entry_keys(secret, head, salt, full_key):
    okm = hkdf_expand(secret.seal_key, b"cm1 entry" + head + salt + secret.binding(full_key), 60)
    return okm[:32], okm[32:44], okm[44:60]


def seal(secret, full_key, head, salt, body):
    key, nonce, commit = entry_keys(secret, head, salt, full_key)
    return head + salt + commit + AESGCM(key).encrypt(nonce, body, b"")


def open_sealed(secret, full_key, entry, expect_flags, codec, fingerprint, now_ms, max_life_ms):
    """The body, or None: every failure is a miss. LZ4 and PADDED are the writer's choice."""
    if len(entry) < 32 + 16 + 16 + 16 or entry[:3] != MAGIC + bytes([VERSION]):
        return None
    flags, head = entry[3], entry[:32]
    key_id, schema, created, expires = struct.unpack("<IQQQ", entry[4:32])
    if flags & 0x0F & ~(LZ4 | PADDED) != expect_flags or flags >> 4 != codec:
        return None
    if key_id != secret.key_id or schema != fingerprint:
        return None
    if now_ms >= expires or created > now_ms + 60_000 or expires - created > max_life_ms:
        return None
    key, nonce, commit = entry_keys(secret, head, entry[32:48], full_key)
    if not hmac.compare_digest(commit, entry[48:64]):
        return None
    try:
        return AESGCM(key).decrypt(nonce, entry[64:], b"")
    except Exception:
        return None


def chunk_keys(secret, head, generation, full_key):
    okm = hkdf_expand(secret.seal_key, b"cm1 chunk" + head + generation + secret.binding(full_key), 44)
    return okm[:32], okm[32:44]


def chunk_nonce(base, index):
    return (int.from_bytes(base, "big") ^ index).to_bytes(12, "big")


def seal_chunk(secret, full_key, head, generation, index, piece):
    key, base = chunk_keys(secret, head, generation, full_key)
    return AESGCM(key).encrypt(chunk_nonce(base, index), piece, b"")


def open_chunk(secret, full_key, head, generation, index, stored):
    key, base = chunk_keys(secret, head, generation, full_key)
    try:
        return AESGCM(key).decrypt(chunk_nonce(base, index), stored, b"")
    except Exception:
        return None


def chunk_name(backend_name, generation, index):
    return f"{backend_name}.{b64(generation)}.{index}"


SAMPLE = dict(secret=bytes(range(32)), full_key="app:user:42", fingerprint=0x0102030405060708,
              created=1760000000000, expires=1760003600000, salt=bytes(range(0x10, 0x20)))


def vectors():
    s = SAMPLE
    secret = Secret(s["secret"])
    body = struct.pack("<IQ", 12, s["expires"]) + b"\x05alice\x2a"
    head = header(SEALED, 0, secret.key_id, s["fingerprint"], s["created"], s["expires"])
    stream = header(SEALED | CHUNKED, 0, secret.key_id, s["fingerprint"], s["created"], s["expires"])
    manifest = struct.pack("<IQ16sIIIQQ", 12, s["expires"], s["salt"], 2, 10, 9, 19, 3)
    return dict(
        secret=s["secret"].hex(), full_key=s["full_key"], name_key=secret.name_key.hex(),
        seal_key=secret.seal_key.hex(), key_id=secret.key_id, backend_name=secret.backend_name(s["full_key"]),
        header=head.hex(), salt=s["salt"].hex(), body=body.hex(),
        entry=seal(secret, s["full_key"], head, s["salt"], body).hex(),
        stream_header=stream.hex(), chunk_0_plain=b"chunk-zero".hex(), chunk_1_plain=b"chunk-one".hex(),
        chunk_0=seal_chunk(secret, s["full_key"], stream, s["salt"], 0, b"chunk-zero").hex(),
        chunk_1=seal_chunk(secret, s["full_key"], stream, s["salt"], 1, b"chunk-one").hex(),
        chunk_1_name=chunk_name(secret.backend_name(s["full_key"]), s["salt"], 1),
        manifest_body=manifest.hex(), manifest=seal(secret, s["full_key"], stream, s["salt"], manifest).hex())


def check():
    s = SAMPLE
    secret, other = Secret(s["secret"]), Secret(bytes(range(1, 33)))
    body = os.urandom(200)
    head = header(SEALED, 0, secret.key_id, s["fingerprint"], s["created"], s["expires"])
    entry = seal(secret, s["full_key"], head, os.urandom(16), body)

    def attempt(entry, full_key=s["full_key"], now=s["created"] + 1, secret=secret, fingerprint=s["fingerprint"]):
        return open_sealed(secret, full_key, entry, SEALED, 0, fingerprint, now, 3_600_000)

    assert attempt(entry) == body
    wrong = sum(attempt(entry[:i] + bytes([entry[i] ^ 1 << bit]) + entry[i + 1:]) is not None
                for i in range(len(entry)) for bit in range(8))
    wrong += sum(attempt(entry[:n]) is not None for n in range(len(entry)))
    wrong += attempt(entry + b"\0") is not None
    wrong += attempt(entry, full_key="app:user:43") is not None
    wrong += attempt(entry, now=s["expires"]) is not None
    wrong += attempt(entry, now=s["created"] - 60_001) is not None
    wrong += attempt(entry, secret=other) is not None
    wrong += attempt(entry, fingerprint=1) is not None
    stream = header(SEALED | CHUNKED, 0, secret.key_id, s["fingerprint"], s["created"], s["expires"])
    g1, g2 = os.urandom(16), os.urandom(16)
    chunks = [seal_chunk(secret, s["full_key"], stream, g1, i, os.urandom(50)) for i in range(4)]
    for _ in range(2000):
        i, j = random.sample(range(4), 2)
        wrong += open_chunk(secret, s["full_key"], stream, g1, i, chunks[j]) is not None
        wrong += open_chunk(secret, s["full_key"], stream, g2, i, chunks[i]) is not None
        wrong += open_chunk(secret, "app:user:43", stream, g1, i, chunks[i]) is not None
    print(f"{wrong} wrong values accepted")
    return wrong


if __name__ == "__main__":
    if sys.argv[1:] == ["vectors"]:
        print(json.dumps(vectors(), indent=1))
    elif sys.argv[1:] == ["check"]:
        sys.exit(check() != 0)
    else:
        sys.exit(__doc__)
