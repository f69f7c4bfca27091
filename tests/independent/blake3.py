"""BLAKE3 in plain Python, written from the BLAKE3 paper (sections 2.1 to 2.6). Slow and small on purpose:
it shares nothing with the program that it checks."""

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 32, 64
MASK = 0xFFFFFFFF


def _g(s, a, b, c, d, x, y):
    s[a] = (s[a] + s[b] + x) & MASK
    t = s[d] ^ s[a]
    s[d] = ((t >> 16) | (t << 16)) & MASK
    s[c] = (s[c] + s[d]) & MASK
    t = s[b] ^ s[c]
    s[b] = ((t >> 12) | (t << 20)) & MASK
    s[a] = (s[a] + s[b] + y) & MASK
    t = s[d] ^ s[a]
    s[d] = ((t >> 8) | (t << 24)) & MASK
    s[c] = (s[c] + s[d]) & MASK
    t = s[b] ^ s[c]
    s[b] = ((t >> 7) | (t << 25)) & MASK


def _compress(value, block, counter, length, flags):
    """The compression function: the first eight words of its output."""
    m = [int.from_bytes(block[i:i + 4], "little") for i in range(0, 64, 4)]
    s = list(value) + list(IV[:4]) + [counter & MASK, counter >> 32, length, flags]
    for turn in range(7):
        _g(s, 0, 4, 8, 12, m[0], m[1])
        _g(s, 1, 5, 9, 13, m[2], m[3])
        _g(s, 2, 6, 10, 14, m[4], m[5])
        _g(s, 3, 7, 11, 15, m[6], m[7])
        _g(s, 0, 5, 10, 15, m[8], m[9])
        _g(s, 1, 6, 11, 12, m[10], m[11])
        _g(s, 2, 7, 8, 13, m[12], m[13])
        _g(s, 3, 4, 9, 14, m[14], m[15])
        if turn < 6:
            m = [m[i] for i in PERMUTATION]
    return tuple(s[i] ^ s[i + 8] for i in range(8))


def _words(value):
    return b"".join(w.to_bytes(4, "little") for w in value)


def _chunk(key, data, counter, flags, root):
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    value = key
    for number, block in enumerate(blocks):
        f = flags
        if number == 0:
            f |= CHUNK_START
        if number == len(blocks) - 1:
            f |= CHUNK_END | (ROOT if root else 0)
        value = _compress(value, block.ljust(64, b"\0"), counter, len(block), f)
    return value


def _tree(key, data, counter, flags, root):
    if len(data) <= 1024:
        return _chunk(key, data, counter, flags, root)
    left = 1024
    while left * 2 < len(data):
        left *= 2
    a = _tree(key, data[:left], counter, flags, False)
    b = _tree(key, data[left:], counter + left // 1024, flags, False)
    return _compress(key, _words(a) + _words(b), 0, 64, flags | PARENT | (ROOT if root else 0))


_contexts = {}


def derive_key(context, material):
    """BLAKE3 in key-derivation mode, 32 bytes."""
    key = _contexts.get(context)
    if key is None:
        key = _contexts[context] = _tree(IV, context.encode(), 0, DERIVE_KEY_CONTEXT, True)
    return _words(_tree(key, material, 0, DERIVE_KEY_MATERIAL, True))
