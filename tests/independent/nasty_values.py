"""What nasty_messages.py puts into messages: around every limit, and beyond it."""

# The parts of a time, those that are good first.
TIME = (
    (["2026", "2024", "2000", "1900", "1970", "1969", "0000", "0001", "9999", "0004", "2100"], ["226", "02026",
    "-026", "+026"]),
    (["-02-28", "-02-29", "-01-31", "-04-30", "-12-01"], ["-04-31", "-02-30", "-00-01", "-01-00", "-13-01",
    "-1-01", "-01-1", "-01-32", "0101", ""]),
    (["T", "T", "t"], [" ", "", "_", "TT"]),
    (["00:00:00", "23:59:59", "12:30:15"], ["23:59:60", "12:30:61", "24:00:00", "24:00:01", "23:60:00",
    "12:30", "12:30:5", "12.30.15"]),
    (["", ".0", ".1", ".123456", ".1234569", ".999999999999", "." + "9" * 30, "." + "0" * 30, ".0000001",
    ".12345"], [".", ",5", ".5 ", ".1e3", ".١", ".-1"]),
    (["Z", "Z", "z", "+00:00", "-00:00", "+02:00", "-23:59", "+23:59", "-12:00"], ["+24:00", "-24:00",
    "+02:60", "+0200", "+02", "", "ZZ", " Z", "+2:00", "UTC", "Z ", "−02:00"]),
)

# Texts, for any attribute.
CHARACTERS = [
    "x", "é", "\u20ac", "😀", "\x7f", "\x80", "\x9f", "\u2028", "\ufeff", "\ufffd", "\uffff", "\U0010ffff",
              " ", "\t", "\n", "\x00", "\x1f", '"', "\\", "/", "%", "\ud800", "\udc00", "\ud83d", "\u212a",
              "~", "~1"]
LENGTHS = [0, 1, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000]
TEXTS = {
    "specversion": ["1.0", "1.0 ", " 1.0", "1", "0.3", "1.00", "1.1", "", "v1.0", "1.0\n"],
    "source": [
        "", "#", "?", "/", "//", ".", "..", ":", "a:", "1:", "a", "a b", "urn:x", "ledger:", "ledger:x",
        "LEDGER:x",
        "Ledger://main", "lEdGeR:", "ledger", "ledger/:", "/ledger:", "./ledger:x", "ledgers:x", "xledger:x",
        "ledger%3Ax",
        " ledger:x", "http://h", "http://h:80/p?q#f", "http://h:x/", "http://h:/", "http://[::1]/",
        "http://[::1]:8/", "http://[::1",
        "http://::1/", "http://[v1.x]/", "http://[v1.]/", "http://[V0F.a:b]/", "http://[::ffff:1.2.3.4]/",
        "http://[1.2.3.4]/",
        "http://[fe80::1%25eth0]/", "http://[1:2:3:4:5:6:7:8:9]/", "http://[::1:2:3:4:5:6:7:8]/",
        "http://[1:2:3:4:5:6:7::]/", "http://[::]/",
        "http://[12345::]/", "http://[1::2::3]/", "http://[::256.1.1.1]/", "http://[::01.2.3.4]/",
        "http://999.1.1.1/", "http://h%41/",
        "http://h%4/", "%", "%zz", "%41", "%C3%A9", "é", "http://é/", "a%20b", "a|b", "a^b", "a`b", "a{b}",
        "a<b>", 'a"b', "a\\b", "a[b]", "a]",
        "mailto:a@b.c", "//user@host", "http://a@b@c/", "http:///p", "http:p", "///", "//h//", "a//b", "/a//b",
        "a:b:c", "a/b:c", "./a:b",
        "1a:b", "a+b-c.d:e", "a_b:c", "-a:b", "urn:x?a#b#c", "urn:x#a?b", "urn:x#?", "urn:x?/?", "?a:b",
        "#a:b", "http://h?q", "http://h#f", "tel:+1",
        "http://a,b;c=d/", "http://h:80:80/", "data:,x", "file:///x", "*:x", "a*:x", "@", "@:x", "a@b:c",
        "!$&'()*+,;=",
        "http://[::1]x/", "http://x[::1]/", "http://[]/", "http://[v.x]/", "http://[vg.x]/",
        "http://h:999999999999/",
    ],
    "type": [
        "", "a.b", "a.b.c", "a.b.c.d", "platform.environment.created", "platform.environment.created.v1",
        "platform.environment.created.v2",
        "platform.environment.created.v9999", "platform.environment.created.v10000",
        "platform.environment.created.v0",
        "platform.environment.created.v01", "platform.environment.created.v", "platform.environment.created.V1",
        "platform.environment.created.v1.v1", "platform.environment.created.", ".platform.environment.created",
        "platform..created",
        "Platform.environment.created", "platform.environment.updated", "platform.environment.v1",
        "platform.environment.created.v١",
        "ledger.violation.raised", "ledger.incident.acknowledged", "ledger.hold.placed",
        "ledger.task.closed.v1", "ledger.incident.opened",
        "ledger.x", "ledger.", "ledger", "ledgers.hold.placed", "ledger.catalog.recorded",
        "ledger.hold.placed.v7", "ledger-x.a.b", "ledger.rule.silenced.v2", "ledger.incident.resolved.v1",
        "a" * 64 + ".b.c", "a" * 65 + ".b.c", "a.b." + "c" * 64, "a.b." + "c" * 65, "a._b.c", "a.b_.c-",
        "a.b.c\n", "a.b.1c", "platform.environment.created.v-1",
        "platform.environment.created.v+1", "a b.c.d", "é.b.c",
    ],
    "datacontenttype": [
        "application/json", "Application/JSON", "application/json;charset=utf-8",
        "application/json ; charset=utf-8", " application/json",
        "application/json\t;", "application/json\u00a0", "application/json;", ";", "", "text/json",
        "application/jsonx", "application/json+x",
        "application/vnd.x+json", "text/plain", "application/cloudevents+json",
        "application/cloudevents-batch", "application/cloudevents-batch+json",
        "APPLICATION/CLOUDEVENTS", "application/cloudevent", "application/cloudeventsx",
        "application/cloudevents-batc", "application/cloudevents-batman", "application/Cloudevents-Batch+json",
        "application/\u212aJSON", "application/j\u017fon", "application/json,x", "application/json;\u20ac",
    ],
}
TYPES_TO_SUBJECT = [t for t in TEXTS["type"] if t.count(".") >= 2]
NAMES = [
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "authid", "data",
    "data_base64", "dataschema", "traceparent",
         "sequence", "x", "y", "z9", "9", "ID", "Type", "a_b", "a-b", "a.b", "", " ", "é", "a" * 21, "id ",
         "authtype", "\u212a", "a/b", "a~b", "\x00", "\ud800"]

