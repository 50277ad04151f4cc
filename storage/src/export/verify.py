#!/usr/bin/env python3
"""Checks an archive that 'callreel export' made, without Callreel.

    python3 verify.py ARCHIVE [--key FILE] [--json]

--key FILE  the public key (PEM) that the archive must be signed with; get it from somebody you trust. Without it
            the archive is only known to agree with the key that is in it, which whoever changed it can exchange.
--json      print the outcome as JSON

Exit codes: 0 all is well, 1 something is wrong (the first thing is named), 2 it could not be checked,
12 a newer version made the archive.

Needs Python 3.9 and the command 'openssl' (version 3, for Ed25519). Where there is the command 'b3sum', BLAKE3 is
faster. FORMAT.md of Callreel, "Export archive", describes every byte; the order of the checks is given there.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

FORMAT = 1
BLOCK = 512
PIECE = 1 << 20
U32, U64 = (1 << 32) - 1, (1 << 64) - 1
LATEST_S = 0o77777777777
HEAD, README, SCRIPT, KEY = "callreel-export.json", "README.txt", "verify.py", "public-key.pem"
CHECKPOINTS, MANIFEST, SIGNATURE = "checkpoints.log", "manifest.json", "manifest.sig"
RECORDINGS_MAX = 100_000
MANIFEST_MAX, PROOF_MAX, SMALL_MAX, SIGNATURE_BYTES = 64 << 20, 32 << 20, 1 << 20, 89
ENTRIES_MAX = 10_000
EXTENSIONS = {"wav": "wav", "mp3": "mp3", "m4a": "m4a", "web_m": "webm", "ogg": "ogg", "flac": "flac"}
SPELLING = "it is not in the one spelling that there is"


class Flaw(Exception):
    """The first thing that is wrong with an archive."""

    def __init__(self, word, member, message):
        super().__init__(message)
        self.word, self.member = word, member


class Unable(Exception):
    """It cannot be checked here."""


# --- BLAKE3, from its specification ---------------------------------------------------------------------------------
# Lanes: many chunks are hashed at once, each in 64 bits of one large integer, of which the lower 32 are used.

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTED = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
LANES = 512


def compress(value, block, counters, length, flags, ones):
    """The eight words of the chaining values of many blocks; `ones` has a one in each lane."""
    mask = ones * U32
    low = high = 0
    if isinstance(counters, tuple):
        low, high = counters
    state = list(value) + [ones * word for word in IV[:4]] + [low, high, ones * length, ones * flags]
    words = list(block)
    for turn in range(7):
        for number, (a, b, c, d) in enumerate(COLUMNS + DIAGONALS):
            for word, first, second in ((words[2 * number], 16, 12), (words[2 * number + 1], 8, 7)):
                state[a] = (state[a] + state[b] + word) & mask
                mixed = state[d] ^ state[a]
                state[d] = ((mixed >> first) | (mixed << (32 - first))) & mask
                state[c] = (state[c] + state[d]) & mask
                mixed = state[b] ^ state[c]
                state[b] = ((mixed >> second) | (mixed << (32 - second))) & mask
        if turn < 6:
            words = [words[at] for at in PERMUTED]
    return [state[at] ^ state[at + 8] for at in range(8)]


def lanes_of(data, at, stride, count):
    """Words of 4 bytes, one from each stretch of `stride` bytes, in lanes."""
    spread = bytearray(8 * count)
    for byte in range(4):
        spread[byte::8] = data[at + byte::stride]
    return int.from_bytes(spread, "little")


def values_of(words, count):
    """Chaining values of 32 bytes, one after the other, from lanes."""
    data = bytearray(32 * count)
    for number, word in enumerate(words):
        spread = word.to_bytes(8 * count, "little")
        for byte in range(4):
            data[4 * number + byte::32] = spread[byte::8]
    return bytes(data)


def ones_of(count):
    return int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")


def chunk_values(data, first):
    """Chaining values of whole chunks of 1,024 bytes, of which the first has the number `first`."""
    count = len(data) // 1024
    ones = ones_of(count)
    low = high = 0
    for lane in range(count):
        low |= ((first + lane) & U32) << (64 * lane)
        high |= ((first + lane) >> 32) << (64 * lane)
    value = [ones * word for word in IV]
    for block in range(16):
        words = [lanes_of(data, 64 * block + 4 * word, 1024, count) for word in range(16)]
        flags = (CHUNK_START if block == 0 else 0) | (CHUNK_END if block == 15 else 0)
        value = compress(value, words, (low, high), 64, flags, ones)
    return values_of(value, count)


def parent_values(data):
    """Chaining values of parents, from pairs of chaining values."""
    count = len(data) // 64
    ones = ones_of(count)
    words = [lanes_of(data, 4 * word, 64, count) for word in range(16)]
    return values_of(compress([ones * word for word in IV], words, (0, 0), 64, PARENT, ones), count)


class PureBlake3:
    def __init__(self):
        self.buffer = bytearray()
        self.chunks = 0
        self.stack = []  # (chunks below it, chaining value), largest first

    def update(self, data):
        self.buffer += data
        # The last chunk stays, since it may be the root.
        while len(self.buffer) > 1024 * LANES:
            self.take(LANES)

    def take(self, count):
        data = bytes(self.buffer[:1024 * count])
        del self.buffer[:1024 * count]
        values = chunk_values(data, self.chunks)
        self.chunks += count
        while count > 1:
            values, count = parent_values(values), count // 2
        self.push(len(data) // 1024, values)

    def push(self, below, value):
        while self.stack and self.stack[-1][0] == below:
            value = parent_values(self.stack.pop()[1] + value)
            below *= 2
        self.stack.append((below, value))

    def hexdigest(self):
        # Whole chunks before the last: in powers of two, so that each is one subtree.
        while len(self.buffer) > 1024:
            before = (len(self.buffer) - 1) // 1024
            self.take(1 << (before.bit_length() - 1))
        value, data = list(IV), bytes(self.buffer)
        blocks = [data[at:at + 64] for at in range(0, max(len(data), 1), 64)]
        counters = (self.chunks & U32, self.chunks >> 32)
        alone = not self.stack
        for number, block in enumerate(blocks):
            words = [int.from_bytes(block[at:at + 4], "little") for at in range(0, 64, 4)]
            last = number == len(blocks) - 1
            flags = (CHUNK_START if number == 0 else 0) | (CHUNK_END if last else 0) | (ROOT if last and alone else 0)
            value = compress(value, words, counters, len(block), flags, 1)
        value = values_of(value, 1)
        while self.stack:
            both = self.stack.pop()[1] + value
            words = [int.from_bytes(both[at:at + 4], "little") for at in range(0, 64, 4)]
            flags = PARENT | (0 if self.stack else ROOT)
            value = values_of(compress(list(IV), words, (0, 0), 64, flags, 1), 1)
        return value.hex()


class CommandBlake3:
    """The same by the command b3sum."""

    def __init__(self, command):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([command, "--no-names"], stdin=pipe, stdout=pipe)

    def update(self, data):
        try:
            self.process.stdin.write(data)
        except BrokenPipeError:
            raise Unable("the command 'b3sum' does not work") from None

    def hexdigest(self):
        out, _ = self.process.communicate()
        if self.process.returncode != 0 or not re.fullmatch(rb"[0-9a-f]{64}\n", out):
            raise Unable("the command 'b3sum' does not work")
        return out.decode().strip()


class Hashes:
    """SHA-256 and BLAKE3 of what goes by, in one pass."""

    def __init__(self, length):
        command = shutil.which("b3sum") if length > PIECE else None
        self.sha256 = hashlib.sha256()
        self.blake3 = CommandBlake3(command) if command else PureBlake3()
        self.length = 0

    def update(self, data):
        self.sha256.update(data)
        self.blake3.update(data)
        self.length += len(data)

    def finish(self, name):
        return {"name": name, "size_bytes": self.length, "sha256": self.sha256.hexdigest(),
                "blake3": self.blake3.hexdigest()}


# --- Keys and signatures --------------------------------------------------------------------------------------------

SPKI = bytes.fromhex("302a300506032b6570032100")
PEM_BEGIN, PEM_END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"


def decoded(text):
    """Bytes from base64 in its one spelling, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def pem_of(key):
    return "%s\n%s\n%s\n" % (PEM_BEGIN, base64.b64encode(SPKI + key).decode(), PEM_END)


