"""What goes wrong between tools and the ledger: each message with what becomes of it."""

import base64
import json

def raw(expect, why, subject, body, **headers):
    body = body if isinstance(body, bytes) else body.encode()
    return json.dumps({
        "why": why, "expect": expect, "subject": f"ledger.main.ingest.{subject}", "headers": headers,
        "body": base64.b64encode(body).decode(),
    }, separators=(", ", ": "))


def envelope(**changes):
    event = {
        "specversion": "1.0", "id": "odd-1", "source": "https://ci.example/odd", "type": "platform.environment.status_changed",
        "subject": "staging", "time": "2026-09-30T12:00:00Z", "data": {"from": "ready", "to": "degraded"},
    }
    event.update(changes)
    return json.dumps({k: v for k, v in event.items() if v is not None})


def broken(good):
    """Duplicates and conflicts of what is in the quarter, and what cannot be understood."""
    first, second, third = (json.loads(line) for line in (good[0], good[40], good[90]))
    same = "platform."

    def to(event):
        return same + event["type"]

    conflict = dict(second, subject=second["subject"], authid="mallory@example.org")
    status = "platform.platform.environment.status_changed"
    yield raw("duplicate", "the first event again: a retry after a lost acknowledgement", to(first), good[0])
    yield raw("duplicate", "another one again, hours later", to(third), good[90])
    yield raw("id.conflict", "the id of an event that exists, with another actor", to(second), json.dumps(conflict))
    yield raw("json.syntax", "not JSON: a script forgot to quote", status, "{specversion: 1.0, \"specversion\": oops}")
    yield raw("envelope.mode", "no CloudEvent at all", status, "environment staging is degraded")
    yield raw("envelope.mode", "an empty message", status, "")
    yield raw("json.duplicate_key", "a key twice: which one holds?", status, '{"specversion": "1.0", "id": "odd-2", "source": "https://ci.example/odd", '
              '"type": "platform.environment.status_changed", "subject": "staging", '
              '"data": {"from": "ready", "from": "degraded", "to": "recovering"}}')
    yield raw("envelope.attribute", "no id", status, envelope(id=None))
    yield raw("envelope.type", "a type that is not three names", status, envelope(id="odd-3", type="environment-changed"))
    yield raw("subject.mismatch", "a type that is not the subject's", "platform.platform.environment.updated", envelope(id="odd-4"))
    yield raw("type.unknown", "a type that nobody declared", "platform.platform.environment.teleported",
              envelope(id="odd-5", type="platform.environment.teleported"))
    yield raw("data.invalid", "a status that does not exist", status, envelope(id="odd-6", data={"from": "ready", "to": "wonderful"}))
    yield raw("payload.secret_suspected", "a token in the data; nothing of it is kept", status,
              envelope(id="odd-7", data={"from": "ready", "to": "degraded", "note": "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"}))
    yield raw("publisher.reserved", "somebody speaks for the ledger", "platform.ledger.violation.cleared",
              envelope(id="odd-8", type="ledger.violation.cleared", subject="x", data={}))
    yield raw("json.encoding", "bytes that are not UTF-8", status, b'{"specversion": "1.0", "id": "\xff\xfe"}')
    yield raw("json.number", "a number that no computer agrees on", status, envelope(id="odd-9").replace('"to"', '"cost": 1e999, "to"'))
    yield raw("json.depth", "data nested 70 deep", status, envelope(id="odd-10").replace('"degraded"', "[" * 70 + "]" * 70))
    yield raw("recorded", "binary mode, as `nats pub` sends it", status, '{"from": "ready", "to": "degraded", "alert_ref": "c0ffee0000000001"}',
              **{"ce-specversion": "1.0", "ce-id": "odd-11", "ce-source": "https://ci.example/odd", "ce-subject": "staging",
                 "ce-type": "platform.environment.status_changed", "ce-time": "2026-09-30T12:00:00+02:00"})