# Values as they are written in JSON, lawful or not.
NUMBERS = [
    "0", "-0", "1", "-1", "7", "7.0", "1E5", "1e5", "1e+5", "1e-5", "01", "-01", "00", "+1", ".5", "5.",
    "1.e5", "-", "--1", "1e", "1e+", "0x10", "1_000", "-0.0",
    "-0e0", "0e400", "0e99999999999999999999", "1e308", "1.7976931348623157e308", "1.7976931348623158e308",
    "1.7976931348623159e308", "1.8e308", "-1.8e308", "1e309", "1e400", "-1e400",
    "1e-400", "5e-324", "1e99999999999999999999", "1e-99999999999999999999", "0.1e310", "100e306",
    "0.00001e313", "2147483647", "2147483648", "-2147483648", "-2147483649", "999999999999999999",
    "9223372036854775806", "9223372036854775807", "9223372036854775808", "-9223372036854775807",
    "-9223372036854775808", "-9223372036854775809",
    "9223372036854775807.0", "9223372036854775808.0", "9223372036854775808e0", "18446744073709551615",
    "99999999999999999999", "1000000000000000000000000000000",
    "1" + "0" * 308, "1" + "0" * 308 + ".0", "1" + "0" * 309 + ".0", "1" + "0" * 309 + "e-5",
    "1" + "0" * 400 + ".5", "9" * 309 + ".0", "17976931348623157" + "0" * 292 + ".0",
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880.0",
    "0." + "0" * 400 + "1", "-" + "9" * 19, "1" * 300 + ".0", "1" * 301 + ".0", "NaN", "Infinity", "-Infinity",
]
STRINGS = [
    r'"\u0000"', r'"\ud800"', r'"\udc00"', r'"\ud83d\ude00"', r'"\ude00\ud83d"', r'"\ud800\ud800\udc00"',
    r'"\ud800x\udc00"', r'"\uD83D\uDE00"', r'"\ud800\u0041"', r'"\ud800\u00zz"', r'"\ud83d\ue000"',
    r'"\udbff\udfff"',
    r'"\x"', r'"\u12"', r'"\u123"', r'"\u+123"', r'"\u 123"', r'"\u0 41"', r'"\U0041"', '"\t"', '"\n"',
    '"\x1f"', '"\x7f"', '"\x80"', '"', '"\\"', r'"\\"', r'"\""', r'"\/\b\f\n\r\t"', r'"\u001f"', r'"\u007f"',
    r'"\u0080"',
    r'"\\u0000"', r'"\'"', r'"\a"', r'"\0"', "'x'", '"\u2028"', '"\ufeff"', '"x', 'x"', r'"\ufeff"',
    r'"\uffff"', r'"\u00e9"',
]
OTHERS = [
    "null", "true", "false", "nul", "nulll", "True", "TRUE", "[]", "{}", "[1]", "[1,]", "[,1]", "[,]", "{,}",
    "[1 2]", '{"a":1,}', '{"a"}', '{"a":}', '{a:1}', '{"a":1 "b":2}', '{"a" 1}', "", "//x", "/**/1", "[", "]",
    "{", "}", "[}",
          '{"a":1,"a":2}', r'{"a":1,"\u0061":2}', r'{"\u0000":1}', r'{"\ud800":1,"\ud800":1}',
          r'{"\ud800":1,"\ud801":1}', '{"":1,"":2}', '{"a":{"b":1,"b":2},"a":3}', '[{"x":1},{"x":1}]',
          '{"a":1,"A":2}',
          '{"a/b":1,"a~b":2,"a/b":3}', r'{"a~b":{"c/d":[0,{"e":1,"\u0065":2}]}}', '{"é":1,"e\u0301":2}',
          r'{"é":1,"\u00e9":2}', '{"a":[1e400,{"b":1e400}]}', '{"1":[[],[],[99999999999999999999]]}',
          "[[1e400],1e400]", '{" a":1,"a":2,"a ":3}']
