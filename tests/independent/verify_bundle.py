#!/usr/bin/env python3
"""Verifies an evidence bundle with nothing but Python's standard library.

Written from the formats' description alone; it shares no line with the ledger. Everything is
recomputed from what the bundle holds; a stored hash is only ever compared.

    verify_bundle.py BUNDLE [--key VKEY]... [--json]      BUNDLE is a folder, or a .tar

Without --key the bundle's own keys are used: that shows that it is whole, not whose it is.
Exit 0: it holds. 3: it does not; every problem is a line. 2: used wrongly.
"""

import base64
import hashlib
import io
import json
import os
import sys
import tarfile

import formats as f

LINE_KEYS = {
    "seq", "occurred_us", "recorded_us", "stream_seq", "source", "id", "type", "subject", "actor", "publisher",
    "context", "stream", "data_commitment", "event_hash", "chain", "salt", "data",
}
MANIFEST_KEYS = {
    "format", "origin", "from", "to", "query", "made_at", "made_by", "checkpoint_size", "events", "matching",
    "withheld", "redacted", "files",
}
OWN_EVENTS = ("ledger.event.duplicate", "ledger.event.quarantined", "ledger.stream.gap")


class Bundle:
    """A folder or a tar of one; its files by name."""

    def __init__(self, path):
        self.path, self.members = path, None
        if not os.path.isdir(path):
            self.members = {}
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.isfile():
                        name = os.path.normpath(member.name)
                        self.members[name] = tar.extractfile(member).read()
            if "manifest.json" not in self.members:
                self.members = {os.path.basename(name): raw for name, raw in self.members.items()}

    def names(self):
        if self.members is not None:
            return set(self.members)
        return {
            os.path.relpath(os.path.join(folder, name), self.path)
            for folder, _, names in os.walk(self.path)
            for name in names
        }

    def open(self, name):
        if self.members is not None:
            return io.BytesIO(self.members[name])
        return open(os.path.join(self.path, name), "rb")

    def text(self, name):
        with self.open(name) as file:
            return file.read().decode()


