"""BLAKE3, written out from the paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn 2020, section 2).

Slow and plain on purpose: it shares no code with the ledger, so that the two can disagree.
"""

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 32, 64
BLOCK, CHUNK = 64, 1024
MASK = 0xFFFFFFFF

# Columns, then diagonals, of the four by four state.
QUARTERS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)


def _schedule():
    """For each of the seven rounds: (a, b, c, d, first word, second word) of its eight mixings."""
    order, rounds = list(range(16)), []
    for _ in range(7):
        rounds += [(*q, order[2 * i], order[2 * i + 1]) for i, q in enumerate(QUARTERS)]
        order = [order[i] for i in PERMUTATION]
    return rounds


SCHEDULE = _schedule()


def _compress(chaining, words, counter, length, flags):
    """The compression function (section 2.2), of which only the first eight words are wanted here."""
    s = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for a, b, c, d, first, second in SCHEDULE:
        va = (s[a] + s[b] + words[first]) & MASK
        vd = s[d] ^ va
        vd = (vd >> 16 | vd << 16) & MASK
        vc = (s[c] + vd) & MASK
        vb = s[b] ^ vc
        vb = (vb >> 12 | vb << 20) & MASK
        va = (va + vb + words[second]) & MASK
        vd ^= va
        vd = (vd >> 8 | vd << 24) & MASK
        vc = (vc + vd) & MASK
        vb ^= vc
        s[a], s[b], s[c], s[d] = va, (vb >> 7 | vb << 25) & MASK, vc, vd
    return [s[i] ^ s[i + 8] for i in range(8)]


def _words(block):
    block = block.ljust(BLOCK, b"\0")
    return [int.from_bytes(block[i : i + 4], "little") for i in range(0, BLOCK, 4)]


def _chunk(key, data, counter, flags, last_flags):
    """A chunk's chaining value (section 2.4); `last_flags` is ROOT for a message of one chunk."""
    value = key
    blocks = [data[i : i + BLOCK] for i in range(0, len(data), BLOCK)] or [b""]
    for i, block in enumerate(blocks):
        f = flags | (CHUNK_START if i == 0 else 0)
        if i == len(blocks) - 1:
            f |= CHUNK_END | last_flags
        value = _compress(value, _words(block), counter, len(block), f)
    return value


def _tree(key, data, counter, flags, root):
    """The left subtree is the largest power of two of chunks that leaves something to the right."""
    chunks = (len(data) + CHUNK - 1) // CHUNK
    if chunks <= 1:
        return _chunk(key, data, counter, flags, root)
    left = 1 << ((chunks - 1).bit_length() - 1)
    a = _tree(key, data[: left * CHUNK], counter, flags, 0)
    b = _tree(key, data[left * CHUNK :], counter + left, flags, 0)
    return _compress(key, a + b, 0, BLOCK, flags | PARENT | root)


def _hash(key, data, flags):
    words = _tree(key, data, 0, flags, ROOT)
    return b"".join(word.to_bytes(4, "little") for word in words)


def blake3(data):
    """The plain hash, 32 bytes."""
    return _hash(list(IV), data, 0)


_contexts = {}


def derive_key(context, material):
    """Key derivation mode (section 2.3), 32 bytes."""
    if context not in _contexts:
        _contexts[context] = _words(_hash(list(IV), context.encode(), DERIVE_KEY_CONTEXT))[:8]
    return _hash(_contexts[context], material, DERIVE_KEY_MATERIAL)
