"""What one message of the stream is, by section 1 of the formats alone: an event, or a reason.

Written from the text, without a look at the ledger's own reader, so that the two can disagree. Where
the text is silent, it follows `docs/decisions/0001-reading-a-message.md`. It stops where a kind's
fields would be looked at (`type.unknown`, `data.invalid`), it knows only the plainest secrets, and it
knows no signatures. Python's standard library alone.

    read(nats_subject, [(name, value bytes)], body, ledger) -> {"reason", "at"} or the event

As a program it reads messages as NDJSON: {"nats_subject", "headers": [[name, base64]], "body": base64}
and prints what they are, one a line, with `data` in base64.
"""

import base64
import ipaddress
import json
import re
import sys

from strict_json import ESCAPES, MAX_DEPTH, WHITE, NotJson, Parser, pointer

BODY_LIMIT, DATA_LIMIT, CONTEXT_LIMIT = 512 * 1024, 256 * 1024, 4096
BOM = b"\xef\xbb\xbf"
NAME = r"[a-z][a-z0-9_-]{0,63}"
LEDGER = r"[a-z][a-z0-9-]{0,31}"
TYPE = re.compile(rf"({NAME})\.({NAME})\.({NAME})(?:\.v([1-9][0-9]{{0,3}}))?")
SUBJECT = re.compile(rf"ledger\.({LEDGER})\.ingest\.({NAME})\.({NAME})\.({NAME})\.({NAME})")
DECIDED_BY_PEOPLE = {
    "ledger.incident.acknowledged", "ledger.incident.resolved", "ledger.hold.placed",
    "ledger.hold.released", "ledger.redaction.requested", "ledger.task.closed", "ledger.rule.silenced",
}
CONTROL = re.compile("[\x00-\x1f\x7f]")
SURROGATE = re.compile("[\ud800-\udfff]")
SECRETS = re.compile(
    r"AGE-SECRET-KEY-1[0-9A-Za-z]{2,}|-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
)
OWN = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "authid", "data")


class Refused(Exception):
    def __init__(self, reason, at=""):
        super().__init__(reason, at)
        self.reason, self.at = reason, at


# URI references: RFC 3986, appendix A.

_PCT = r"%[0-9A-Fa-f]{2}"
_UNRESERVED_SUB = r"A-Za-z0-9\-._~!$&'()*+,;="
_PCHAR = rf"(?:[{_UNRESERVED_SUB}:@]|{_PCT})"
_HOST = rf"(?:\[(?P<literal>[^\]]*)\]|(?:[{_UNRESERVED_SUB}]|{_PCT})*)"
_AUTHORITY = rf"//(?:(?:[{_UNRESERVED_SUB}:]|{_PCT})*@)?{_HOST}(?::[0-9]*)?"
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:\#(?:{_PCHAR}|[/?])*)?"
_ABEMPTY = rf"(?:/{_PCHAR}*)*"
_ABSOLUTE = rf"/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
_ROOTLESS = rf"{_PCHAR}+(?:/{_PCHAR}*)*"
_NOSCHEME = rf"(?:[{_UNRESERVED_SUB}@]|{_PCT})+(?:/{_PCHAR}*)*"
URI = re.compile(rf"[A-Za-z][A-Za-z0-9+\-.]*:(?:{_AUTHORITY}{_ABEMPTY}|{_ABSOLUTE}|{_ROOTLESS}|){_TAIL}")
RELATIVE = re.compile(rf"(?:{_AUTHORITY}{_ABEMPTY}|{_ABSOLUTE}|{_NOSCHEME}|){_TAIL}")
IP_FUTURE = re.compile(rf"[vV][0-9A-Fa-f]+\.[{_UNRESERVED_SUB}:]+")


def is_uri_reference(text):
    match = URI.fullmatch(text) or RELATIVE.fullmatch(text)
    if not match:
        return False
    literal = match.group("literal")
    if literal is None or IP_FUTURE.fullmatch(literal):
        return True
    try:
        return "%" not in literal and bool(ipaddress.IPv6Address(literal))
    except ValueError:
        return False


# Times: RFC 3339, without leap seconds.

TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_before(year):
    """Days from 0000-01-01 to the first of January of `year`, in the proleptic calendar."""
    past = year - 1
    return year * 365 + (past // 4 - past // 100 + past // 400 + 1 if year > 0 else 0)


def microseconds(text):
    """Microseconds since 1970, floor; None if it is no such time."""
    match = TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = [n + (leap and i == 1) for i, n in enumerate(DAYS)]
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    days = days_before(year) - days_before(1970) + sum(lengths[: month - 1]) + day - 1
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    if match[8]:
        ahead, beside = int(match[9]), int(match[10])
        if ahead > 23 or beside > 59:
            return None
        seconds -= (1 if match[8] == "+" else -1) * (ahead * 3600 + beside * 60)
    return seconds * 1_000_000 + int((match[7] or "0")[:6].ljust(6, "0"))


# The envelope.


def lower(name):
    """In lower case, ASCII alone: the Kelvin sign is no `k`."""
    return "".join(c.lower() if c.isascii() else c for c in name)


def mode_of(headers, body):
    for name, value in headers:
        value = value.lower()
        if lower(name) == "content-type" and value.startswith(b"application/cloudevents"):
            if not value.startswith(b"application/cloudevents-batch"):
                return "structured"
    if any(lower(name) == "ce-specversion" for name, _ in headers):
        return "binary"
    rest = body.removeprefix(BOM).lstrip(b" \t\n\r")
    if rest.startswith(b"{") and b'"specversion"' in body:
        return "structured"
    return None


def percent_decoded(raw):
    if re.search(rb"%(?![0-9A-Fa-f]{2})", raw):
        return None
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), raw)


class Attributes:
    """What was given: [name, text], text None where it cannot be read; in the order that faults are told."""

    def __init__(self, given=(), data=None):
        self.given, self.data = list(given), data

    @classmethod
    def of_headers(cls, headers, body):
        given = []
        for name, value in headers:
            name = lower(name)
            if name == "content-type":
                given.append(["datacontenttype", decoded(value)])
            elif name.startswith("ce-"):
                value = percent_decoded(value)
                given.append([name[3:], value if value is None else decoded(value)])
        # Headers have no order. What is given twice has no value.
        given.sort(key=lambda pair: pair[0].encode())
        names = [name for name, _ in given] + ["data"]
        return cls([[name, None if names.count(name) > 1 else text] for name, text in given], body)

    @classmethod
    def of_members(cls, root, body):
        given, longest = [], None
        for name, node in root.value:
            if name == "data":
                if longest is None or node.end - node.start >= longest.end - longest.start:
                    longest = node
            elif node.kind != "null":
                given.append([name, scalar(name, node)])
        return cls(given, longest and body[longest.start : longest.end])

    def context(self):
        """RFC 8785 form of what is no attribute of ours: ASCII names, texts without controls."""
        rest = [pair for pair in self.given if pair[0] not in OWN and legal_name(pair[0]) and legal_text(pair[1])]
        members = (f"{quoted(name)}:{quoted(text)}" for name, text in sorted(rest, key=lambda pair: pair[0]))
        return "{" + ",".join(members) + "}" if rest else ""

    def text(self, name):
        return next((text for given, text in self.given if given == name), None)


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def legal_name(name):
    return re.fullmatch("[a-z0-9]+", name) is not None


def legal_text(text):
    return text is not None and not CONTROL.search(text) and not SURROGATE.search(text)


def decoded(raw):
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def scalar(name, node):
    """The canonical string form of an attribute's value, or None."""
    if node.kind == "string":
        return node.value
    if name in OWN:
        return None
    if node.kind == "boolean":
        return "true" if node.value else "false"
    if node.kind == "number" and node.value.is_integer() and len(node.value) <= 11 and -(2**31) <= int(node.value) < 2**31:
        return str(int(node.value))
    return None


def wrong_attribute(found):
    """The name of the first attribute that is at fault, or None: as given, then what is missing."""
    longest_subject = 512 if (found.text("type") or "").startswith("ledger.") else 256
    rules = {
        "specversion": lambda text: text == "1.0",
        "id": lambda text: 1 <= len(text) <= 128,
        "source": lambda text: 1 <= len(text) <= 512 and is_uri_reference(text),
        "subject": lambda text: 1 <= len(text) <= longest_subject,
        "time": lambda text: microseconds(text) is not None,
        "datacontenttype": is_json,
        "authid": lambda text: 1 <= len(text) <= 256,
    }
    for name, text in found.given:
        if not legal_name(name) or not legal_text(text) or name in rules and not rules[name](text):
            return name
    names = [name for name, _ in found.given]
    for name in ("specversion", "id", "source", "type", "subject"):
        if name not in names:
            return name
    return None


def is_json(text):
    return lower(text.split(";")[0].strip(" \t")) == "application/json"


def suspected(nats_subject, headers, body):
    """Looked for as received, percent-decoded, and in the body unescaped, be it JSON or not."""
    values = [nats_subject, body.decode("latin-1")]
    for _, value in headers:
        loosely = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), value)
        values += [value.decode("latin-1"), loosely.decode("latin-1")]
    values.append(unescaped(body.decode("latin-1")))
    return any(SECRETS.search(value) for value in values)