def key_in(pem):
    """The 32 bytes of the key in a PEM file, or None."""
    inside = re.search(PEM_BEGIN + "(.*?)" + PEM_END, pem, re.DOTALL)
    der = decoded("".join(inside.group(1).split())) if inside else None
    return der[12:] if der and len(der) == 44 and der[:12] == SPKI else None


def fingerprint(key):
    return hashlib.sha256(key).hexdigest()


def key_id(key):
    return fingerprint(key)[:8]


class OpenSSL:
    """Ed25519 by the command openssl."""

    # The second test of RFC 8032: a key, a message of one byte, its signature.
    KNOWN = (bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), b"\x72",
             bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                           "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"))

    works = set()

    def __init__(self):
        self.command = shutil.which("openssl")
        if not self.command:
            raise Unable("the command 'openssl' is missing, which checks the signatures: install OpenSSL 3 "
                         "(Debian: apt install openssl)")
        if self.command in self.works:
            return
        key, message, signature = self.KNOWN
        if not self.signed(key, message, signature) or self.signed(key, b"\x73", signature):
            raise Unable("'%s' cannot check Ed25519 signatures: OpenSSL 3 is needed" % self.command)
        self.works.add(self.command)

    def signed(self, key, message, signature):
        """Whether a signature of a message is this key's."""
        if len(signature) != 64:
            return False
        with tempfile.TemporaryDirectory(prefix="callreel-verify-") as folder:
            paths = [os.path.join(folder, name) for name in ("key.pem", "message", "signature")]
            for path, data in zip(paths, (pem_of(key).encode(), message, signature)):
                with open(path, "wb") as file:
                    file.write(data)
            command = [self.command, "pkeyutl", "-verify", "-pubin", "-inkey", paths[0], "-rawin",
                       "-in", paths[1], "-sigfile", paths[2]]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            return done.returncode == 0