class Verifier:
    """One pass over a bundle. `problems` holds (seq or None, what, detail)."""

    def __init__(self, bundle, keys):
        self.bundle, self.keys, self.problems = bundle, keys, []
        self.counts = {"events": 0, "withheld": 0, "redacted": 0}
        self.verdicts = {}

    def problem(self, seq, what, detail):
        self.problems.append((seq, what, detail))

    def run(self):
        manifest = json.loads(self.bundle.text("manifest.json"))
        missing = MANIFEST_KEYS - set(manifest)
        if missing or manifest["format"] != 1:
            self.problem(None, "header", f"manifest.json: missing {sorted(missing)}, or not format 1")
            return
        self.manifest, self.origin = manifest, manifest["origin"]
        self.check_files()
        self.check_manifest_note()
        self.check_checkpoint()
        self.check_events()
        self.check_proofs()
        self.check_tlog_proofs()
        self.check_verdicts()

    def report(self):
        """The same keys as `ledger verify`, as far as a bundle has them."""
        return {
            "ok": not self.problems,
            "size": self.counts["events"],
            "chain": self.chain_value.hex() if self.last is not None else None,
            "root": base64.b64encode(self.root).decode() if self.root else None,
            "checkpoint_size": self.size,
            "problems": [{"seq": seq, "what": what, "detail": detail} for seq, what, detail in self.problems],
        }

    def check_files(self):
        listed = self.manifest["files"]
        there = self.bundle.names() - {"manifest.json", "manifest.note"}
        for name in sorted(there - set(listed)):
            self.problem(None, "header", f"{name} is not in the manifest")
        for name, digest in listed.items():
            if name not in there:
                self.problem(None, "gap", f"{name} is in the manifest and not in the bundle")
                continue
            sha = hashlib.sha256()
            with self.bundle.open(name) as file:
                while block := file.read(1 << 20):
                    sha.update(block)
            if sha.hexdigest() != digest:
                self.problem(None, "data", f"{name} is not the file that the manifest names")

    def check_manifest_note(self):
        try:
            text, signers = f.open_note(self.bundle.text("manifest.note"), self.keys)
        except (ValueError, KeyError, OSError) as error:
            self.problem(None, "signature", f"manifest.note: {error}")
            return
        with self.bundle.open("manifest.json") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        if text != f"{self.origin}/manifest\n{digest}\n":
            self.problem(None, "signature", "manifest.note is not about this manifest.json")
        if not signers:
            self.problem(None, "signature", "manifest.note is not signed by a key that is trusted here")

    def check_checkpoint(self):
        self.size, self.root = None, None
        try:
            origin, size, root, signers = f.open_checkpoint(self.bundle.text("checkpoint"), self.keys)
        except (ValueError, KeyError, OSError) as error:
            self.problem(None, "checkpoint", str(error))
            return
        if origin != self.origin:
            self.problem(None, "checkpoint", f"of {origin}, the manifest is of {self.origin}")
        if self.origin not in signers:
            self.problem(None, "signature", "the checkpoint is not signed by a key that is trusted here")
        if size != self.manifest["checkpoint_size"]:
            self.problem(None, "checkpoint", f"of size {size}, the manifest says otherwise")
        self.size, self.root = size, root

    def check_events(self):
        self.first = self.last = None
        self.tree, self.whole, self.leaves = f.Tree(), True, {}
        self.breaks = []
        previous = None
        with self.bundle.open("events.ndjson") as file:
            for number, line in enumerate(file, 1):
                try:
                    event = json.loads(line)
                    missing = LINE_KEYS - set(event)
                    if missing:
                        raise ValueError(f"{sorted(missing)} missing")
                    self.check_event(event, previous)
                except (ValueError, KeyError, TypeError) as error:
                    self.problem(None, "header", f"events.ndjson:{number}: {error}")
                    continue
                previous = event
        self.last = previous["seq"] if previous else None
        if previous:
            self.breaks.append(self.last)
        for name in ("events", "withheld", "redacted"):
            if self.manifest[name] != self.counts[name]:
                self.problem(None, "gap", f"the manifest says {self.manifest[name]} {name}, there are {self.counts[name]}")
        if self.manifest["matching"] != self.counts["events"] - self.counts["withheld"]:
            self.problem(None, "gap", f"{self.manifest['matching']} matching events are not what is shown")
        if self.first not in (self.manifest["from"], None) or self.last not in (self.manifest["to"], None):
            self.problem(None, "gap", f"positions {self.first} to {self.last} are not what the manifest says")

    def check_event(self, e, previous):
        seq = e["seq"]
        self.counts["events"] += 1
        broken = previous is None or seq != previous["seq"] + 1
        if previous is not None and seq <= previous["seq"]:
            self.problem(seq, "gap", f"comes after {previous['seq']}")
        if self.first is None:
            self.first = seq
        if broken:
            self.whole = self.whole and seq == 0
            if previous is not None:
                self.breaks.append(previous["seq"])
            self.breaks.append(seq)
            before = f.genesis(self.origin) if seq == 0 else bytes.fromhex(e["prev_chain"])
            if "prev_chain" in e and e["prev_chain"] != before.hex():
                self.problem(seq, "chain", "prev_chain is not the genesis value of this origin")
        else:
            before = self.chain_value
        self.check_body(e)
        event_hash = f.h("event", f.header(e, bytes.fromhex(e["data_commitment"])))
        if event_hash.hex() != e["event_hash"]:
            self.problem(seq, "header", "the header does not hash to event_hash")
        # On with the stored value, so that one changed event is one problem and not a thousand.
        self.chain_value = f.chain(seq, before, event_hash)
        if self.chain_value.hex() != e["chain"]:
            self.problem(seq, "chain", "the chain's value is another")
            self.chain_value = bytes.fromhex(e["chain"])
        leaf = f.leaf_hash(f.entry(seq, event_hash, self.chain_value))
        self.leaves[seq] = leaf
        if self.size is not None and seq < self.size:
            self.tree.push(leaf)
        if not broken:
            self.check_stream(e, previous)

    def check_body(self, e):
        seq, salt, data = e["seq"], e["salt"], e["data"]
        withheld, redacted = e.get("withheld", False), e.get("redacted")
        self.counts["withheld"] += bool(withheld)
        self.counts["redacted"] += bool(redacted)
        if (salt is None) != (data is None):
            self.problem(seq, "data", "salt and data are given together or not at all")
        elif data is None:
            if not withheld and not redacted:
                self.problem(seq, "data", "there is no data and nothing says why")
        else:
            raw = f.unbase64(data)
            if f.commitment(bytes.fromhex(salt), raw).hex() != e["data_commitment"]:
                self.problem(seq, "data", "the data does not hash to its commitment")
            self.check_own(e, raw)

    def check_own(self, e, raw):
        """What the ledger writes about a message follows from the message's place."""
        seq, kind = e["seq"], e["type"]
        if kind in ("ledger.violation.raised", "ledger.incident.opened"):
            self.verdicts[seq] = (kind, json.loads(raw))
        if seq == 0:
            expected = json.dumps({"origin": self.origin}, separators=(",", ":"), ensure_ascii=False)
            if kind != "ledger.chain.started" or e["id"] != self.origin or raw != expected.encode():
                self.problem(seq, "header", "the first event does not start the chain of this origin")
        if kind in OWN_EVENTS:
            if e["id"] != f"{e['stream']}/{e['stream_seq']}" or e["occurred_us"] != e["recorded_us"]:
                self.problem(seq, "header", f"{kind} is not about the message at its place")
            if e["subject"] or e["actor"] or e["context"]:
                self.problem(seq, "header", f"{kind} has a subject, an actor or a context")
        if kind == "ledger.event.duplicate" and not 0 <= json.loads(raw)["of"] < seq:
            self.problem(seq, "header", "a duplicate of something that does not come before it")
        if kind == "ledger.stream.gap" and json.loads(raw)["to"] != e["stream_seq"]:
            self.problem(seq, "stream", "the gap does not end where it says")

    def check_stream(self, e, previous):
        seq = e["seq"]
        if e["recorded_us"] < previous["recorded_us"]:
            self.problem(seq, "header", "recorded before the event before it")
        step = previous["stream_seq"] + 1
        if e["stream"] != previous["stream"]:
            return
        if e["type"] == "ledger.stream.gap":
            if e["data"] is not None and json.loads(f.unbase64(e["data"]))["from"] != step:
                self.problem(seq, "stream", "the gap does not start where the stream stood")
        elif e["stream_seq"] != step:
            self.problem(seq, "stream", f"message {e['stream_seq']} follows {previous['stream_seq']}")

    def check_proofs(self):
        if self.size is None:
            return
        if self.last is not None and self.last >= self.size:
            self.problem(self.last, "tree", f"not covered by the checkpoint of size {self.size}")
        if self.whole and self.tree.size == self.size:
            if self.tree.root() != self.root:
                self.problem(None, "tree", "the events' root is not the checkpoint's")
            return
        proofs = {}
        if "proofs.ndjson" in self.bundle.names():
            for line in self.bundle.text("proofs.ndjson").splitlines():
                proof = json.loads(line)
                proofs[proof["seq"]] = [f.unbase64(sibling) for sibling in proof["inclusion"]]
        # An unbroken range is bound by its ends: the chain's value in the last leaf covers all before it.
        for seq in sorted(set(self.breaks) - set(proofs)):
            self.problem(seq, "tree", "an end of a range without a proof")
        for seq, proof in proofs.items():
            if seq in self.leaves and f.inclusion_root(seq, self.size, self.leaves[seq], proof) != self.root:
                self.problem(seq, "tree", "the proof does not lead to the checkpoint's root")

    def check_tlog_proofs(self):
        """Files of C2SP tlog-proof@v1, each with the signed head in it."""
        for name in sorted(name for name in self.bundle.names() if name.endswith(".tlog-proof")):
            try:
                head, separator, note = self.bundle.text(name).partition("\n\n")
                lines = head.split("\n")
                if lines.pop(0) != "c2sp.org/tlog-proof@v1" or not separator:
                    raise ValueError("not a tlog-proof@v1")
                if lines[0].startswith("extra "):
                    f.unbase64(lines.pop(0)[len("extra "):])
                word, _, index = lines.pop(0).partition(" ")
                if word != "index" or str(int(index)) != index:
                    raise ValueError("no index")
                seq, siblings = int(index), [f.unbase64(line) for line in lines]
                origin, size, root, signers = f.open_checkpoint(note, self.keys)
                if origin != self.origin or origin not in signers:
                    raise ValueError("its head is not signed by a key that is trusted here")
                if name != f"{seq}.tlog-proof" or seq not in self.leaves:
                    raise ValueError("of a position that is not here")
                if f.inclusion_root(seq, size, self.leaves[seq], siblings) != root:
                    raise ValueError("does not lead to its head's root")
                if (size, root) != (self.size, self.root):
                    raise ValueError("its head is not the bundle's")
            except (ValueError, IndexError) as error:
                self.problem(None, "tree", f"{name}: {error}")

    def check_verdicts(self):
        if "verdicts.ndjson" not in self.bundle.names():
            return
        for number, line in enumerate(self.bundle.text("verdicts.ndjson").splitlines(), 1):
            verdict = json.loads(line)
            if {"seq", "type", "data"} - set(verdict):
                self.problem(None, "verdict", f"verdicts.ndjson:{number}: a key is missing")
            shown = self.verdicts.get(verdict["seq"])
            if shown and shown != (verdict["type"], verdict["data"]):
                self.problem(verdict["seq"], "verdict", "verdicts.ndjson says otherwise than the event")


