"""What every chapter of the story needs: times, identifiers, and the list of events."""

import hashlib
import json
from datetime import datetime, timedelta, timezone


def at(text, minutes=0):
    """A time of the year 2026: `07-03 09:00`."""
    time = datetime.strptime("2026-" + text, "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
    return time + timedelta(minutes=minutes)


def stamp(time):
    """RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def weeks(first, last="10-01 00:00", days=7):
    """One time every so many days."""
    time = at(first)
    while time < at(last):
        yield time
        time += timedelta(days=days)


def uuid7(time, number):
    """A UUIDv7 whose random part is a digest of its number."""
    tail = int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:10], "big")
    bits = int(time.timestamp() * 1000) << 80 | tail
    return uuid_text(bits, 7)


def stable_uuid(name):
    """A UUID (version 4 in form) that depends on a name alone."""
    return uuid_text(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big"), 4)


def uuid_text(bits, version):
    bits = bits & ~(0xF << 76) | version << 76
    bits = bits & ~(0x3 << 62) | 2 << 62
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def commit(name):
    """A commit of git, by what it is about."""
    return hashlib.sha1(name.encode()).hexdigest()


def digest(name):
    """A SHA-256 digest, by what it is of."""
    return hashlib.sha256(name.encode()).hexdigest()


class Quarter:
    """The events so far; `report` adds one. `what` is `<entity>.<verb>` of the chapter's own package, or a full type."""

    def __init__(self, package, events=None):
        self.package = package
        self.events = [] if events is None else events

    def chapter(self, package):
        """The same list of events, told from another package."""
        return Quarter(package, self.events)

    def report(self, time, what, subject, data, source, actor="", **context):
        event = {
            "specversion": "1.0",
            "id": uuid7(time, len(self.events)),
            "source": source,
            "type": what if what.count(".") == 2 else f"{self.package}.{what}",
            "subject": subject,
            "time": stamp(time),
        }
        if actor:
            event["authid"] = actor
        event.update(context)
        event["data"] = data
        self.events.append(event)
        return event

    def lines(self):
        """In the order of their claimed times, as tools publish; equal times as written here."""
        for event in sorted(self.events, key=lambda e: e["time"]):
            yield json.dumps(event, ensure_ascii=False, separators=(", ", ": "))