# --- JSON in one spelling -------------------------------------------------------------------------------------------

class Bad(Exception):
    """A text or a value that cannot be."""


def pairs(found):
    value = dict(found)
    if len(value) != len(found):
        raise Bad("a key is there twice")
    return value


def no_fraction(text):
    raise Bad("a number is not whole: %s" % text[:40])


def parsed(data):
    """A JSON value that is spelt as Callreel writes it."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=pairs, parse_float=no_fraction, parse_constant=no_fraction)
        spelt = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        spelt.encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Bad(str(error)) from None
    if spelt != text:
        raise Bad(SPELLING)
    return value


def whole(most, least=0):
    def check(value, where):
        if type(value) is not int or not least <= value <= most:
            raise Bad("%s is no number that it can be" % where)
    return check


def text(pattern=None):
    def check(value, where):
        if type(value) is not str or (pattern and not re.fullmatch(pattern, value)):
            raise Bad("%s is no text that it can be" % where)
    return check


def one_of(*words):
    def check(value, where):
        if type(value) is not str or value not in words:
            raise Bad("%s is none of the words that it can be" % where)
    return check


def one_of_both(value, where):
    if type(value) is not bool:
        raise Bad("%s is neither true nor false" % where)


def maybe(inner):
    def check(value, where):
        if value is not None:
            inner(value, where)
    return check


def many(inner):
    def check(value, where):
        if type(value) is not list:
            raise Bad("%s is no list" % where)
        for number, one in enumerate(value):
            inner(one, "%s[%d]" % (where, number))
    return check


def fields(**inner):
    def check(value, where):
        if type(value) is not dict or list(value) != [name.rstrip("_") for name in inner]:
            raise Bad("%s has other fields than it must have, or in another order" % where)
        for name, one in inner.items():
            one(value[name.rstrip("_")], "%s.%s" % (where, name.rstrip("_")))
    return check


def mark_kind(value, where):
    if type(value) is dict:
        fields(digit=maybe(text(r"(?s:.)")))(value, where)
    else:
        one_of("masked", "paused", "skipped")(value, where)


HASH = text(r"[0-9a-f]{64}")
SAFE = "[A-Za-z0-9%s]{1,%d}"
UUID = text(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
EXTERNAL = text(SAFE % ("_.:@-", 128))
NUMBER = text(SAFE % ("+*#_.@:-", 64))
NAME = text(SAFE % ("_-", 64))
MS = whole(U64)
STATE = one_of("live", "stored", "absent", "failed")
CONTAINER = one_of(*EXTENSIONS)
END_CAUSE = one_of("silence", "command", "max_length", "rotated", "device_lost", "shutdown", "crash", "disk_full",
                   "disk_error", "imported", "hung_up")
GAP_CAUSE = one_of("overrun", "suspend", "device_lost", "stall", "ring_full", "storage_behind")
KEY_ENTRY = fields(id=text(), public_key=text())
FILE_ENTRY = fields(name=text(), size_bytes=whole(U64), sha256=text(), blake3=text())
NAMES = fields(call_sid=text("call_[A-Za-z0-9]{1,64}"), crt_object_id=EXTERNAL, campaign_id=whole(U32),
               call_id=EXTERNAL, task_id=UUID, session_uuid=UUID)
SOUND = fields(rate=whole(48_000, 8_000), encoding=one_of("pcm16", "mulaw", "alaw"),
               channels=one_of("mono", "stereo"))
LEVEL = whole((1 << 31) - 1, -(1 << 31))
RECORDING = fields(
    audio=FILE_ENTRY, proof=maybe(FILE_ENTRY), tenant=whole(U32), tenant_name=maybe(NAME), id=whole(U64), names=NAMES,
    line=maybe(NAME), from_=maybe(NUMBER), to=maybe(NUMBER), started_at=MS, time_quality=maybe(text()),
    duration_ms=MS, format=SOUND, container=CONTAINER, state=STATE, end_cause=END_CAUSE, frames=whole(U64),
    gaps=many(fields(at=whole(U64), frames=whole(U64), cause=GAP_CAUSE)),
    marks=many(fields(at=whole(U64), frames=whole(U64), kind=mark_kind)),
    levels=many(fields(rms=LEVEL, peak=LEVEL)), sealed_at=MS, tags=many(text()),
    holds=many(fields(id=whole(U32), reason=text(), by=text(), at=MS)), keep_until=maybe(MS))
MANIFEST_FIELDS = fields(
    format=whole(U32), made_by=text(), made_at=MS, host=text(), note=maybe(text()), signing_key=KEY_ENTRY,
    checkpoint_keys=many(KEY_ENTRY), files=many(FILE_ENTRY), recordings=many(RECORDING))


def manifest_in(data):
    """The manifest, if it says nothing that cannot be."""
    manifest = parsed(data)
    MANIFEST_FIELDS(manifest, "it")
    if [file["name"] for file in manifest["files"]] != [HEAD, README, SCRIPT, KEY, CHECKPOINTS]:
        raise Bad("'files' lists other members than there must be")
    ids = [key["id"] for key in manifest["checkpoint_keys"]]
    if any(one >= following for one, following in zip(ids, ids[1:])):
        raise Bad("'checkpoint_keys' is not ordered, or has a key twice")
    for entry in [manifest["signing_key"]] + manifest["checkpoint_keys"]:
        if key_of(entry) is None:
            raise Bad("key '%s' is not what its id says" % entry["id"])
    if not manifest["recordings"]:
        raise Bad("it has no recordings")
    seen = set()
    for number, entry in enumerate(manifest["recordings"], 1):
        if entry["id"] in seen:
            raise Bad("recording %d is in it twice" % entry["id"])
        seen.add(entry["id"])
        what = unsound(number, entry)
        if what:
            raise Bad("recording %d: %s" % (entry["id"], what))
    return manifest


def unsound(number, entry):
    if entry["audio"]["name"] != "recordings/%06d.%s" % (number, EXTENSIONS[entry["container"]]):
        return "its file is named otherwise than its number and format say"
    if entry["proof"] and entry["proof"]["name"] != "recordings/%06d.proof" % number:
        return "its proof is named otherwise than its number says"
    if entry["state"] not in ("stored", "failed"):
        return "it is neither stored nor failed"
    if (entry["frames"] * 1000 // entry["format"]["rate"]) & U64 != entry["duration_ms"]:
        return "its duration is not that of its frames"
    return None


def key_of(entry):
    key = decoded(entry["public_key"])
    return key if key is not None and len(key) == 32 and key_id(key) == entry["id"] else None


# --- The ledger -----------------------------------------------------------------------------------------------------

PROOF_FIELDS = fields(prev_hash=HASH, entry=text(), after=many(HASH), checkpoint=text())
CHECKPOINT = re.compile(r"callreel-checkpoint-1 ([0-9a-f]{32}) (0|[1-9][0-9]{0,19}) ([0-9a-f]{64}) "
                        r"(0|[1-9][0-9]{0,19}) ([0-9a-f]{8}) ([A-Za-z0-9+/]{86}==)")
KIND = text("[a-z0-9_]{1,32}")
WHO = {"kind": one_of("user", "key", "link", "command", "system"), "id": whole(U64), "name": text()}
ENTRY = {"seq": whole(U64), "at": MS, "kind": KIND, "who": None, "from": text(), "tenant": whole(U32),
         "recording": whole(U64), "details": None}
CONTENT = {"state": STATE, "container": CONTAINER, "started_at": MS, "duration_ms": MS, "size_bytes": whole(U64),
           "blake3": HASH, "end_cause": END_CAUSE, "gaps": whole(U64), "masked": whole(U64)}


class Checkpoint:
    def __init__(self, line):
        found = CHECKPOINT.fullmatch(line)
        if not found or decoded(found.group(6)) is None:
            raise Bad("it is not spelled as checkpoints are written")
        self.line, self.log, self.hash, self.key = line, found.group(1), found.group(3), found.group(5)
        self.seq, self.at = int(found.group(2)), int(found.group(4))
        if max(self.seq, self.at) > U64:
            raise Bad("it is not spelled as checkpoints are written")
        self.signature = decoded(found.group(6))
        self.order = (self.log, self.seq, line)

    def signed_text(self):
        return self.line.rpartition(" ")[0].encode()


def some_fields(value, inner, needed, where):
    """Fields of which some may be missing, in their order."""
    if type(value) is not dict or [name for name in inner if name in value] != list(value):
        raise Bad("%s has other fields than it can have, or in another order" % where)
    for name in needed:
        if name not in value:
            raise Bad("%s has no '%s'" % (where, name))
    for name, one in value.items():
        if inner[name]:
            inner[name](one, "%s.%s" % (where, name))


def bounded(value):
    """Whether all numbers are such as Callreel reads."""
    if type(value) is int:
        whole(U64, -(1 << 63))(value, "a number")
    for one in value.values() if type(value) is dict else value if type(value) is list else ():
        bounded(one)


def entry_in(line):
    """An entry of the ledger from its bytes."""
    entry = parsed(line)
    some_fields(entry, ENTRY, ("seq", "at", "kind"), "it")
    if "who" in entry:
        some_fields(entry["who"], WHO, ("kind",), "who")
    details = entry.get("details", {"": 0})
    if type(details) is not dict or not details:
        raise Bad("'details' has nothing in it")
    bounded(details)
    return entry


def followed(proof):
    """Follows the chain from an entry to its checkpoint, whose signature is not looked at."""
    try:
        checkpoint = Checkpoint(proof["checkpoint"])
    except Bad as bad:
        raise Bad("its checkpoint: %s" % bad) from None
    line = proof["entry"].encode("utf-8")
    try:
        entry = entry_in(line)
    except Bad as bad:
        raise Bad("its entry: %s" % bad) from None
    reached = hashlib.sha256(bytes.fromhex(proof["prev_hash"]) + hashlib.sha256(line).digest()).digest()
    for digest in proof["after"]:
        reached = hashlib.sha256(reached + bytes.fromhex(digest)).digest()
    if entry["seq"] + len(proof["after"]) != checkpoint.seq or reached.hex() != checkpoint.hash:
        raise Bad("entry %d does not lead to the checkpoint of entry %d" % (entry["seq"], checkpoint.seq))
    return entry, checkpoint


def proof_in(data):
    """The entries of a proof and the checkpoints they lead to."""
    if not data.endswith(b"\n"):
        raise Bad("its last line is not whole")
    entries, checkpoints = [], []
    for number, line in enumerate(data[:-1].split(b"\n"), 1):
        if number > ENTRIES_MAX:
            raise Bad("it has more than %d lines" % ENTRIES_MAX)
        try:
            proof = parsed(line)
            PROOF_FIELDS(proof, "it")
            entry, checkpoint = followed(proof)
        except Bad as bad:
            raise Bad("line %d: %s" % (number, bad)) from None
        if entries and entries[-1]["seq"] >= entry["seq"]:
            raise Bad("line %d: entry %d is out of order" % (number, entry["seq"]))
        entries.append(entry)
        checkpoints.append(checkpoint)
    return entries, checkpoints


def is_quality(value, where):
    if type(value) is not dict:
        raise Bad("%s is no quality of a time" % where)
    maybe(one_of_both)(value.get("synchronised"), where)
    maybe(whole(U64))(value.get("max_error"), where)
    one_of_both(value.get("stepped"), where)
    one_of_both(value.get("implausible"), where)


def quality(time):
    """The quality of a time in the manifest's words."""
    if time is None:
        return None
    words = [{True: "synchronised", False: "not synchronised", None: "unknown"}[time.get("synchronised")]]
    if time.get("max_error") is not None:
        words.append("within %d ms" % time["max_error"])
    return ", ".join(words + [word for word in ("stepped", "implausible") if time[word]])


