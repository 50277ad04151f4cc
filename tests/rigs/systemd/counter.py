#!/usr/bin/env python3
"""counter.py: sound that tells where in it one is, so that what is missing can be counted.

write FILE.wav SECONDS   8 kHz mono; every sample of the 10 ms with number n is n
read FILE.wav...         for each recording a line: FIRST LAST LOST, in numbers: what it begins and
                         ends with, and how many numbers it skips between. Numbers that stand
                         elsewhere than in order make it fail. Silence (0) before and after is left out.
"""
import array
import struct
import sys

HOP = 80  # 10 ms at 8 kHz


def write(path, seconds):
    """Numbers begin at 1: 0 is silence."""
    hops = int(seconds) * 100
    if hops > 32000:
        sys.exit("counter.py: at most 320 s fit 16 bits")
    samples = array.array("h")
    for number in range(1, hops + 1):
        samples.extend([number] * HOP)
    body = samples.tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16,
                       1, 1, 8000, 16000, 2, 16, b"data", len(body))
    with open(path, "wb") as file:
        file.write(head + body)


def samples_of(path):
    """All samples; the chunk 'data' is the file's last or its length counts."""
    with open(path, "rb") as file:
        data = file.read()
    at = 12
    while data[at : at + 4] != b"data":
        if at + 8 > len(data):
            sys.exit(f"counter.py: no sound in {path}")
        at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    size = min(struct.unpack_from("<I", data, at + 4)[0], len(data) - at - 8)
    return struct.unpack_from(f"<{size // 2}h", data, at + 8)


def read(path):
    """First and last number and how many are skipped."""
    seen = [s for s in samples_of(path) if s != 0]
    if not seen:
        return 0, 0, 0
    lost = 0
    for before, after in zip(seen, seen[1:]):
        if after < before:
            sys.exit(f"counter.py: {path}: {after} comes after {before}")
        lost += max(0, after - before - 1)
    return seen[0], seen[-1], lost


def main():
    if sys.argv[1] == "write":
        write(*sys.argv[2:4])
    else:
        for path in sys.argv[2:]:
            print(*read(path))


main()
