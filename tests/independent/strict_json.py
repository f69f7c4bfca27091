"""JSON as section 1 of the formats wants it: RFC 8259, every fault told apart and told where.

The standard library's parser is not used: it forgets duplicate keys, positions and how a number was
written. There is no recursion, so that a hostile depth is only a number.
"""

import re

WHITE = b" \t\n\r"
PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
DIGITS = b"0123456789"
HEX = b"0123456789abcdefABCDEF"
ESCAPES = {
    0x22: '"', 0x5C: "\\", 0x2F: "/", 0x62: "\b", 0x66: "\f", 0x6E: "\n", 0x72: "\r", 0x74: "\t",
}
LITERALS = ((b"true", True), (b"false", False), (b"null", None))
INTEGER_LIMIT = 2**63 - 1
MAX_DEPTH = 64


class NotJson(Exception):
    """The text does not follow the grammar; the argument is the offset."""


class Number(str):
    """A number as it was written."""

    def is_integer(self):
        return not any(c in self for c in ".eE")

    def lawful(self):
        """An integer within the limit, or finite as a double."""
        if self.is_integer():
            return len(self) <= 20 and abs(int(self)) <= INTEGER_LIMIT
        return float(self) not in (float("inf"), float("-inf"))


class Node:
    """A value: where it stands, and what it is. Objects keep every member, in order."""

    __slots__ = ("kind", "start", "end", "value")

    def __init__(self, kind, start, value):
        self.kind, self.start, self.end, self.value = kind, start, None, value


class Parser:
    """One text. After `parse`: `depth`, and in document order the pointers of `duplicates` and
    `numbers` that are not lawful; `broken_strings` are (path, whether it is a key) of strings
    that hold U+0000 or half a surrogate pair. Paths are tuples of names. What a text that is no JSON
    holds up to where it breaks is there as well."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0
        self.depth, self.duplicates, self.numbers, self.broken_strings = 0, [], [], []
        self.open = []  # [node, keys seen, the name of the member in hand]

    def parse(self):
        self.white()
        root = self.value()
        while self.open:
            self.step()
        self.white()
        if self.at != len(self.raw):
            raise NotJson(self.at)
        return root

    def path(self):
        return tuple(name for _, _, name in self.open)

    def peek(self):
        return self.raw[self.at] if self.at < len(self.raw) else -1

    def white(self):
        while self.at < len(self.raw) and self.raw[self.at] in WHITE:
            self.at += 1

    def expect(self, byte):
        if self.peek() != byte:
            raise NotJson(self.at)
        self.at += 1

    def step(self):
        """The next member of the innermost open object or array, or its end."""
        node, seen, name = frame = self.open[-1]
        closing = 0x7D if node.kind == "object" else 0x5D
        self.white()
        if self.peek() == closing:
            self.at += 1
            node.end = self.at
            self.open.pop()
            return
        if name is not None:
            self.expect(0x2C)
            self.white()
        if node.kind == "array":
            frame[2] = 0 if name is None else name + 1
            node.value.append(self.value())
            return
        key, broken = self.string()
        frame[2] = key
        if broken:
            self.broken_strings.append((self.path(), True))
        if key in seen:
            self.duplicates.append(self.path())
        seen.add(key)
        self.white()
        self.expect(0x3A)
        self.white()
        node.value.append((key, self.value()))

    def value(self):
        start, byte = self.at, self.peek()
        if byte in (0x7B, 0x5B):
            node = Node("object" if byte == 0x7B else "array", start, [])
            self.at += 1
            self.open.append([node, set(), None])
            self.depth = max(self.depth, len(self.open))
            return node
        if byte == 0x22:
            text, broken = self.string()
            node = Node("string", start, text)
            if broken:
                self.broken_strings.append((self.path(), False))
        elif byte == 0x2D or 0x30 <= byte <= 0x39:
            node = Node("number", start, self.number())
            if not node.value.lawful():
                self.numbers.append(self.path())
        else:
            for text, meaning in LITERALS:
                if self.raw.startswith(text, start):
                    self.at += len(text)
                    node = Node("null" if meaning is None else "boolean", start, meaning)
                    break
            else:
                raise NotJson(start)
        node.end = self.at
        return node

    def digits(self):
        start = self.at
        while self.at < len(self.raw) and self.raw[self.at] in DIGITS:
            self.at += 1
        if start == self.at:
            raise NotJson(start)

    def number(self):
        start = self.at
        if self.peek() == 0x2D:
            self.at += 1
        if self.peek() == 0x30:
            self.at += 1
        else:
            self.digits()
        if self.peek() == 0x2E:
            self.at += 1
            self.digits()
        if self.peek() in (0x65, 0x45):
            self.at += 1
            if self.peek() in (0x2B, 0x2D):
                self.at += 1
            self.digits()
        return Number(self.raw[start : self.at].decode())

    def hex4(self):
        text = self.raw[self.at : self.at + 4]
        if len(text) != 4 or any(c not in HEX for c in text):
            raise NotJson(self.at)
        self.at += 4
        return int(text, 16)

    def string(self):
        """(the text, whether it holds U+0000 or half a pair). Half a pair stays one, as in Python."""
        self.expect(0x22)
        parts, plain, broken = [], self.at, False
        while True:
            self.at = PLAIN.match(self.raw, self.at).end()
            byte = self.peek()
            if byte < 0x20:
                raise NotJson(self.at)
            parts.append(self.raw[plain : self.at].decode())
            self.at += 1
            if byte == 0x22:
                return "".join(parts), broken
            letter = self.peek()
            self.at += 1
            if letter == 0x75:
                unit = self.hex4()
                if 0xD800 <= unit < 0xDC00 and self.raw.startswith(b"\\u", self.at):
                    first = self.at
                    self.at += 2
                    low = self.hex4()
                    if 0xDC00 <= low < 0xE000:
                        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                    else:
                        self.at = first
                broken = broken or unit == 0 or 0xD800 <= unit < 0xE000
                parts.append(chr(unit))
            elif letter in ESCAPES:
                parts.append(ESCAPES[letter])
            else:
                raise NotJson(self.at - 1)
            plain = self.at


def pointer(path):
    """RFC 6901."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in path)
