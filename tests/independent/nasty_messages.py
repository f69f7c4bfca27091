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

OPERATORS = ("oncall",)
BOM, QUOTE = b"\xef\xbb\xbf", '"'
SECRET = "AGE-SECRET-KEY-" + "1" + "Q" * 58
SUBJECT = "ledger.main.ingest.terraform.platform.environment.created"
USUAL = {
    "specversion": "1.0", "id": "1", "source": "urn:tf", "type": "platform.environment.created",
    "subject": "staging", "time": "2026-08-02T23:00:01.123456+02:00",
}

# Texts, for any attribute.
CHARACTERS = ["x", "é", "\u20ac", "😀", "\x7f", "\x80", "\x9f", "\u2028", "\ufeff", "\ufffd", "\uffff", "\U0010ffff",
              " ", "\t", "\n", "\x00", "\x1f", '"', "\\", "/", "%", "\ud800", "\udc00", "\ud83d", "\u212a", "~", "~1"]
LENGTHS = [0, 1, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000]
TEXTS = {
    "specversion": ["1.0", "1.0 ", " 1.0", "1", "0.3", "1.00", "1.1", "", "v1.0", "1.0\n"],
    "source": [
        "", "#", "?", "/", "//", ".", "..", ":", "a:", "1:", "a", "a b", "urn:x", "ledger:", "ledger:x", "LEDGER:x",
        "Ledger://main", "lEdGeR:", "ledger", "ledger/:", "/ledger:", "./ledger:x", "ledgers:x", "xledger:x", "ledger%3Ax",
        " ledger:x", "http://h", "http://h:80/p?q#f", "http://h:x/", "http://h:/", "http://[::1]/", "http://[::1]:8/", "http://[::1",
        "http://::1/", "http://[v1.x]/", "http://[v1.]/", "http://[V0F.a:b]/", "http://[::ffff:1.2.3.4]/", "http://[1.2.3.4]/",
        "http://[fe80::1%25eth0]/", "http://[1:2:3:4:5:6:7:8:9]/", "http://[::1:2:3:4:5:6:7:8]/", "http://[1:2:3:4:5:6:7::]/", "http://[::]/",
        "http://[12345::]/", "http://[1::2::3]/", "http://[::256.1.1.1]/", "http://[::01.2.3.4]/", "http://999.1.1.1/", "http://h%41/",
        "http://h%4/", "%", "%zz", "%41", "%C3%A9", "é", "http://é/", "a%20b", "a|b", "a^b", "a`b", "a{b}", "a<b>", 'a"b', "a\\b", "a[b]", "a]",
        "mailto:a@b.c", "//user@host", "http://a@b@c/", "http:///p", "http:p", "///", "//h//", "a//b", "/a//b", "a:b:c", "a/b:c", "./a:b",
        "1a:b", "a+b-c.d:e", "a_b:c", "-a:b", "urn:x?a#b#c", "urn:x#a?b", "urn:x#?", "urn:x?/?", "?a:b", "#a:b", "http://h?q", "http://h#f", "tel:+1",
        "http://a,b;c=d/", "http://h:80:80/", "data:,x", "file:///x", "*:x", "a*:x", "@", "@:x", "a@b:c", "!$&'()*+,;=",
        "http://[::1]x/", "http://x[::1]/", "http://[]/", "http://[v.x]/", "http://[vg.x]/", "http://h:999999999999/",
    ],
    "type": [
        "", "a.b", "a.b.c", "a.b.c.d", "platform.environment.created", "platform.environment.created.v1", "platform.environment.created.v2",
        "platform.environment.created.v9999", "platform.environment.created.v10000", "platform.environment.created.v0",
        "platform.environment.created.v01", "platform.environment.created.v", "platform.environment.created.V1",
        "platform.environment.created.v1.v1", "platform.environment.created.", ".platform.environment.created", "platform..created",
        "Platform.environment.created", "platform.environment.updated", "platform.environment.v1", "platform.environment.created.v١",
        "ledger.violation.raised", "ledger.incident.acknowledged", "ledger.hold.placed", "ledger.task.closed.v1", "ledger.incident.opened",
        "ledger.x", "ledger.", "ledger", "ledgers.hold.placed", "ledger.catalog.recorded", "ledger.hold.placed.v7", "ledger-x.a.b",
        "a" * 64 + ".b.c", "a" * 65 + ".b.c", "a.b." + "c" * 64, "a.b." + "c" * 65, "a._b.c", "a.b_.c-", "a.b.c\n", "a.b.1c", "platform.environment.created.v-1",
        "platform.environment.created.v+1", "a b.c.d", "é.b.c",
    ],
    "datacontenttype": [
        "application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; charset=utf-8", " application/json",
        "application/json\t;", "application/json\u00a0", "application/json;", ";", "", "text/json", "application/jsonx", "application/json+x",
        "application/vnd.x+json", "text/plain", "application/cloudevents+json", "application/cloudevents-batch", "application/cloudevents-batch+json",
        "APPLICATION/CLOUDEVENTS", "application/cloudevent", "application/cloudeventsx", "application/cloudevents-batc", "application/Cloudevents-Batch+json",
        "application/\u212aJSON", "application/j\u017fon", "application/json,x", "application/json;\u20ac",
    ],
}
TYPES_TO_SUBJECT = [t for t in TEXTS["type"] if t.count(".") >= 2]
NAMES = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "authid", "data", "data_base64", "dataschema", "traceparent",
         "sequence", "x", "y", "z9", "9", "ID", "Type", "a_b", "a-b", "a.b", "", " ", "é", "a" * 21, "id ", "authtype", "\u212a", "a/b", "a~b", "\x00", "\ud800"]