def unproved(entries, recording):
    """Why entries do not prove a recording, or None."""
    held, last = [], None
    for entry in entries:
        seq, details = entry["seq"], entry.get("details", {})
        if (entry.get("tenant"), entry.get("recording")) != (recording["tenant"], recording["id"]):
            return "entry %d is not of recording %d" % (seq, recording["id"])
        if entry["kind"] in ("sealed", "imported", "exchanged"):
            try:
                for name, check_one in CONTENT.items():
                    check_one(details.get(name), name)
                maybe(is_quality)(details.get("time"), "time")
                maybe(one_of_both)(details.get("adopted"), "adopted")
            except Bad:
                return "entry %d does not say what the file is" % seq
            last = details
            held.append(last)
        elif entry["kind"] == "undone" and "blake3" in details:
            # It leads back to what was before, or, without a hash, to nothing.
            back = [content for content in held if content["blake3"] == details["blake3"]]
            if not back:
                return "entry %d leads back to a file that is not told" % seq
            last = back[-1]
        elif entry["kind"] in ("undone", "deleted"):
            last = None
    if last is None:
        return "no entry says what the file is"
    masked = [mark for mark in recording["marks"] if mark["kind"] == "masked"]
    told = dict(recording, blake3=recording["audio"]["blake3"], size_bytes=recording["audio"]["size_bytes"],
                gaps=len(recording["gaps"]), masked=len(masked))
    last = dict(last, time_quality=quality(last.get("time")))
    for name in ("blake3", "size_bytes", "state", "container", "started_at", "time_quality", "duration_ms", "end_cause",
                 "gaps", "masked"):
        if last[name] != told[name]:
            return "the ledger has another %s than the manifest" % name
    return None


