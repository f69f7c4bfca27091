"""What FORMATS sections 2 and 3 fix: digests, the chain, the tree, signed notes.

Nothing here knows the ledger's code. Python's standard library alone.
"""

import base64
import hashlib
import struct

import ed25519
from blake3 import derive_key


def h(name, material):
    return derive_key("event-ledger v1 " + name, material)


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def i64(n):
    return struct.pack(">q", n)


def lp(text):
    raw = text.encode() if isinstance(text, str) else text
    return u32(len(raw)) + raw


def unbase64(text):
    """Strict base64: nothing but the alphabet, padding as it must be."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError(f"not canonical base64: {text!r}")
    return raw


# Section 2: what is hashed.


def genesis(origin):
    return h("genesis", lp(origin))


def salt(key, stream, stream_seq):
    return h("salt", key + lp(stream) + u64(stream_seq))


def commitment(salt_bytes, data):
    return h("data", salt_bytes + data)


def header(e, data_commitment):
    texts = ("source", "id", "type", "subject", "actor", "publisher", "context", "stream")
    return (
        b"\x01" + u64(e["seq"]) + i64(e["occurred_us"]) + i64(e["recorded_us"])
        + b"".join(lp(e[name]) for name in texts)
        + u64(e["stream_seq"]) + data_commitment
    )


def chain(seq, previous, event_hash):
    return h("chain", u64(seq) + previous + event_hash)


def entry(seq, event_hash, chain_value):
    return b"\x01" + u64(seq) + event_hash + chain_value


def msg_id(publisher, source, id):
    return h("msg-id", lp(publisher) + lp(source) + lp(id))


def verdict_id(rule, kind, id, cause_seq, detail_key):
    return h("verdict", lp(rule) + lp(kind) + lp(id) + u64(cause_seq) + lp(detail_key))


def incident_id(klass, kind, id, cause_seq):
    return h("incident", lp(klass) + lp(kind) + lp(id) + u64(cause_seq))


# Section 3: RFC 6962's tree over the entries.


def leaf_hash(raw):
    return hashlib.sha256(b"\x00" + raw).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The roots of the full subtrees so far, from the left; enough for the root at every size."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def push(self, leaf):
        size, node = self.size, leaf
        while size & 1:
            node = node_hash(self.peaks.pop(), node)
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node


def inclusion_root(index, size, leaf, proof):
    """RFC 9162, section 2.1.3.2: the root that the proof leads to, or None."""
    if index >= size:
        return None
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    return node if sn == 0 else None


def consistent(first, second, first_root, second_root, proof):
    """RFC 9162, section 2.1.4.2, for 0 < first < second."""
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(sibling, fr), node_hash(sibling, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


# C2SP signed notes.


class Key:
    """A public key as it is written down: `<name>+<key id>+<base64(0x01 ‖ key)>`."""

    def __init__(self, text):
        self.name, key_id, rest = text.strip().split("+", 2)
        raw = unbase64(rest)
        if len(raw) != 33 or raw[0] != 1:
            raise ValueError(f"{self.name}: not an Ed25519 key")
        self.public = raw[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n\x01" + self.public).digest()[:4]
        if self.id.hex() != key_id:
            raise ValueError(f"{self.name}: key id {key_id} is not that of the key, {self.id.hex()}")


def open_note(note, keys):
    """The signed text and the names of the keys that really signed it."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise ValueError("not a signed note: no blank line before its signatures")
    text += "\n"
    signers = []
    for line in signatures[:-1].split("\n"):
        dash, name, raw = line.split(" ")
        if dash != "\u2014":
            raise ValueError(f"not a signature line: {line!r}")
        raw = unbase64(raw)
        for key in keys:
            if (key.name, key.id) == (name, raw[:4]):
                if not ed25519.verify(key.public, text.encode(), raw[4:]):
                    raise ValueError(f"the signature of {name} does not verify")
                signers.append(name)
    return text, signers


def open_checkpoint(note, keys):
    """(origin, size, root, signers) of a `tlog-checkpoint`."""
    text, signers = open_note(note, keys)
    origin, size, root, *rest = text[:-1].split("\n")
    if rest:
        raise ValueError("the checkpoint has extension lines; there are none in this format")
    if str(int(size)) != size:
        raise ValueError(f"the checkpoint's size {size!r} is not a plain number")
    return origin, int(size), unbase64(root), signers
