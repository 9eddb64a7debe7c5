#!/usr/bin/env python3
"""Reads a session with nothing but the standard library (docs/sessions.md has the layout).

python3 read_session.py SESSION            channels and how many readings each has: good, suspect, bad
python3 read_session.py SESSION CHANNEL    its readings: time (microseconds since 1970), value in SI, random sigma, quality, why
"""
import json
import re
import struct
import sys
import zlib
from pathlib import Path

MAGIC, METADATA = b"\x89MCAP0\r\n", 12
CHANNEL, MESSAGE, CHUNK, DATA_END = 4, 5, 6, 15


def records(data, at, end):
    """Each record from `at` on: opcode (1 byte), length (8 bytes), content. All numbers are little-endian."""
    while at + 9 <= end:
        opcode, length = struct.unpack_from("<BQ", data, at)
        if at + 9 + length > end:
            return  # cut here
        yield at, opcode, data[at + 9 : at + 9 + length]
        at += 9 + length


def text(content, at):
    length = struct.unpack_from("<I", content, at)[0]
    return content[at + 4 : at + 4 + length].decode(), at + 4 + length


def messages(path, until):
    """(topic, sequence, log time in ns, bytes) of every whole chunk of a part up to the byte `until`."""
    data = path.read_bytes()[:until]
    for at, opcode, content in records(data, len(MAGIC), len(data)) if data.startswith(MAGIC) else ():
        if opcode == DATA_END:
            return
        if opcode != CHUNK:
            continue
        checksum = struct.unpack_from("<I", content, 24)[0]
        inner = content[40:]  # two times, size, checksum, no compression (an empty text), size again
        if zlib.crc32(inner) != checksum:
            print(f"{path.name}: the chunk at byte {at} is damaged", file=sys.stderr)
            continue
        topics = {}
        for _, kind, record in records(inner, 0, len(inner)):
            if kind == CHANNEL:
                topics[struct.unpack_from("<H", record)[0]] = text(record, 4)[0]
            elif kind == MESSAGE:
                channel, sequence, log_time = struct.unpack_from("<HIQ", record)
                yield topics[channel], sequence, log_time, record[22:]
    else:
        print(f"{path.name}: it has no end: cut, given up, or still being written", file=sys.stderr)


def slow_parts(folder):
    """The slow parts in their order, and how far each holds: the head of a later part names those that were given up."""
    parts = {p: int(m[1]) for p in folder.iterdir() if (m := re.fullmatch(r"slow-(\d{4,9})\.mcap", p.name))}
    holds = {}
    for path in parts:
        with path.open("rb") as file:
            head = file.read(65536)
        for _, opcode, content in list(records(head, len(MAGIC), len(head)))[:2]:
            if opcode == METADATA and text(content, 0)[0] == "bridgman.part":
                at = text(content, 0)[1] + 4 + 4 + len("part")  # the map's length, then the key "part"
                holds.update(json.loads(text(content, at)[0])["ended"])
    return [(path, holds.get(path.stem)) for path in sorted(parts, key=parts.get)]


def main(folder, wanted=None):
    counts = {}
    for path, until in slow_parts(Path(folder)):
        for topic, _, _, content in messages(path, until):
            if topic != "readings":
                continue
            r = json.loads(content)
            name = r["from"] + (f"[{r['index']}]" if "index" in r else "")
            count = counts.setdefault(name, {"good": 0, "suspect": 0, "bad": 0})
            count[r["quality"]] += 1
            if name == wanted:
                sigma = r.get("sigma", {}).get("random")
                print(r["t"], json.dumps(r.get("value")), json.dumps(sigma), r["quality"], r.get("why", ""), sep="\t")
    if wanted is None:
        for name, c in sorted(counts.items()):
            print(name, c["good"], c["suspect"], c["bad"], sep="\t")
    elif wanted not in counts:
        sys.exit(f"there is no channel {wanted}; there are {', '.join(sorted(counts))}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone (head, a closed pager)
