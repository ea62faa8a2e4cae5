#!/usr/bin/env python3
"""Reads what the Rust code sealed, and seals as much for it to read.

Standard input has a JSON array of cases. What the Rust code wrote for a case must open to what it says, or this ends with an
error; standard output then has an array with an entry and chunks of the same content for each case, by the reference.
"""
import json, os, sys
import cm1


def crosscheck(case):
    secret, key = cm1.Secret(bytes.fromhex(case["secret"])), case["full_key"]
    assert secret.key_id == case["key_id"], "key id"
    assert secret.backend_name(key) == case["name"], "name"
    body, head = bytes.fromhex(case["body"]), bytes.fromhex(case["header"])
    pieces = [bytes.fromhex(piece) for piece in case["pieces"]]

    flags, codec = head[3] & 0x0F & ~(cm1.LZ4 | cm1.PADDED), head[3] >> 4
    fingerprint, created, expires = (int.from_bytes(head[at:at + 8], "little") for at in (8, 16, 24))
    assert head == cm1.header(head[3] & 0x0F, codec, secret.key_id, fingerprint, created, expires), "header"
    opened = cm1.open_sealed(secret, key, bytes.fromhex(case["entry"]), flags, codec, fingerprint, created, expires - created)
    assert opened == body, "entry"
    generation = bytes.fromhex(case["generation"])
    for index, (chunk, piece) in enumerate(zip(case["chunks"], pieces, strict=True)):
        assert cm1.open_chunk(secret, key, head, generation, index, bytes.fromhex(chunk)) == piece, f"chunk {index}"

    generation = os.urandom(16)
    return {
        "entry": cm1.seal(secret, key, head, os.urandom(16), body).hex(),
        "generation": generation.hex(),
        "chunks": [cm1.seal_chunk(secret, key, head, generation, *piece).hex() for piece in enumerate(pieces)],
    }


json.dump([crosscheck(case) for case in json.load(sys.stdin)], sys.stdout)
