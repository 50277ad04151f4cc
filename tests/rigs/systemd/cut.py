#!/usr/bin/env python3
"""cut.py LOG DISK: what a disk with a volatile cache holds when its power is cut.

LOG is what qemu's blklogwrites wrote down of the writes to a disk that was as DISK is; DISK becomes
what it holds after the cut: everything up to the last flush that was answered, nothing later. That
is the worst a disk may do that keeps its promises. The log's form is dm-log-writes': a superblock,
then for each write a sector of its own with where, how long and what kind, and the data.
"""
import struct
import sys

MAGIC = 0x6A736677736872
FLUSH, DISCARD = 1, 4


def entries(log):
    """Each write: kind, place and length in bytes, place of its data in the log."""
    magic, version, count, size = struct.unpack("<QQQI", log.read(28))
    if magic != MAGIC or version != 1:
        sys.exit("cut.py: not a log of writes")
    at = size
    # The superblock's count is brought up to date at flushes only; what follows them is not safe.
    for _ in range(count):
        log.seek(at)
        sector, sectors, flags, _ = struct.unpack("<QQQQ", log.read(32))
        length = sectors * size
        at += size
        yield flags, sector * size, length, at
        if not flags & DISCARD:
            at += length


def main():
    path, disk = sys.argv[1:3]
    with open(path, "rb") as log, open(disk, "r+b") as out:
        writes = list(entries(log))
        last = max((i for i, w in enumerate(writes) if w[0] & FLUSH), default=-1)
        kept = 0
        for flags, place, length, at in writes[: last + 1]:
            log.seek(at)
            data = bytes(length) if flags & DISCARD else log.read(length)
            out.seek(place)
            out.write(data)
            kept += length
        print(f"the disk kept {kept} bytes in {last + 1} writes, up to its last flush")


main()