# --- The container --------------------------------------------------------------------------------------------------

def header_of(name, length, time_s):
    block = bytearray(BLOCK)

    def put(at, data):
        block[at:at + len(data)] = data

    put(0, name)
    put(100, b"0000600\0" b"0000000\0" b"0000000\0")
    if length < 1 << 33:
        put(124, b"%011o\0" % length)
    else:
        put(124, b"\x80")
        put(128, length.to_bytes(8, "big"))
    put(136, b"%011o\0" % time_s)
    put(148, b" " * 8)
    put(156, b"0")
    put(257, b"ustar\x0000")
    put(265, b"root")
    put(297, b"root")
    put(329, b"0000000\0" b"0000000\0")
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)


class Tar:
    """Members of an archive in the one spelling of headers."""

    def __init__(self, file, progress):
        self.file, self.progress = file, progress
        self.at, self.time_s = 0, None

    def fill(self, length):
        data = self.file.read(length)
        while len(data) < length:
            more = self.file.read(length - len(data))
            if not more:
                break
            data += more
        self.at += len(data)
        return data

    def header(self):
        """The next member's name and length; None at the end."""
        at, block = self.at, self.fill(BLOCK)
        if at == 0 and (len(block) < BLOCK or not block.startswith(HEAD.encode() + b"\0")):
            raise Flaw("not_an_export", None, "it is not an archive that 'callreel export' made")
        if len(block) < BLOCK:
            raise truncated()
        if block == bytes(BLOCK):
            block = self.fill(BLOCK)
            if len(block) < BLOCK:
                raise truncated()
            end = self.at
            if block != bytes(BLOCK) or self.fill(1):
                raise stray(end)
            return None
        return self.spelt(block, at)

    def spelt(self, block, at):
        bad = Flaw("header", None, "the header at byte %d is damaged, or was not written by 'callreel export'" % at)
        name = block[:100].split(b"\0")[0]
        try:
            if block[124] == 0x80:
                length = int.from_bytes(block[128:136], "big")
            else:
                length = octal(block[124:135])
            time_s = octal(block[136:147])
            word = name.decode("utf-8")
        except (ValueError, UnicodeDecodeError):
            raise bad from None
        if self.time_s not in (None, time_s) or header_of(name, length, time_s) != block:
            raise bad
        self.time_s = time_s
        return word, length

    def content(self, length, take):
        left = length
        while left > 0:
            piece = self.fill(min(left, PIECE))
            if len(piece) < min(left, PIECE):
                raise truncated()
            take(piece)
            left -= len(piece)
            self.progress(self.at)
        padding, at = -length % BLOCK, self.at
        rest = self.fill(padding)
        if len(rest) < padding:
            raise truncated()
        if rest != bytes(padding):
            raise stray(at)


