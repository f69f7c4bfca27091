#!/usr/bin/env python3
"""Writes the sample: the third quarter of 2026 of five systems, as their tools reported it.

    make_quarter.py            writes quarter.ndjson and broken.ndjson beside this file
    make_quarter.py --check    only says whether they are what this program would write

quarter.ndjson holds CloudEvents that `ledger check` accepts, for `ledger publish`. Some of them are facts
that should not have happened: a retired environment comes back, a change is applied that nobody reviewed.
broken.ndjson holds messages that no good tool sends, each with its NATS subject, headers and body (base64),
for publish_raw.py, and what becomes of it (`expect`). There is no clock and no randomness here: the same files come
out every time. The story stands in `story/`, one file a package.
"""

import os
import sys

from story import broken, cluster, delivery, gitops, platform, release
from story.common import Quarter

HERE = os.path.dirname(os.path.abspath(__file__))


def quarter():
    q = Quarter("platform")
    for chapter in (platform, cluster, delivery, gitops, release):
        chapter.tell(q.chapter(chapter.__name__.rpartition(".")[2]))
    return list(q.lines())


def main():
    good = quarter()
    files = {"quarter.ndjson": good, "broken.ndjson": list(broken.broken(good))}
    stale = []
    for name, lines in files.items():
        path, text = os.path.join(HERE, name), "".join(line + "\n" for line in lines)
        if sys.argv[1:] == ["--check"]:
            with open(path, encoding="utf-8") as file:
                stale += [name] if file.read() != text else []
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    if stale:
        print(f"not what make_quarter.py writes: {', '.join(stale)}; run it", file=sys.stderr)
        return 1
    print(f"{len(good)} events, {len(files['broken.ndjson'])} broken messages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
