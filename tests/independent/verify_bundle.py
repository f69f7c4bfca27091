#!/usr/bin/env python3
"""Checks an evidence bundle of a whole ledger with nothing but Python's standard library.

It was written from the description of the formats alone and shares no code with the program, so that the
two can only agree where the description says so. It is slow (about a thousand events a second).

    verify_bundle.py BUNDLE --key VKEY      check a bundle folder against a pinned public key
    verify_bundle.py --vectors FILE         check this checker against the worked values

Exit: 0 the evidence holds, 3 it does not, 2 used wrongly."""

import argparse
import base64
import hashlib
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blake3  # noqa: E402
import ed25519  # noqa: E402


def h(context, material):
    return blake3.derive_key("event-ledger v1 " + context, material)


def lp(text):
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(">I", len(raw)) + raw


def commitment(salt, data):
    return h("data", salt + data)


def header(e, data_commitment):
    texts = ("source", "id", "type", "subject", "actor", "publisher", "context", "stream")
    return (
        b"\x01"
        + struct.pack(">Qqq", e["seq"], e["occurred_us"], e["recorded_us"])
        + b"".join(lp(e[name]) for name in texts)
        + struct.pack(">Q", e["stream_seq"])
        + data_commitment
    )


def entry(seq, event_hash, chain):
    return b"\x01" + struct.pack(">Q", seq) + event_hash + chain


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """RFC 6962, section 2.1: the roots of the perfect subtrees, largest first."""

    def __init__(self):
        self.peaks = []

    def push(self, leaf_hash):
        level = 0
        while self.peaks and self.peaks[-1][0] == level:
            leaf_hash = node(self.peaks.pop()[1], leaf_hash)
            level += 1
        self.peaks.append((level, leaf_hash))

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1][1]
        for _, peak in reversed(self.peaks[:-1]):
            root = node(peak, root)
        return root


def signed_by(note, vkey):
    """The text of a signed note, if `vkey` signed it; else None."""
    name, key_id, key = vkey.strip().split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[:1] != b"\x01" or hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        raise SystemExit(f"not a public key: {vkey}")
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if dash == "\u2014" and signer == name and blob[:4].hex() == key_id:
            return text if ed25519.verify(key[1:], text.encode(), blob[4:]) else None
    return None


def check_events(lines, origin, problem):
    """Recomputes every event of a whole prefix; gives (count, last chain value, root at each size asked)."""
    chain, tree, count = h("genesis", lp(origin)), Tree(), 0
    roots = {}
    for number, line in enumerate(lines):
        e = json.loads(line)
        seq = e["seq"]
        if seq != number:
            problem(seq, "gap", f"position {number} was expected")
            return count, chain, tree, roots
        data_commitment = bytes.fromhex(e["data_commitment"])
        if e["data"] is not None:
            salt, data = bytes.fromhex(e["salt"]), base64.b64decode(e["data"], validate=True)
            if commitment(salt, data) != data_commitment:
                problem(seq, "data", "data and salt do not give the commitment")
        elif not e.get("withheld") and "redacted" not in e:
            problem(seq, "redaction", "the data is gone and nothing says why")
        event_hash = h("event", header(e, data_commitment))
        if event_hash.hex() != e["event_hash"]:
            problem(seq, "header", "the header does not give the event's hash")
        chain = h("chain", struct.pack(">Q", seq) + chain + event_hash)
        if chain.hex() != e["chain"]:
            problem(seq, "chain", "the link does not follow from the one before")
        tree.push(leaf(entry(seq, event_hash, chain)))
        count += 1
        roots[count] = tree.root()
    return count, chain, tree, roots


