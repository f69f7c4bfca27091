#!/usr/bin/env python3
"""Sends messages to a NATS server exactly as they are: no envelope, no check. For what a good tool never sends.

    publish_raw.py nats://[user:password@]host:port broken.ndjson

Each line of the file: {"why", "expect", "subject", "headers": {name: value}, "body": base64}. It speaks the NATS client
protocol itself (docs.nats.io, "NATS Protocol"), since a well-mannered client refuses some of them.
"""

import base64
import json
import socket
import sys
from urllib.parse import unquote, urlsplit


def frame(subject, headers, body):
    """One PUB or HPUB."""
    if not headers:
        return f"PUB {subject} {len(body)}\r\n".encode() + body + b"\r\n"
    head = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    head = head.encode()
    return f"HPUB {subject} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    url = urlsplit(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        messages = [json.loads(line) for line in file]
    options = {"verbose": False, "pedantic": False, "headers": True, "lang": "raw", "version": "1"}
    if url.username:
        options.update(user=unquote(url.username), **({"pass": unquote(url.password)} if url.password else {}))
    with socket.create_connection((url.hostname, url.port or 4222), timeout=10) as connection:
        replies = connection.makefile("rb")
        replies.readline()  # INFO
        connection.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\n")
        for message in messages:
            connection.sendall(frame(message["subject"], message["headers"], base64.b64decode(message["body"])))
            print(f"  {message['subject'].partition('.ingest.')[2]:<52} {message['why']}")
        connection.sendall(b"PING\r\n")
        # The server works in order: its PONG comes after everything above.
        while (line := replies.readline().strip()) != b"PONG":
            if line.startswith(b"-ERR") or not line:
                print(f"the server says: {line.decode() or 'nothing; it closed the connection'}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
