"""A stream that does everything that a stream may do, and the chain that it must give.

    python3 nasty_streams.py SEED COUNT

prints NDJSON: first {"origin", "ledger", "created_us", "stream", "salt_keys": {month: hex}}, then a line
for each message, {"nats_subject", "headers", "body", "stream_seq", "time_us"}, then a line for each
position of the chain, as in an evidence bundle's `events.ndjson`. The same seed gives the same lines.

Section 1 decides what stands at a position (`Chain.take`), section 2 what is hashed.
"""

import base64
import datetime
import json
import random
import sys

import formats
import nasty_messages
import read_message

LEDGER, ORIGIN, CREATED_US = "main", "ledger.example/main", 1_785_542_395_000_000  # 2026-07-31T23:59:55Z
STREAM = f"LEDGER-{LEDGER}@{CREATED_US}"
SALT_KEYS = {month: formats.h("test", month.encode()).hex() for month in ("2026-07", "2026-08", "2026-09")}
NAME = read_message.re.compile(read_message.NAME)
BODY_LIMIT = 3000  # BLAKE3 is slow here; what is larger is left to nasty_messages.py


def canonical(value):
    """RFC 8785 of what the ledger writes: ASCII names, texts, small integers, arrays."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def month_of(us):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)).strftime("%Y-%m")


class Chain:
    """The chain of one stream, from event 0."""

    def __init__(self):
        self.events, self.chain, self.recorded_us, self.last = [], formats.genesis(ORIGIN), CREATED_US, 0
        self.first = {}  # identity → the event that has it
        self.deleted = []  # (from, to, by)
        own = self.own("ledger.chain.started", "ledger", 0, {"origin": ORIGIN})
        self.put(own | {"id": ORIGIN, "subject": LEDGER, "stream": ""})

    def own(self, event_type, publisher, stream_seq, data):
        """An event that the ledger writes itself."""
        return {
            "source": f"ledger://{LEDGER}", "id": f"{STREAM}/{stream_seq}", "type": event_type, "subject": "",
            "actor": "",
            "publisher": publisher, "context": "", "stream": STREAM, "stream_seq": stream_seq,
            "occurred_us": None,
            "data": canonical(data),
        }

    def put(self, event):
        """Gives an event its position, times and hashes."""
        event = event | {"seq": len(self.events), "recorded_us": self.recorded_us}
        if event["occurred_us"] is None:
            event["occurred_us"] = self.recorded_us
        key = bytes.fromhex(SALT_KEYS[month_of(self.recorded_us)])
        salt = formats.salt(key, event["stream"], event["stream_seq"])
        commitment = formats.commitment(salt, event["data"])
        event_hash = formats.h("event", formats.header(event, commitment))
        self.chain = formats.chain(event["seq"], self.chain, event_hash)
        hashes = {"salt": salt, "data_commitment": commitment, "event_hash": event_hash, "chain": self.chain}
        self.events.append(event | {name: value.hex() for name, value in hashes.items()})
        if event["type"] not in ("ledger.event.duplicate", "ledger.event.quarantined", "ledger.stream.gap"):
            self.first[(event["publisher"], event["source"], event["id"])] = event
        if event["publisher"] == "ledger" and event["type"] == "ledger.retention.applied":
            for start, end in json.loads(event["data"])["ranges"]:
                self.deleted.append((start, end, event["seq"]))

    def take(self, message):
        """The positions of one message: a gap before it, perhaps, and itself."""
        number = message["stream_seq"]
        if number > self.last + 1:
            self.put(self.own("ledger.stream.gap", "", number - 1, {"from": self.last + 1, "to": number - 1}))
        self.last = number
        self.recorded_us = max(self.recorded_us, message["time_us"])
        read = read_message.read(message["nats_subject"], message["headers"], message["body"], LEDGER,
            nasty_messages.OPERATORS)
        if "reason" in read:
            return self.quarantine(message, read["reason"], read["at"])
        first = self.first.get((read["publisher"], read["source"], read["id"]))
        if first is None:
            return self.put(read | {"stream": STREAM, "stream_seq": number})
        if self.same(first, read):
            return self.put(self.own("ledger.event.duplicate", read["publisher"], number, {"of": first["seq"]}))
        return self.quarantine(message, "id.conflict", "")

    def same(self, first, read):
        occurred_us = first["recorded_us"] if read["occurred_us"] is None else read["occurred_us"]
        if occurred_us != first["occurred_us"]:
            return False
        if any(first[name] != read[name] for name in ("type", "subject", "actor", "context")):
            return False
        gone = any(start <= first["seq"] <= end and first["seq"] < by for start, end, by in self.deleted)
        return gone or first["data"] == read["data"]

    def quarantine(self, message, reason, at):
        names = message["nats_subject"].split(".")
        publisher = names[3] if len(names) > 3 and NAME.fullmatch(names[3]) else ""
        data = {"reason": reason}
        if reason != "payload.secret_suspected":
            data |= {"at": at, "nats_subject": message["nats_subject"], "size": len(message["body"])}
            if reason != "size.exceeded":
                headers = sorted(message["headers"], key=lambda pair: pair[0].encode())
                data["headers"] = [[name, base64.b64encode(value).decode()] for name, value in headers]
                data["body"] = base64.b64encode(message["body"]).decode()
        self.put(self.own("ledger.event.quarantined", publisher, message["stream_seq"], data))


class Stream:
    """Messages with numbers and times; what was sent before is sent again, as it was or nearly."""

    def __init__(self, seed):
        self.random, self.number, self.time_us = random.Random(seed), 0, CREATED_US
        self.nasty = nasty_messages.messages(seed, sys.maxsize)
        self.sent, self.own, self.count = [], [], 0

    def event(self, **changes):
        """An event's attributes, with few different identities."""
        usual = {
            "source": "urn:tf", "id": str(self.random.randint(1, 60)), "type": "platform.environment.created",
            "subject": "staging", "time": None, "authid": None, "x": None, "data": '{"note":1}',
            "publisher": "terraform",
        }
        if self.random.random() < 0.4:
            usual["time"] = "2026-08-02T21:00:01.5Z"
        return usual | changes

    def changed(self, event):
        name = self.random.choice(list(event))
        value = {
            "source": ["urn:tf", "urn:TF"], "id": ["1", "2"], "type": ["platform.environment.created",
            "platform.environment.created.v1"],
            "subject": ["staging", "Staging"], "time": [None, "2026-08-02T21:00:01.500Z",
            "2026-08-02T23:00:01.5+02:00", "2026-08-02T21:00:01.6Z", self.as_recorded()],
            "authid": [None, "alice", "bob"], "x": [None, "1", "2"], "data": ['{"note":1}', '{ "note":1}',
            '{"note":1.0}'],
            "publisher": ["terraform", "ansible"],
        }[name]
        return event | {name: self.random.choice(value)}

    def as_recorded(self):
        """The time of the last message: perhaps that of an event without a time."""
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=self.time_us)
        return moment.isoformat(timespec="microseconds") + "Z"

    def applied(self):
        # There are more positions than messages. Of some ranges a part is still to come, and is not deleted.
        start = self.random.randint(0, self.count * 3 // 2)
        data = {"class": "x", "ranges": [[start, start + self.random.randint(0, 30)]], "scheduled_by": 0}
        return self.event(publisher="ledger", source="ledger://main", id=f"r{self.number}",
            type="ledger.retention.applied", data=json.dumps(data))

    def own_identities(self):
        """Somebody with the ledger's name claims what events of the ledger's own are called."""
        if self.own and self.random.random() < 0.5:
            return self.random.choice(self.own)[1]
        numbers = [number for number, _ in self.own] + [self.number]
        identity = self.random.choice([ORIGIN] + [f"{STREAM}/{number}" for number in numbers])
        return self.event(publisher="ledger", source="ledger://main", id=identity)

    def written(self, event):
        subject = f"ledger.main.ingest.{event['publisher']}." + ".".join(event["type"].split(".")[:3])
        attributes = {"specversion": "1.0"} | {k: v for k, v in event.items() if k not in ("data",
            "publisher") and v is not None}
        if self.random.random() < 0.3:
            headers = [(f"ce-{name}", value.encode()) for name, value in attributes.items()]
            self.random.shuffle(headers)
            return subject, headers, event["data"].encode()
        body = json.dumps(attributes)[:-1] + f', "data" : {event["data"]} }}'
        return subject, [("Nats-Msg-Id", str(self.number).encode())], body.encode()

    def nasty_one(self):
        """A message whose reading does not depend on a kind's fields, and that is not slow to hash."""
        for subject, headers, body in self.nasty:
            read = read_message.read(subject, headers, body, LEDGER, nasty_messages.OPERATORS)
            small = len(body) + sum(len(value) for _, value in headers) < BODY_LIMIT
            known = read.get("type", "").removesuffix(".v1") == "platform.environment.created"
            if known:
                known = set(json.loads(read["data"])) <= {"note"}
            if small and ("reason" in read or known) or read.get("reason") == "size.exceeded" and len(body) < 100_000:
                return subject, headers, body

    def next(self):
        pick = self.random.random()
        self.count += 1
        self.number += self.random.choice([1, 1, 1, 1, 1, 1, 2, 3, 1000])
        if pick < 0.2:
            content = self.nasty_one()
        elif pick < 0.25 and self.sent:
            content = self.written(self.applied())
        elif pick < 0.4:
            self.own.append((self.number, self.own_identities()))
            content = self.written(self.own[-1][1])
        elif pick < 0.55 and self.sent:
            # Perhaps its data is gone by now.
            content = self.written(self.random.choice(self.sent) | {"data": '{"note":2}'})
        else:
            again = self.sent and self.random.random() < 0.7
            event = self.random.choice(self.sent) if again else self.event()
            if self.random.random() < 0.5:
                event = self.changed(event)
            self.sent.append(event)
            content = self.written(event)
        # Clocks of a cluster go back and forth; some nights are long, and months end.
        self.time_us += self.random.choice([0, 1, 1000, 1000, -500, -1_000_000, 5_000_000, 3_600_000_000,
            40_000_000_000])
        self.time_us = min(self.time_us, 1_790_000_000_000_000)
        return dict(zip(("nats_subject", "headers", "body"), content)) | {"stream_seq": self.number,
            "time_us": self.time_us}


def main():
    seed, count = (int(argument) for argument in sys.argv[1:])
    print(json.dumps({"origin": ORIGIN, "ledger": LEDGER, "created_us": CREATED_US, "stream": STREAM,
        "salt_keys": SALT_KEYS}))
    stream, chain = Stream(seed), Chain()
    for _ in range(count):
        message = stream.next()
        chain.take(message)
        written = nasty_messages.as_json(message["nats_subject"], message["headers"], message["body"])
        print(json.dumps(message | written))
    for event in chain.events:
        print(json.dumps(event | {"data": base64.b64encode(event["data"]).decode()}))


if __name__ == "__main__":
    main()