# Values as they are written in JSON, lawful or not.
NUMBERS = [
    "0", "-0", "1", "-1", "7", "7.0", "1E5", "1e5", "1e+5", "1e-5", "01", "-01", "00", "+1", ".5", "5.", "1.e5", "-", "--1", "1e", "1e+", "0x10", "1_000", "-0.0",
    "-0e0", "0e400", "0e99999999999999999999", "1e308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1.8e308", "-1.8e308", "1e309", "1e400", "-1e400",
    "1e-400", "5e-324", "1e99999999999999999999", "1e-99999999999999999999", "0.1e310", "100e306", "0.00001e313", "2147483647", "2147483648", "-2147483648", "-2147483649", "999999999999999999",
    "9223372036854775806", "9223372036854775807", "9223372036854775808", "-9223372036854775807", "-9223372036854775808", "-9223372036854775809",
    "9223372036854775807.0", "9223372036854775808.0", "9223372036854775808e0", "18446744073709551615", "99999999999999999999", "1000000000000000000000000000000",
    "1" + "0" * 308, "1" + "0" * 308 + ".0", "1" + "0" * 309 + ".0", "1" + "0" * 309 + "e-5", "1" + "0" * 400 + ".5", "9" * 309 + ".0", "17976931348623157" + "0" * 292 + ".0",
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880.0",
    "0." + "0" * 400 + "1", "-" + "9" * 19, "1" * 300 + ".0", "1" * 301 + ".0", "NaN", "Infinity", "-Infinity",
]
STRINGS = [
    r'"\u0000"', r'"\ud800"', r'"\udc00"', r'"\ud83d\ude00"', r'"\ude00\ud83d"', r'"\ud800\ud800\udc00"', r'"\ud800x\udc00"', r'"\uD83D\uDE00"', r'"\ud800\u0041"', r'"\ud800\u00zz"',
    r'"\x"', r'"\u12"', r'"\u123"', r'"\u+123"', r'"\u 123"', r'"\u0 41"', r'"\U0041"', '"\t"', '"\n"', '"\x1f"', '"\x7f"', '"\x80"', '"', '"\\"', r'"\\"', r'"\""', r'"\/\b\f\n\r\t"', r'"\u001f"', r'"\u007f"', r'"\u0080"',
    r'"\\u0000"', r'"\'"', r'"\a"', r'"\0"', "'x'", '"\u2028"', '"\ufeff"', '"x', 'x"', r'"\ufeff"', r'"\uffff"', r'"\u00e9"',
]
OTHERS = ["null", "true", "false", "nul", "nulll", "True", "TRUE", "[]", "{}", "[1]", "[1,]", "[,1]", "[,]", "{,}", "[1 2]", '{"a":1,}', '{"a"}', '{"a":}', '{a:1}', '{"a":1 "b":2}', '{"a" 1}', "", "//x", "/**/1", "[", "]", "{", "}", "[}",
          '{"a":1,"a":2}', r'{"a":1,"\u0061":2}', r'{"\u0000":1}', r'{"\ud800":1,"\ud800":1}', r'{"\ud800":1,"\ud801":1}', '{"":1,"":2}', '{"a":{"b":1,"b":2},"a":3}', '[{"x":1},{"x":1}]', '{"a":1,"A":2}',
          '{"a/b":1,"a~b":2,"a/b":3}', r'{"a~b":{"c/d":[0,{"e":1,"\u0065":2}]}}', '{"é":1,"e\u0301":2}', r'{"é":1,"\u00e9":2}', '{"a":[1e400,{"b":1e400}]}', '{"1":[[],[],[99999999999999999999]]}', "[[1e400],1e400]", '{" a":1,"a":2,"a ":3}']


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
        return f"[{gap}" + f",{gap}".join(any_json(random, depth + 1) for _ in range(random.randint(0, 4))) + f"{gap}]"
    count = random.choice([0, 1, 2, 3, 5, 24, 25, 30]) if depth == 0 else random.randint(0, 3)
    keys = [escaped(random, random.choice(["a", "b", "c", "d/e", "f~g", "é", ""]) + str(random.randint(0, 200) if count > 3 else "")) for _ in range(count)]
    return "{" + gap + f",{gap}".join(f"{key}{gap}:{gap}{any_json(random, depth + 1)}" for key in keys) + gap + "}"