def octal(field):
    if not re.fullmatch(rb"[0-7]{11}", field):
        raise ValueError
    return int(field, 8)


def truncated():
    return Flaw("truncated", None, "it ends in the middle: it was cut off, or not copied whole")


def stray(at):
    return Flaw("stray", None, "there are stray bytes at %d" % at)


def misplaced(found, wanted):
    return Flaw("misplaced", found[:100], "member '%s' is where %s must be" % (found[:100], wanted))


# --- The whole ------------------------------------------------------------------------------------------------------

class Archive:
    """What was read of an archive."""

    def __init__(self, file, progress):
        self.tar = Tar(file, progress)
        self.members = []
        self.proofs = {}

    def next(self, wanted):
        found = self.tar.header()
        if found is None:
            raise Flaw("missing", None, "%s is missing" % wanted)
        return found

    def held(self, name, length, longest):
        """The content of a member, in memory."""
        if length > longest:
            raise Flaw("too_long", name, "member '%s' is longer than any can be" % name)
        data = bytearray()
        self.tar.content(length, data.extend)
        hashes = Hashes(length)
        hashes.update(data)
        self.members.append(hashes.finish(name))
        return bytes(data)

    def small(self, wanted, longest=SMALL_MAX):
        name, length = self.next(wanted)
        if name != wanted:
            raise misplaced(name, "'%s'" % wanted)
        return self.held(name, length, longest)

    def audio(self, name, length):
        hashes = Hashes(length)
        self.tar.content(length, hashes.update)
        self.members.append(hashes.finish(name))

    def recordings(self):
        """Reads all recordings with their proofs; answers the checkpoints that end them."""
        following = 1
        while True:
            wanted = "the first recording"
            if following > 1:
                wanted = "recording %d of the archive, or '%s'" % (following, CHECKPOINTS)
            name, length = self.next(wanted)
            stem, _, extension = name.rpartition(".")
            if name == CHECKPOINTS and following > 1:
                return self.held(name, length, PROOF_MAX)
            if (stem == "recordings/%06d" % following and extension in EXTENSIONS.values()
                    and following <= RECORDINGS_MAX):
                self.audio(name, length)
                following += 1
            elif (following > 1 and name == "recordings/%06d.proof" % (following - 1)
                    and not self.members[-1]["name"].endswith(".proof")):
                data = self.held(name, length, PROOF_MAX)
                self.proofs[following - 2] = spelling(name, proof_in, data)
            else:
                raise misplaced(name, wanted)


def spelling(member, read, data):
    try:
        return read(data)
    except Bad as bad:
        raise Flaw("spelling", member, "member '%s' is not what it must be: %s" % (member, bad)) from None


