"""Messages that break the rules of section 1, one or several at once, and what each of them is.

    python3 nasty_messages.py SEED COUNT

prints NDJSON: {"nats_subject", "headers": [[name, base64]], "body": base64, "expect": {…}}, where
`expect` is what read_message.py says. The same seed gives the same messages.
"""

import base64
import json
import random
import sys

import read_message
from nasty_values import (
    CHARACTERS, LENGTHS, NAMES, NUMBERS, OTHERS, STRINGS,
    TEXTS, TIME, TYPES_TO_SUBJECT,
)

OPERATORS = ("oncall",)
BOM, QUOTE = b"\xef\xbb\xbf", '"'
SECRET = "AGE-SECRET-KEY-" + "1" + "Q" * 58
SUBJECT = "ledger.main.ingest.terraform.platform.environment.created"
USUAL = {
    "specversion": "1.0", "id": "1", "source": "urn:tf", "type": "platform.environment.created",
    "subject": "staging", "time": "2026-08-02T23:00:01.123456+02:00",
}

def nested(random, depth):
    """A value that is nested so deep, of arrays and objects."""
    marks = [random.choice("[{") for _ in range(depth)]
    opening = "".join("[" if m == "[" else '{"a":' for m in marks)
    closing = "".join("]" if m == "[" else "}" for m in reversed(marks))
    return opening + random.choice(["", "1"] if marks and marks[-1] == "[" else ["1"]) + closing


def any_json(random, depth=0):
    """A small value, usually lawful."""
    pick = random.random()
    if depth > 3 or pick < 0.55:
        return random.choice(['1', '"x"', "null", "true", "-0", "0.5", '"é"', r'"\u00e9\n"', "12345678901234"])
    if pick < 0.6:
        return random.choice(random.choice([NUMBERS, STRINGS, OTHERS]))
    gap = random.choice(["", "", " ", "\n\t\r "])
    if pick < 0.8:
        return f"[{gap}" + f",{gap}".join(any_json(random, depth + 1) for _ in range(random.randint(0,
            4))) + f"{gap}]"
    count = random.choice([0, 1, 2, 3, 5, 24, 25, 30]) if depth == 0 else random.randint(0, 3)
    keys = [escaped(random, random.choice(["a", "b", "c", "d/e", "f~g", "é", ""]) + str(random.randint(0,
        200) if count > 3 else "")) for _ in range(count)]
    return "{" + gap + f",{gap}".join(f"{key}{gap}:{gap}{any_json(random, depth + 1)}" for key in keys) + gap + "}"


def escaped(random, text):
    """A text as a JSON string: as it is, with escapes where they must be, or escaped at random."""
    how = random.random()
    if how < 0.7:
        return json.dumps(text, ensure_ascii=any(0xD800 <= ord(c) < 0xE000 for c in text))
    if how < 0.75 and not any(0xD800 <= ord(c) < 0xE000 for c in text):
        return f'"{text}"'
    written = []
    for c in text:
        as_escape = ord(c) < 0x10000 and random.random() < 0.5
        written.append(f"\\u{ord(c):04x}" if as_escape else json.dumps(c)[1:-1])
    return QUOTE + "".join(written) + QUOTE


def any_time(random):
    """An RFC 3339 time; every other one has one part that is none."""
    wrong = random.randrange(2 * len(TIME))
    return "".join(random.choice(part[at == wrong]) for at, part in enumerate(TIME))


def any_text(random, name):
    """Something to put into an attribute."""
    pick = random.random()
    if name == "time" and pick < 0.8:
        return any_time(random)
    if name in TEXTS and pick < 0.8:
        return random.choice(TEXTS[name])
    if pick < 0.9:
        filler = random.choice(CHARACTERS)
        length = random.choice(LENGTHS)
        return filler * length if pick < 0.86 else "x" * max(length - 1, 0) + filler
    return "".join(random.choices(CHARACTERS, k=random.randint(0, 5)))