def escaped(random, text):
    """A text as a JSON string: as it is, with escapes where they must be, or escaped at random."""
    how = random.random()
    if how < 0.7:
        return json.dumps(text, ensure_ascii=any(0xD800 <= ord(c) < 0xE000 for c in text))
    if how < 0.75 and not any(0xD800 <= ord(c) < 0xE000 for c in text):
        return f'"{text}"'
    return QUOTE + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 and random.random() < 0.5 else json.dumps(c)[1:-1] for c in text) + QUOTE


def any_time(random):
    """An RFC 3339 time, or nearly one."""
    pick = random.choice
    year = pick(["2026", "2024", "2000", "1900", "1970", "1969", "0000", "0001", "9999", "0004", "2100"])
    month = pick(["01", "02", "02", "04", "06", "12", "12", "00", "13", "1"]) if random.random() < 0.5 else "02"
    day = pick(["01", "28", "29", "30", "31", "00", "32", "1"]) if random.random() < 0.6 else "28"
    clock = pick(["00:00:00", "23:59:59", "23:59:60", "24:00:00", "12:30:15", "23:60:00", "12:30", "12:30:5", "12.30.15"]) if random.random() < 0.5 else "12:30:15"
    fraction = pick(["", ".0", ".1", ".123456", ".1234569", ".999999999999", ".", ",5", "." + "9" * 30, "." + "0" * 30, ".0000001", ".12345", ".5 ", ".1e3", ".١"])
    offset = pick(["Z", "z", "+00:00", "-00:00", "+02:00", "-23:59", "+23:59", "+24:00", "+02:60", "+0200", "+02", "", "ZZ", " Z", "+2:00", "UTC", "Z ", "\u221202:00", "-12:00"]) if random.random() < 0.6 else "Z"
    return f"{year}-{month}-{day}{pick(['T', 'T', 'T', 't', ' ', '', '_'])}{clock}{fraction}{offset}"


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
        self.attributes.insert(self.random.randint(0, len(self.attributes)), [name, any_text(self.random, name)])
        self.raw = {}

    def add_value(self):
        self.attributes.append([self.random.choice(NAMES), ""])
        self.raw[len(self.attributes) - 1] = self.random.choice(self.random.choice([NUMBERS, STRINGS, OTHERS]))

    def double(self):
        name, text = self.random.choice(self.attributes)
        self.attributes.append([name, self.random.choice([text, any_text(self.random, name)])])

    def change_data(self):
        values = self.random.choice([NUMBERS, STRINGS, OTHERS, [any_json(self.random)], [nested(self.random, self.random.choice([1, 61, 62, 63, 64, 65, 66]))]])
        value = self.random.choice(values)
        self.data = self.random.choice([value, f'{{"note":{value}}}', f'{{"note":{value}}}', f' {{"note" : [ {value} ] }}\n'])

    def change_subject(self):
        self.subject = self.random.choice([
            "", "ledger", SUBJECT + ".v1", SUBJECT + ".", "." + SUBJECT, SUBJECT.replace("main", "other"), SUBJECT.replace("main", "mai"), SUBJECT.replace("main", "main2"),
            SUBJECT.replace("ingest", "event"), SUBJECT.replace("terraform", "Terraform"), SUBJECT.replace("terraform", ""), SUBJECT.replace("terraform", "a.b"), SUBJECT.replace("terraform", "a" * 64),
            SUBJECT.replace("terraform", "a" * 65), SUBJECT.replace("terraform", "1a"), SUBJECT.replace("terraform", "é"), SUBJECT.replace("terraform", "a_-9"), SUBJECT.upper(), SUBJECT.replace("created", "updated"),
            SUBJECT.replace("terraform", "ledger"), SUBJECT.replace("terraform", "ledgers"), SUBJECT.replace("terraform", "_"), SUBJECT.replace("platform", "platfor"), SUBJECT + " ", SUBJECT.replace("ledger.", "ledger.."),
        ])

    def change_type_and_subject(self):
        event_type = self.random.choice(TYPES_TO_SUBJECT)
        for at, attribute in enumerate(self.attributes):
            if attribute[0] == "type":
                attribute[1] = event_type
                self.raw.pop(at, None)
        publisher = self.random.choice(["terraform", "ledger", "oncall", "Oncall", "on-call"])
        names = event_type.split(".")[: self.random.choice([3, 3, 3, 3, 4])]
        self.subject = f"ledger.main.ingest.{publisher}." + ".".join(names)

    def grow_subject(self):
        for attribute in self.attributes:
            if attribute[0] == "subject":
                attribute[1] = self.random.choice(["x", "é", "😀"]) * self.random.choice([256, 257, 512, 513])

    def fill_context(self):
        """Some bytes around the limit: the names, quotes, colons and commas, and what is escaped."""
        self.attributes = [a for a in self.attributes if a[0] in read_message.OWN]
        self.raw = {}
        filler, width = self.random.choice([("x", 1), ('"', 2), ("\\", 2), ("é", 2), ("😀", 4), ("/", 1), ("\x80", 2)])
        length = 4096 + self.random.choice([-1, 0, 1, 2]) - len('{"fill":""}')
        first = self.random.choice([0, 1])
        self.attributes.append(["fill", filler * (length // width) + "x" * (length % width)])
        if first:
            self.attributes.append(["a" + str(self.random.randint(0, 99)), ""])

    def fill_data(self):
        length = 256 * 1024 + self.random.choice([-1, 0, 1]) - len('{"note":""}')
        self.data = '{"note":"' + self.random.choice(["x" * length, " " * length, "\\n" * (length // 2) + "x" * (length % 2), "é" * (length // 2) + "x" * (length % 2)]) + '"}'
        self.data = self.random.choice([self.data, " " + self.data, self.data[9:-1] if self.structured else self.data])

    def fill_body(self):
        length = 512 * 1024 + self.random.choice([-1, 0, 1])
        where = self.random.choice(["before", "after"])
        pad = lambda body: b" " * (length - len(body)) if where == "before" else b""
        self.finish.append(lambda body: pad(body) + body + (b"" if where == "before" else b"\n" * (length - len(body))))

    def add_header(self):
        name = self.random.choice(["Content-Type", "content-type", "CONTENT-TYPE", "ce-specversion", "CE-SpecVersion", "ce-id", "CE-Type", "Ce-Time", "ce-x", "cE-X", "ce-", "ce-a_b", "ce-data", "ce-datacontenttype", "ce-data_base64", "ce-\u212a",
                                   "ce", "x-ce-id", "Nats-Msg-Id", "ceid", "ce-time", "ce-dataschema", "ce-AuthId", "Content-Typ"])
        value = self.random.choice(["1.0", "x", "", "%", "%4", "%41", "%zz", "%00", "%1f", "%7F", "%ff", "%C3%A9", "%c3", "%ED%A0%80", "a b", "+", "%25", "%2500", "é", '"x"', "\t", "x\x7f", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                                    b"\xc0\x80", "y" * 4090, "y" * 4100, SECRET, SECRET.replace("AGE", "%41%47%45"), SECRET.replace("AGE", "%41GE%")] + TEXTS["datacontenttype"] * 2)
        self.headers.insert(self.random.randint(0, len(self.headers)), (name, value if isinstance(value, bytes) else value.encode()))

    def declare(self):
        value = self.random.choice(TEXTS["datacontenttype"])
        self.headers.append((self.random.choice(["Content-Type", "content-type", "cOnTeNt-TyPe"]), value.encode()))

    def change_bytes(self):
        def change(body):
            body = bytearray(body)
            for _ in range(self.random.choice([1, 1, 1, 2, 5])):
                at = self.random.randint(0, max(len(body) - 1, 0))
                piece = self.random.choice([bytes([self.random.randrange(256)]), b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", BOM, b"\x00", b"{", b"}", b'"', b"\\", b",", b":", b"[", b"]", b" ", b"\x0b", b"\xc2\xa0", b"0", b"-", b"e"])
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
        before = self.random.choice([b"", BOM, BOM + b" ", b" " + BOM, BOM + BOM, b"\n\t\r ", b"\x0b", b"\xc2\xa0", b"\xff\xfe", b"x", b"[", b"\x00"])
        after = self.random.choice([b"", b"\n", b" \t\r\n", b"x", b"{}", b",", b"\x00", BOM, b"\xff", b"]", b"\x0c"])
        self.finish.append(lambda body: before + body + after)

    def cut(self):
        part = self.random.random()
        self.finish.append(lambda body: body[: int(len(body) * part)] if self.random.random() < 0.9 else b"")

    def replace_body(self):
        body = self.random.choice([b"", b"[]", b"null", b"1", b'""', b"{}", b'{"specversion":"1.0"}', b'["specversion"]', b'{"x":"specversion"}', b'{"\\u0073pecversion":"1.0"}', b"\n", BOM, BOM + b'{"specversion"', b'{ "specversion" ', b"[" * 70, b"[" * 70 + b"]" * 70, b'{"a":1e400,"specversion":"1.0","a":2}'])
        self.finish.append(lambda _: body)

    def hide_secret(self):
        secret = self.random.choice([SECRET, SECRET.replace("K", "\\u004b"), SECRET.replace("K", "\\u004B", 1), SECRET.replace("-", "\\u002d"), SECRET.replace("SECRET", "SECRE"), "-----BEGIN OPENSSH " + "PRIVATE KEY-----", "-----BEGIN\\u0020PRIVATE KEY-----"])
        self.data = f'{{"note":"{secret}"}}'

    CHANGES = [change_text] * 9 + [change_value] * 6 + [drop] * 4 + [add] * 4 + [add_value] * 4 + [double] * 3 + [change_data] * 8 + [change_subject] * 2 + [change_type_and_subject] * 4 + [
        grow_subject, fill_context, fill_context, add_header, add_header, add_header, declare, declare, change_bytes, change_bytes, change_bytes, frame, frame, cut, replace_body, hide_secret]
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
        members = [f"{escaped(self.random, name)}{gap}:{gap}{self.raw.get(at) if at in self.raw else escaped(self.random, text)}" for at, (name, text) in enumerate(self.attributes)]
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
        for _ in range(chance.choice([0, 1, 1, 1, 1, 2, 2, 3, 4])):
            chance.choice(Draft.CHANGES)(draft)
        if chance.random() < 0.005:
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