def head_in(data):
    try:
        # What a newer format has beside these two is not known here.
        told = json.loads(data.decode("utf-8"))
        if type(told["format"]) is not int or not 0 <= told["format"] <= U32 or type(told["made_by"]) is not str:
            raise ValueError("it has no format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Bad(str(error)) from None
    if told["format"] != FORMAT:
        raise Flaw("newer", None, "it has format %d, written by %s; this script knows format %d: check it with a "
                   "newer one" % (told["format"], printable(told["made_by"][:64]), FORMAT))
    head = parsed(data)
    fields(format=whole(U32), made_by=text())(head, "it")
    return head


def key_member(data):
    key = key_in(data.decode("utf-8", "replace"))
    if key is None or pem_of(key).encode() != data:
        raise Bad("it is not an Ed25519 public key as it is written here")
    return key


def lines_in(data):
    """The checkpoints: each as they are written, in their one order."""
    if not data:
        return []
    try:
        lines = data.decode("utf-8")
    except UnicodeDecodeError:
        lines = ""
    if not lines.endswith("\n"):
        raise Bad("its last line is not whole, or no text")
    found = []
    for number, line in enumerate(lines[:-1].split("\n"), 1):
        try:
            found.append(Checkpoint(line))
        except Bad:
            raise Bad("line %d is no checkpoint" % number) from None
        if number > 1 and found[-2].order >= found[-1].order:
            raise Bad("line %d is out of order" % number)
    return found


def check(file, expected, progress=lambda at: None):
    """Checks an archive; answers what is known of it, or raises the first Flaw."""
    openssl = OpenSSL()
    archive = Archive(file, progress)
    head = spelling(HEAD, head_in, archive.small(HEAD))
    archive.small(README)
    archive.small(SCRIPT)
    key = spelling(KEY, key_member, archive.small(KEY))
    if expected is not None and expected != key:
        raise Flaw("other_key", KEY, "it is signed with key %s (SHA-256 %s), not with the expected key %s (SHA-256 %s)"
                   % (key_id(key), fingerprint(key), key_id(expected), fingerprint(expected)))
    checkpoints = spelling(CHECKPOINTS, lines_in, archive.recordings())
    data = archive.small(MANIFEST, MANIFEST_MAX)
    told = archive.members[:-1]
    signature = archive.small(SIGNATURE, SIGNATURE_BYTES)
    more = archive.tar.header()
    if more is not None:
        raise misplaced(more[0], "the end of the archive")
    signature = decoded(signature[:-1].decode("ascii", "replace")) if signature.endswith(b"\n") else None
    if signature is None or not openssl.signed(key, data, signature):
        raise Flaw("signature", SIGNATURE, "the manifest is not what key %s signed: it or its signature was changed"
                   % key_id(key))
    manifest = spelling(MANIFEST, manifest_in, data)
    agrees(manifest, head, key, archive.tar.time_s)
    compare(manifest, told)
    last = signed(manifest, checkpoints, archive.proofs, openssl)
    for number, (entries, _) in archive.proofs.items():
        recording = manifest["recordings"][number]
        what = unproved(entries, recording)
        if what:
            member = recording["proof"]["name"]
            raise Flaw("proof", member, "recording %d is not proved by '%s': %s" % (recording["id"], member, what))
    return report(manifest, key, expected, checkpoints, last, archive.tar.at)


def agrees(manifest, head, key, time_s):
    def differs(what):
        return Flaw("manifest", MANIFEST, "the manifest does not fit the archive: it names another %s" % what)
    if key_of(manifest["signing_key"]) != key:
        raise differs("key")
    if (manifest["format"], manifest["made_by"]) != (head["format"], head["made_by"]):
        raise differs("maker")
    if min(manifest["made_at"] // 1000, LATEST_S) != time_s:
        raise differs("time")


def compare(manifest, found):
    """Whether the members are those of the manifest, in its order."""
    wanted = manifest["files"][:4]
    for entry in manifest["recordings"]:
        wanted += [entry["audio"]] + ([entry["proof"]] if entry["proof"] else [])
    wanted += manifest["files"][4:]
    for number, told in enumerate(wanted):
        if number >= len(found):
            raise Flaw("missing", None, "%s is missing" % told["name"])
        if found[number]["name"] != told["name"]:
            raise misplaced(found[number]["name"], "'%s'" % told["name"])
        if found[number] != told:
            raise Flaw("damaged", told["name"], "member '%s' was changed: it is not what the signed manifest says"
                       % told["name"])
    if len(found) > len(wanted):
        raise misplaced(found[len(wanted)]["name"], "'%s'" % MANIFEST)


def signed(manifest, checkpoints, proofs, openssl):
    """Whether the checkpoints are those of the proofs and signed; answers when the last was."""
    def bad(seq, what):
        return Flaw("checkpoint", CHECKPOINTS, "the checkpoint of entry %d: %s" % (seq, what))
    listed = {checkpoint.order for checkpoint in checkpoints}
    used = {checkpoint.order for _, found in proofs.values() for checkpoint in found}
    for order in sorted(listed ^ used):
        raise bad(order[1], "it is not in both the proofs and the list of checkpoints")
    keys = {entry["id"]: key_of(entry) for entry in manifest["checkpoint_keys"]}
    signers, last, before = set(), None, None
    for checkpoint in checkpoints:
        # The same place may be signed twice, but not with two pasts.
        if before and before.order[:2] == checkpoint.order[:2] and before.hash != checkpoint.hash:
            raise bad(checkpoint.seq, "there are two that tell different pasts")
        before = checkpoint
        key = keys.get(checkpoint.key)
        if key is None:
            raise bad(checkpoint.seq, "the manifest does not name its key")
        if not openssl.signed(key, checkpoint.signed_text(), checkpoint.signature):
            raise bad(checkpoint.seq, "its key did not sign it")
        signers.add(checkpoint.key)
        last = max(last or 0, checkpoint.at)
    if set(keys) != signers:
        raise Flaw("manifest", MANIFEST, "the manifest does not fit the archive: it names a key that signed no "
                   "checkpoint")
    return last


def report(manifest, key, expected, checkpoints, last, length):
    recordings = manifest["recordings"]
    starts = [entry["started_at"] for entry in recordings]
    return {
        "made_by": manifest["made_by"], "made_at": manifest["made_at"], "host": manifest["host"],
        "note": manifest["note"], "key_id": key_id(key), "key_sha256": fingerprint(key),
        "key_expected": expected is not None, "recordings": len(recordings),
        "unproved": sum(entry["proof"] is None for entry in recordings),
        "sound_bytes": min(sum(entry["audio"]["size_bytes"] for entry in recordings), U64),
        "duration_ms": min(sum(entry["duration_ms"] for entry in recordings), U64),
        "first_started_at": min(starts), "last_started_at": max(starts), "checkpoints": len(checkpoints),
        "last_checkpoint_at": last, "bytes": length,
    }


def printable(words):
    return "".join(c if c.isprintable() else "?" for c in words)


def outcome(path, expected, progress=lambda at: None):
    """The outcome as a value for JSON, and the exit code."""
    try:
        with open(path, "rb") as file:
            return {"ok": True, **check(file, expected, progress)}, 0
    except Flaw as flaw:
        told = {"ok": False, "problem": flaw.word, "member": flaw.member, "message": str(flaw)}
        return told, 12 if flaw.word == "newer" else 1
    except (Unable, OSError) as error:
        word = "unable" if isinstance(error, Unable) else "unreadable"
        return {"ok": False, "problem": word, "member": None, "message": str(error)}, 2


def time_of(milliseconds):
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds // 1000))
    except (ValueError, OverflowError, OSError):
        return "%d ms after 1970" % milliseconds


def describe(told):
    if not told["ok"]:
        return printable(told["message"])
    lines = ["%d recordings, %d bytes of sound: all of it is what key %s signed" % (
        told["recordings"], told["sound_bytes"], told["key_id"])]
    lines.append("made by %s on %s at %s" % (
        printable(told["made_by"]), printable(told["host"]), time_of(told["made_at"])))
    if told["note"]:
        lines.append("note: %s" % printable(told["note"]))
    last = "-" if told["last_checkpoint_at"] is None else time_of(told["last_checkpoint_at"])
    lines.append("%d are proved by the ledger, up to %d signed checkpoints, the last at %s" % (
        told["recordings"] - told["unproved"], told["checkpoints"], last))
    if told["unproved"]:
        lines.append("%d are not: the ledger tells nothing of them" % told["unproved"])
    lines.append("SHA-256 of the key: %s" % told["key_sha256"])
    if not told["key_expected"]:
        lines.append("NOT CHECKED: whether that is the right key; give --key, or compare its SHA-256 with one that "
                     "you got from somebody you trust")
    return "\n".join(lines)


def expected_key(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        pem = file.read(1 << 16)
    if "PRIVATE KEY-----" in pem:
        raise Unable("'%s' is a private key, which must not leave its machine: give the public one" % path)
    key = key_in(pem)
    if key is None:
        raise Unable("'%s' is not an Ed25519 public key in PEM" % path)
    return key


def main(arguments):
    for stream in (sys.stdout, sys.stderr):
        # Names that this terminal has no letters for must not be what ends the check.
        stream.reconfigure(errors="backslashreplace")
    path, key, as_json = None, None, False
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in ("-h", "--help"):
            print(__doc__)
            return 0
        if argument == "--json":
            as_json = True
        elif argument == "--key" and rest:
            key = rest.pop(0)
        elif path is None and not argument.startswith("-"):
            path = argument
        else:
            path = None
            break
    if path is None:
        print("usage: verify.py ARCHIVE [--key FILE] [--json]", file=sys.stderr)
        return 2
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    shown = [0]

    def progress(at):
        if size and sys.stderr.isatty() and 100 * at // size > shown[0]:
            shown[0] = 100 * at // size
            print("\r%d %%" % shown[0], end="", file=sys.stderr)

    try:
        expected = expected_key(key) if key else None
        told, code = outcome(path, expected, progress)
    except (Unable, OSError) as error:
        told, code = {"ok": False, "problem": "unable", "member": None, "message": str(error)}, 2
    if shown[0]:
        print("\r", end="", file=sys.stderr)
    if as_json:
        print(json.dumps(told))
    else:
        print(describe(told), file=sys.stdout if told["ok"] else sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