class Draft:
    """A message before it is written down. `attributes` are [name, how it is written]."""

    def __init__(self, random):
        self.random, self.subject = random, SUBJECT
        self.structured = random.random() < 0.6
        usual = dict(USUAL)
        if random.random() < 0.5:
            del usual["time"]
        if random.random() < 0.4:
            usual |= {"authid": "alice", "traceparent": "00-ab", "correlationid": "r1"}
        self.attributes = [[name, text] for name, text in usual.items()]
        self.raw = {}  # the index of an attribute → its value as it is written
        self.data = '{"note":' + random.choice(['"x"', "1", "{}", any_json(random)]) + "}"
        self.headers, self.finish = [], []

    # What can go wrong.

    def change_text(self):
        attribute = self.random.choice(self.attributes)
        attribute[1] = any_text(self.random, attribute[0])

    def change_value(self):
        at = self.random.randrange(len(self.attributes))
        self.raw[at] = self.random.choice(self.random.choice([NUMBERS, STRINGS, OTHERS]))

    def drop(self):
        if len(self.attributes) > 1:
            self.attributes.pop(self.random.randrange(len(self.attributes)))
            self.raw = {}

    def add(self):
        name = self.random.choice(NAMES)
        self.attributes.insert(self.random.randint(0, len(self.attributes)), [name, any_text(self.random,
            name)])
        self.raw = {}

    def add_value(self):
        self.attributes.append([self.random.choice(NAMES), ""])
        self.raw[len(self.attributes) - 1] = self.random.choice(self.random.choice([NUMBERS, STRINGS, OTHERS]))

    def double(self):
        name, text = self.random.choice(self.attributes)
        self.attributes.append([name, self.random.choice([text, any_text(self.random, name)])])

    def change_data(self):
        values = self.random.choice([NUMBERS, STRINGS, OTHERS, [any_json(self.random)], [nested(self.random,
            self.random.choice([1, 61, 62, 63, 64, 65, 66]))]])
        value = self.random.choice(values)
        self.data = self.random.choice([value, f'{{"note":{value}}}', f'{{"note":{value}}}',
            f' {{"note" : [ {value} ] }}\n'])

    def change_subject(self):
        self.subject = self.random.choice([
            "", "ledger", SUBJECT + ".v1", SUBJECT + ".", "." + SUBJECT, SUBJECT.replace("main", "other"),
            SUBJECT.replace("main", "mai"), SUBJECT.replace("main", "main2"),
            SUBJECT.replace("ingest", "event"), SUBJECT.replace("terraform", "Terraform"),
            SUBJECT.replace("terraform", ""), SUBJECT.replace("terraform", "a.b"), SUBJECT.replace("terraform",
            "a" * 64),
            SUBJECT.replace("terraform", "a" * 65), SUBJECT.replace("terraform", "1a"),
            SUBJECT.replace("terraform", "é"), SUBJECT.replace("terraform", "a_-9"), SUBJECT.upper(),
            SUBJECT.replace("created", "updated"),
            SUBJECT.replace("terraform", "ledger"), SUBJECT.replace("terraform", "ledgers"),
            SUBJECT.replace("terraform", "_"), SUBJECT.replace("platform", "platfor"), SUBJECT + " ",
            SUBJECT.replace("ledger.", "ledger.."),
        ])

    def change_type_and_subject(self):
        event_type = self.random.choice(TYPES_TO_SUBJECT)
        for at, attribute in enumerate(self.attributes):
            if attribute[0] == "type":
                attribute[1] = event_type
                self.raw.pop(at, None)
        publisher = self.random.choice(["terraform", "ledger", "oncall", "oncall", "Oncall"])
        names = event_type.split(".")[: self.random.choice([3, 3, 3, 3, 4])]
        self.subject = f"ledger.main.ingest.{publisher}." + ".".join(names)

    def grow(self):
        """Around the limits, in characters."""
        name = self.random.choice(["id", "source", "subject", "subject", "authid"])
        limit = {"id": 128, "source": 512, "subject": self.random.choice([256, 512]), "authid": 256}[name]
        filler = "x" if name == "source" else self.random.choice(["x", "é", "😀"])
        self.put(name, filler * (limit + self.random.choice([0, 0, 1])))
        if name == "subject" and self.random.random() < 0.6:
            self.change_type_and_subject()

    def change_time(self):
        self.put("time", any_time(self.random))

    def number(self):
        """A lawful attribute, if the number is."""
        self.put(self.random.choice(["n", "sequence", "id", "n"]), "")
        self.raw[len(self.attributes) - 1] = self.random.choice(NUMBERS[:24] + NUMBERS[32:48])

    def odd_text(self):
        self.put(self.random.choice(["n", "data_base64", "source", "type"]), "")
        self.raw[len(self.attributes) - 1] = self.random.choice(STRINGS)

    def put(self, name, text):
        """Gives an attribute its only value, as the last one."""
        kept = [(at, pair) for at, pair in enumerate(self.attributes) if pair[0] != name]
        self.raw = {new: self.raw[old] for new, (old, _) in enumerate(kept) if old in self.raw}
        self.attributes = [pair for _, pair in kept] + [[name, text]]

    def fill_context(self):
        """Some bytes around the limit: the names, quotes, colons and commas, and what is escaped."""
        self.attributes = [a for a in self.attributes if a[0] in read_message.OWN]
        self.raw = {}
        filler, width = self.random.choice([("x", 1), ('"', 2), ("\\", 2), ("é", 2), ("😀", 4), ("/", 1),
            ("\x80", 2)])
        length = 4096 + self.random.choice([-1, 0, 1, 2]) - len('{"fill":""}')
        first = self.random.choice([0, 1])
        self.attributes.append(["fill", filler * (length // width) + "x" * (length % width)])
        if first:
            self.attributes.append(["a" + str(self.random.randint(0, 99)), ""])

    def fill_data(self):
        length = 256 * 1024 + self.random.choice([-1, 0, 1]) - len('{"note":""}')
        self.data = '{"note":"' + self.random.choice(["x" * length, " " * length,
            "\\n" * (length // 2) + "x" * (length % 2), "é" * (length // 2) + "x" * (length % 2)]) + '"}'
        self.data = self.random.choice([self.data, " " + self.data,
            self.data[9:-1] if self.structured else self.data])

    def fill_body(self):
        length = 512 * 1024 + self.random.choice([-1, 0, 1])
        where = self.random.choice(["before", "after"])
        pad = lambda body: b" " * (length - len(body)) if where == "before" else b""
        self.finish.append(lambda body: pad(body) + body + (b"" if where == "before" else b"\n" * (length - len(body))))

    def add_header(self):
        name = self.random.choice(["Content-Type", "content-type", "CONTENT-TYPE", "ce-specversion",
            "CE-SpecVersion", "ce-id", "CE-Type", "Ce-Time", "ce-x", "cE-X", "ce-", "ce-a_b", "ce-data",
            "ce-datacontenttype", "ce-data_base64", "ce-\u212a",
            "ce", "x-ce-id", "Nats-Msg-Id", "ceid", "ce-time", "ce-dataschema",
            "ce-AuthId", "Content-Typ"])
        value = self.random.choice(["1.0", "x", "", "%", "%4", "%41", "%zz", "%00", "%1f", "%7F", "%ff",
            "%C3%A9", "%c3", "%ED%A0%80", "a b", "+", "%25", "%2500", "é", '"x"', "\t", "x\x7f", b"\xff",
            b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
            b"\xc0\x80", "y" * 4090, "y" * 4100, SECRET, SECRET.replace("AGE",
            "%41%47%45"), SECRET.replace("AGE",
            "%41GE%")] + TEXTS["datacontenttype"] * 2)
        self.headers.insert(self.random.randint(0, len(self.headers)), (name, value if isinstance(value,
            bytes) else value.encode()))

    def declare(self):
        value = self.random.choice(TEXTS["datacontenttype"])
        self.headers.append((self.random.choice(["Content-Type", "content-type", "cOnTeNt-TyPe"]),
            value.encode()))

    def change_bytes(self):
        def change(body):
            body = bytearray(body)
            for _ in range(self.random.choice([1, 1, 1, 2, 5])):
                at = self.random.randint(0, max(len(body) - 1, 0))
                piece = self.random.choice([bytes([self.random.randrange(256)]), b"\xff", b"\xc0\x80",
                    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", BOM, b"\x00", b"{", b"}", b'"', b"\\",
                    b",", b":", b"[", b"]", b" ", b"\x0b", b"\xc2\xa0", b"0", b"-", b"e"])
                how = self.random.random()
                if how < 0.4:
                    body[at:at] = piece
                elif how < 0.8:
                    body[at : at + 1] = piece
                else:
                    del body[at : at + self.random.choice([1, 1, 3])]
            return bytes(body)

        self.finish.append(change)

    def frame(self):
        before = self.random.choice([b"", BOM, BOM + b" ", b" " + BOM, BOM + BOM, b"\n\t\r ", b"\x0b",
            b"\xc2\xa0", b"\xff\xfe", b"x", b"[", b"\x00"])
        after = self.random.choice([b"", b"\n", b" \t\r\n", b"x", b"{}", b",", b"\x00", BOM, b"\xff", b"]",
            b"\x0c"])
        self.finish.append(lambda body: before + body + after)

    def cut(self):
        part = self.random.random()
        self.finish.append(lambda body: body[: int(len(body) * part)] if self.random.random() < 0.9 else b"")

    def replace_body(self):
        body = self.random.choice([b"", b"[]", b"null", b"1", b'""', b"{}", b'{"specversion":"1.0"}',
            b'["specversion"]', b'{"x":"specversion"}', b'{"\\u0073pecversion":"1.0"}', b"\n", BOM,
            BOM + b'{"specversion"', b'{ "specversion" ', b"[" * 70, b"[" * 70 + b"]" * 70,
            b'{"a":1e400,"specversion":"1.0","a":2}'])
        self.finish.append(lambda _: body)

    def hide_secret(self):
        secret = self.random.choice([SECRET, SECRET.replace("K", "\\u004b"), SECRET.replace("K", "\\u004B", 1),
            SECRET.replace("-", "\\u002d"), SECRET.replace("SECRET", "SECRE"),
            "-----BEGIN OPENSSH " + "PRIVATE KEY-----", "-----BEGIN\\u0020PRIVATE KEY-----"])
        self.data = f'{{"note":"{secret}"}}'

    # A change and how often it is made.
    CHANGES = [change for change, times in (
        (change_text, 9), (change_value, 6), (drop, 4), (add, 4), (add_value, 4), (double, 3), (change_data, 8),
        (change_subject, 2), (change_type_and_subject, 4), (change_time, 6), (grow, 4), (number, 4), (odd_text, 4),
        (fill_context, 2), (add_header, 3), (declare, 2), (change_bytes, 3), (frame, 2), (cut, 1),
        (replace_body, 1), (hide_secret, 1),
    ) for _ in range(times)]
    LARGE = [fill_data, fill_data, fill_body]

    # Writing it down.

    def written(self):
        if self.structured:
            body = self.as_structured()
        else:
            body = self.as_binary()
        for finish in self.finish:
            body = finish(body)
        return body

    def as_structured(self):
        gap = self.random.choice(["", "", "", " ", "\n\t"])
        members = []
        for at, (name, text) in enumerate(self.attributes):
            key = escaped(self.random, name)
            value = self.raw[at] if at in self.raw else escaped(self.random, text)
            members.append(f"{key}{gap}:{gap}{value}")
        if self.random.random() < 0.97:
            key = self.random.choice(['"data"'] * 9 + [r'"d\u0061ta"'])
            data = f"{key}{gap}:{gap}{self.data}{gap}"
            members.insert(self.random.choice([0, len(members), len(members)]), data)
        if self.random.random() < 0.3:
            self.headers.append(("content-type", b"application/cloudevents+json"))
        return ("{" + gap + f",{gap}".join(members) + gap + "}").encode(errors="surrogatepass")

    def as_binary(self):
        for at, (name, text) in enumerate(self.attributes):
            name = self.random.choice([name, name, name.upper(), name.title()]) if name.isascii() else name
            value = self.raw.get(at, text).encode(errors="surrogatepass")
            if at not in self.raw and self.random.random() < 0.8:
                safe = b" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~" if self.random.random() < 0.5 else b""
                value = b"".join(bytes([b]) if b in safe or chr(b).isalnum() and b < 128 else b"%%%02X" % b for b in value)
            header = self.random.choice(["ce-", "ce-", "CE-", "Ce-"]) + name.encode(errors="replace").decode()
            if name.lower() == "datacontenttype" and self.random.random() < 0.7:
                header, value = "Content-Type", text.encode(errors="surrogatepass")
            self.headers.insert(self.random.randint(0, len(self.headers)), (header, value.strip(b" \t\r\n")))
        return self.data.encode(errors="surrogatepass")


def messages(seed, count):
    """(NATS subject, headers, body), `count` times."""
    chance = random.Random(seed)
    for _ in range(count):
        draft = Draft(chance)
        for _ in range(chance.choice([0, 1, 1, 1, 1, 1, 2, 2, 3, 4])):
            chance.choice(Draft.CHANGES)(draft)
        if chance.random() < 0.008:
            chance.choice(Draft.LARGE)(draft)
        body = draft.written()
        yield draft.subject, draft.headers, body


def as_json(subject, headers, body):
    pairs = [[name, base64.b64encode(value).decode()] for name, value in headers]
    return {"nats_subject": subject, "headers": pairs, "body": base64.b64encode(body).decode()}


def main():
    seed, count = sys.argv[1:]
    for message in messages(int(seed), int(count)):
        expect = read_message.read(*message, operators=OPERATORS)
        if "data" in expect:
            expect["data"] = base64.b64encode(expect["data"]).decode()
        print(json.dumps({**as_json(*message), "expect": expect}))


if __name__ == "__main__":
    main()