def main(arguments):
    paths, keys, as_json = [], [], False
    while arguments:
        argument = arguments.pop(0)
        if argument == "--key" and arguments:
            keys.append(f.Key(arguments.pop(0)))
        elif argument == "--json":
            as_json = True
        elif argument.startswith("-"):
            print(__doc__, file=sys.stderr)
            return 0 if argument in ("-h", "--help") else 2
        else:
            paths.append(argument)
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    pinned = bool(keys)
    try:
        bundle = Bundle(paths[0])
        if not pinned:
            keys = [f.Key(line) for line in bundle.text("keys").splitlines() if line.strip()]
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        print(f"{paths[0]} is no bundle: {error}", file=sys.stderr)
        return 2
    verifier = Verifier(bundle, keys)
    try:
        verifier.run()
    except (ValueError, KeyError, TypeError, OSError) as error:
        verifier.problem(None, "header", f"the bundle cannot be read: {error!r}")
    if as_json:
        print(json.dumps(verifier.report()))
        return 3 if verifier.problems else 0
    for seq, what, detail in verifier.problems:
        print(f"{what}{'' if seq is None else f' at {seq}'}: {detail}")
    if verifier.problems:
        return 3
    print(f"{verifier.origin}: {verifier.counts['events']} events hold, up to a signed head of {verifier.size}")
    if not pinned:
        print("(checked with the bundle's own keys; pin the ledger's with --key to know whose it is)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
