"""Whole values and streams as a backend holds them, in the clear and sealed: the entry and, where it lists any, its chunks.

What of it is sealed is in cm1.py; the format is told in memoize-runtime/src/entry/mod.rs and entry/chunk/mod.rs. A store is a
dictionary from names to bytes. Reading fails with an AssertionError, or with what the libraries raise.
"""
import os, struct
import lz4.block, xxhash
import cm1

WORTHWHILE = 1024


def keyed(full_key):
    return struct.pack("<I", len(full_key.encode())) + full_key.encode()


def checksum(*parts):
    return struct.pack("<Q", xxhash.xxh3_64_intdigest(b"".join(parts)))


def split_checked(stored, *before):
    data, found = stored[:-8], stored[-8:]
    assert found == checksum(*before, data), "checksum"
    return data


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def shrunk(raw):
    """`raw_len u32 | block`, or None where that is not worth it."""
    if len(raw) < WORTHWHILE:
        return None
    small = struct.pack("<I", len(raw)) + lz4.block.compress(raw, store_size=False)
    return small if len(small) < len(raw) else None


def grown(small):
    (raw_len,) = struct.unpack("<I", small[:4])
    raw = lz4.block.decompress(small[4:], uncompressed_size=raw_len)
    assert len(raw) == raw_len, "length before compression"
    return raw


class Place:
    """Where one key is, and what protects it there; `secret` is None in the clear."""

    def __init__(self, secret, full_key):
        self.secret, self.full_key = secret, full_key
        self.name = secret.backend_name(full_key) if secret else full_key
        self.flags, self.key_id = (cm1.SEALED, secret.key_id) if secret else (0, 0)

    def header(self, flags, asked):
        return cm1.header(self.flags | flags, asked["codec"], self.key_id, asked["fingerprint"],
                          asked["created"], asked["expires"])

    def protect(self, head, body):
        if self.secret:
            return cm1.seal(self.secret, self.full_key, head, os.urandom(16), body)
        return head + body + checksum(keyed(self.full_key), head, body)

    def open(self, entry, head):
        if not self.secret:
            return split_checked(entry, keyed(self.full_key))[32:]
        fingerprint, created, expires = struct.unpack("<QQQ", head[8:])
        body = cm1.open_sealed(self.secret, self.full_key, entry, head[3] & (cm1.SEALED | cm1.CHUNKED), head[3] >> 4,
                               fingerprint, created, expires - created)
        assert body is not None, "sealed otherwise"
        return body

    def protect_chunk(self, head, generation, index, piece):
        if self.secret:
            return cm1.seal_chunk(self.secret, self.full_key, head, generation, index, piece)
        return piece + checksum(keyed(self.full_key), generation, struct.pack("<I", index), piece)

    def open_chunk(self, head, generation, index, stored):
        if not self.secret:
            return split_checked(stored, keyed(self.full_key), generation, struct.pack("<I", index))
        piece = cm1.open_chunk(self.secret, self.full_key, head, generation, index, stored)
        assert piece is not None, f"chunk {index} was sealed otherwise"
        return piece


def meta(asked):
    return struct.pack("<IQ", asked["cost"], asked["expires"])


def write_value(place, asked, value):
    """A store with a value that fits into one entry."""
    small = shrunk(value) if asked["compress"] else None
    head = place.header(cm1.LZ4 if small else 0, asked)
    return {place.name: place.protect(head, meta(asked) + (small or value))}


def write_chunks(place, asked, items):
    """A store with the items of a stream, or with one that is a large value."""
    stream, chunk_len = b"".join(varint(len(item)) + item for item in items), asked["chunk_len"]
    pieces = [stream[at:at + chunk_len] for at in range(0, len(stream), chunk_len)]
    head = place.header(cm1.CHUNKED | (cm1.LZ4 if asked["compress"] else 0), asked)
    generation, store = os.urandom(16), {}
    for index, raw in enumerate(pieces):
        piece = asked["compress"] and shrunk(raw) or raw
        store[cm1.chunk_name(place.name, generation, index)] = place.protect_chunk(head, generation, index, piece)
    last_len = len(pieces[-1]) if pieces else 0
    manifest = generation + struct.pack("<IIIQQ", len(pieces), chunk_len, last_len, len(stream), len(items))
    store[place.name] = place.protect(head, meta(asked) + manifest)
    return store


def read(place, asked, store):
    """The items of a stream, or the only one of a value. All that is in the store must be part of it."""
    entry = store[place.name]
    head, flags = entry[:32], entry[3] & 0x0F
    assert head == place.header(flags & ~cm1.SEALED, asked), "header"
    body = place.open(entry, head)
    assert body[:12] == meta(asked), "cost, or moment of staleness"
    data = body[12:]
    if flags & cm1.CHUNKED:
        return read_chunks(place, head, data, store)
    assert len(store) == 1, "more than the entry"
    raw_len = b""
    if flags & cm1.PADDED:
        if flags & cm1.LZ4:
            raw_len, data = data[:4], data[4:]
        (data_len,) = struct.unpack("<I", data[:4])
        assert not any(data[4 + data_len:]), "padding"
        assert len(entry) & len(entry) - 1 == 0 or len(entry) == asked["largest"], "length"
        data = raw_len + data[4:4 + data_len]
    return [grown(data) if flags & cm1.LZ4 else data]


def read_chunks(place, head, manifest, store):
    generation, (chunks, chunk_len, last_len, raw_len, count) = manifest[:16], struct.unpack("<IIIQQ", manifest[16:])
    assert len(store) == 1 + chunks, "chunks"
    stream = b""
    for index in range(chunks):
        piece = place.open_chunk(head, generation, index, store[cm1.chunk_name(place.name, generation, index)])
        expected = last_len if index + 1 == chunks else chunk_len
        if len(piece) != expected:
            assert head[3] & cm1.LZ4, "length of a chunk"
            piece = grown(piece)
        assert len(piece) == expected, "length of a chunk"
        stream += piece
    assert len(stream) == raw_len, "length of the stream"
    items, at = [], 0
    while at < raw_len:
        length, shift = 0, 0
        while True:
            byte, at = stream[at], at + 1
            length, shift = length | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        items.append(stream[at:at + length])
        at += length
    assert (at, len(items)) == (raw_len, count), "items"
    return items