def unescaped(text):
    """Every escape decoded; what is none stays. A secret is ASCII, so halves of pairs do not matter."""
    return re.sub(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt]))', lambda m: chr(int(m[1],
        16)) if m[1] else ESCAPES[ord(m[2])], text)


def envelope(nats_subject, headers, body, ledger):
    exempt = nats_subject == f"ledger.{ledger}.ingest.ledger.ledger.catalog.recorded"
    if not exempt and suspected(nats_subject, headers, body):
        raise Refused("payload.secret_suspected")
    if len(body) > BODY_LIMIT:
        raise Refused("size.exceeded")
    mode = mode_of(headers, body)
    if mode is None:
        raise Refused("envelope.mode")
    parser, root = parsed(body)
    found = Attributes()
    if mode == "binary":
        found = Attributes.of_headers(headers, body)
    elif root and root.kind == "object":
        found = Attributes.of_members(root, body)
    if len(found.data or b"") > DATA_LIMIT or len(found.context().encode()) > CONTEXT_LIMIT:
        raise Refused("size.exceeded")
    check_json(parser, root, mode)
    at = wrong_attribute(found)
    if at is None and (root.kind != "object" or not (found.data or b"").lstrip(WHITE).startswith(b"{")):
        at = "data"
    if at is not None:
        raise Refused("envelope.attribute", shown(at))
    return found


def shown(text):
    """Half a surrogate pair cannot be written down: U+FFFD for each of its three bytes."""
    return SURROGATE.sub("\ufffd" * 3, text)


def parsed(body):
    """(the parser, or None where the text is not even UTF-8; the root, or None)."""
    if decoded(body) is None:
        return None, None
    parser = Parser(body.removeprefix(BOM))
    parser.raw, parser.at = body, len(body) - len(parser.raw)
    try:
        return parser, parser.parse()
    except NotJson:
        return parser, None


def check_json(parser, root, mode):
    if parser is None or parser.raw.startswith(BOM):
        raise Refused("json.encoding")
    # A member of the envelope is an attribute, its key too, but for what these two hold.
    for path, is_key in parser.broken_strings:
        member = path[0] if mode == "structured" and path else None
        held = member in ("data", "data_base64") and not (is_key and len(path) == 1)
        if held or not isinstance(member, str):
            raise Refused("json.encoding")
    if root is None:
        raise Refused("json.syntax")
    if parser.depth > MAX_DEPTH:
        raise Refused("json.depth")
    if parser.duplicates:
        raise Refused("json.duplicate_key", shown(pointer(parser.duplicates[0])))
    if parser.numbers:
        raise Refused("json.number", shown(pointer(parser.numbers[0])))


def judge(nats_subject, headers, body, ledger, operators):
    found = envelope(nats_subject, headers, body, ledger)
    event_type, source, time = (found.text(name) for name in ("type", "source", "time"))
    type_parts = TYPE.fullmatch(event_type)
    if not type_parts:
        raise Refused("envelope.type", "type")
    names = SUBJECT.fullmatch(nats_subject)
    if not names or names[1] != ledger or names.groups()[2:] != type_parts.groups()[:3]:
        raise Refused("subject.mismatch")
    publisher = names[2]
    if publisher != "ledger":
        # There is no second version of any of them yet.
        decided = ".".join(names.groups()[2:]) in DECIDED_BY_PEOPLE and type_parts[4] in (None, "1")
        decided = decided and publisher in operators
        if source.lower().startswith("ledger:") or type_parts[1] == "ledger" and not decided:
            raise Refused("publisher.reserved")
    return {
        "publisher": publisher, "source": source, "id": found.text("id"), "type": event_type,
        "subject": found.text("subject"), "actor": found.text("authid") or "", "context": found.context(),
        "occurred_us": None if time is None else microseconds(time), "data": found.data,
    }


def read(nats_subject, headers, body, ledger="main", operators=()):
    try:
        return judge(nats_subject, headers, body, ledger, operators)
    except Refused as refused:
        return {"reason": refused.reason, "at": refused.at}


def main():
    for line in sys.stdin:
        message = json.loads(line)
        headers = [(name, base64.b64decode(value)) for name, value in message["headers"]]
        outcome = read(message["nats_subject"], headers, base64.b64decode(message["body"]))
        if "data" in outcome:
            outcome["data"] = base64.b64encode(outcome["data"]).decode()
        print(json.dumps(outcome, ensure_ascii=True, sort_keys=True))


if __name__ == "__main__":
    main()
