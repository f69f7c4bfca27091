#!/usr/bin/env python3
"""Computes every worked value of formats-v1.json anew. Usage: check_vectors.py formats-v1.json"""

import base64
import json
import sys

import formats as f
import read_message


def check_envelopes(envelopes):
    """Yields (what, whether it agrees) of messages and what they are read as."""
    for e in envelopes:
        headers = [(name, value.encode()) for name, value in e["headers"].items()]
        read = read_message.read(e["nats_subject"], headers, base64.b64decode(e["body"]))
        if "data" in read:
            read["data"] = base64.b64encode(read["data"]).decode()
            # The first message of its stream: nothing was recorded before.
            read["recorded_us"] = e["jetstream_time_us"]
            if read["occurred_us"] is None:
                read["occurred_us"] = read["recorded_us"]
        else:
            del read["at"]
        yield e["name"], read == e["expect"]


def check(vectors):
    """Yields (what, whether it agrees)."""
    origin, key = vectors["origin"], bytes.fromhex(vectors["salt_key"])
    yield "genesis", f.genesis(origin).hex() == vectors["genesis"]
    tree, value = f.Tree(), f.genesis(origin)
    yield "empty root", base64.b64encode(tree.root()).decode() == vectors["empty_root_base64"]
    leaves, roots = [], [tree.root()]
    for e in vectors["events"]:
        n = e["seq"]
        salt = f.salt(key, e["stream"], e["stream_seq"])
        yield f"{n} salt", salt.hex() == e["salt"]
        commitment = f.commitment(salt, base64.b64decode(e["data"]))
        yield f"{n} commitment", commitment.hex() == e["data_commitment"]
        header = f.header(e, commitment)
        yield f"{n} header", header.hex() == e["header"]
        event_hash = f.h("event", header)
        yield f"{n} event hash", event_hash.hex() == e["event_hash"]
        value = f.chain(n, value, event_hash)
        yield f"{n} chain", value.hex() == e["chain"]
        entry = f.entry(n, event_hash, value)
        yield f"{n} entry", entry.hex() == e["entry"]
        leaves.append(f.leaf_hash(entry))
        yield f"{n} leaf", leaves[-1].hex() == e["leaf"]
        tree.push(leaves[-1])
        roots.append(tree.root())
        yield f"{n} root", base64.b64encode(roots[-1]).decode() == e["root_base64"]
    size = len(leaves)
    for index, proof in vectors["inclusion"].items():
        proof = [bytes.fromhex(x) for x in proof]
        root = f.inclusion_root(int(index), size, leaves[int(index)], proof)
        yield f"inclusion {index}", root == roots[size]
        wrong = f.inclusion_root(int(index), size, leaves[int(index) - 1], proof)
        yield f"inclusion {index} of another leaf is refused", wrong != roots[size]
    for pair, proof in vectors["consistency"].items():
        a, b = map(int, pair.split("-"))
        proof = [bytes.fromhex(x) for x in proof]
        yield f"consistency {pair}", f.consistent(a, b, roots[a], roots[b], proof)
        yield f"consistency {pair} with another root is refused", not f.consistent(
            a, b, roots[a - 1], roots[b], proof
        )
    checkpoint = f.open_checkpoint(vectors["checkpoint"], [f.Key(vectors["vkey"])])
    yield "checkpoint", checkpoint == (origin, size, roots[size], [origin])
    ids = vectors["ids"]
    for name, function in [("msg_id", f.msg_id), ("verdict_id", f.verdict_id), ("incident_id", f.incident_id)]:
        *arguments, expected = ids[name].values()
        yield name, function(*arguments).hex() == expected
    yield from check_envelopes(vectors["envelopes"])


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as file:
        results = list(check(json.load(file)))
    wrong = [what for what, agrees in results if not agrees]
    for what in wrong:
        print(f"differs: {what}")
    print(f"{len(results) - len(wrong)} of {len(results)} values agree")
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
