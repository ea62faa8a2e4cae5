#!/usr/bin/env python3
"""Reads what the Rust code stored, and stores as much for it to read.

Standard input has a JSON array of cases. What the Rust code stored for a case must read as what it says, or this ends with an
error; standard output then has an array of stores with the same content for each case, by the reference.
"""
import json, sys
import cm1, whole


def crosscheck(case):
    secret = cm1.Secret(bytes.fromhex(case["secret"])) if case["sealed"] else None
    place = whole.Place(secret, case["full_key"])
    items = [bytes.fromhex(item) for item in case["items"]]
    store = {name: bytes.fromhex(stored) for name, stored in case["store"].items()}
    assert whole.read(place, case, store) == items, "content"

    if store[place.name][3] & cm1.CHUNKED:
        theirs = whole.write_chunks(place, case, items)
    else:
        theirs = whole.write_value(place, case, *items)
    return {name: stored.hex() for name, stored in theirs.items()}


json.dump([crosscheck(case) for case in json.load(sys.stdin)], sys.stdout)