def check_bundle(folder, vkey):
    problems = []

    def problem(seq, what, detail):
        problems.append({"seq": seq, "what": what, "detail": detail})

    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    raw_manifest = read("manifest.json")
    manifest = json.loads(raw_manifest)
    origin = manifest["origin"]
    note = signed_by(read("manifest.note").decode(), vkey)
    expected = f"{origin}/manifest\n{hashlib.sha256(raw_manifest).hexdigest()}\n"
    if note != expected:
        problem(None, "signature", "manifest.note does not sign this manifest.json")
    for name, digest in manifest["files"].items():
        if os.path.basename(name) != name:
            problem(None, "signature", f"a file outside the bundle is named: {name}")
        elif hashlib.sha256(read(name)).hexdigest() != digest:
            problem(None, "signature", f"{name} is not the file that was signed for")
    text = signed_by(read("checkpoint").decode(), vkey)
    if text is None:
        problem(None, "signature", "the checkpoint is not signed by the pinned key")
        text = read("checkpoint").decode().partition("\n\n")[0] + "\n"
    named, size, root = text.splitlines()[:3]
    if named != origin:
        problem(None, "checkpoint", f"the checkpoint is of {named}, the bundle of {origin}")
    lines = read("events.ndjson").splitlines()
    count, chain, _, roots = check_events(lines, origin, problem)
    if count != manifest["events"]:
        problem(None, "gap", f"{count} events, the manifest says {manifest['events']}")
    if int(size) != manifest["checkpoint_size"]:
        problem(None, "checkpoint", f"the checkpoint is of {size} events")
    have = roots.get(int(size))
    if int(size) and have != base64.b64decode(root):
        problem(None, "checkpoint", f"the tree of {size} events has another root")
    last = roots.get(count, b"")
    return {"ok": not problems, "events": count, "chain": chain.hex(), "checkpoint_size": int(size),
            "root": base64.b64encode(last).decode(), "problems": problems}


def check_vectors(path):
    with open(path, encoding="utf-8") as file:
        v = json.load(file)
    wrong = []

    def same(what, have, want):
        if have != want:
            wrong.append(f"{what}: {have} is not {want}")

    ids, key = v["ids"], bytes.fromhex(v["salt_key"])
    m = ids["msg_id"]
    same("msg_id", h("msg-id", lp(m["publisher"]) + lp(m["source"]) + lp(m["id"])).hex(), m["value"])
    chain, tree = h("genesis", lp(v["origin"])), Tree()
    same("genesis", chain.hex(), v["genesis"])
    for e in v["events"]:
        salt = h("salt", key + lp(e["stream"]) + struct.pack(">Q", e["stream_seq"]))
        same("salt", salt.hex(), e["salt"])
        c = commitment(salt, base64.b64decode(e["data"]))
        same("commitment", c.hex(), e["data_commitment"])
        same("header", header(e, c).hex(), e["header"])
        event_hash = h("event", header(e, c))
        chain = h("chain", struct.pack(">Q", e["seq"]) + chain + event_hash)
        same("chain", chain.hex(), e["chain"])
        tree.push(leaf(entry(e["seq"], event_hash, chain)))
        same("root", base64.b64encode(tree.root()).decode(), e["root_base64"])
    if signed_by(v["checkpoint"], v["vkey"]) is None:
        wrong.append("the checkpoint's signature does not verify")
    if signed_by(v["checkpoint"].replace("8\n", "9\n", 1), v["vkey"]) is not None:
        wrong.append("an altered checkpoint verifies")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="the bundle's folder")
    parser.add_argument("--key", help="the ledger's public key, <name>+<id>+<base64>")
    parser.add_argument("--vectors", help="the file of worked values")
    args = parser.parse_args()
    if args.vectors:
        wrong = check_vectors(args.vectors)
        print("\n".join(wrong) or "the worked values hold")
        return 3 if wrong else 0
    if not args.bundle or not args.key:
        parser.error("a bundle and --key are needed")
    report = check_bundle(args.bundle, args.key)
    print(json.dumps(report))
    return 0 if report["ok"] else 3


if __name__ == "__main__":
    sys.exit(main())
