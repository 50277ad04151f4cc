#!/usr/bin/env python3
"""measure.py VERB FILE.wav CHANNEL ...: says whether a recording holds what it must.

tone FILE CHANNEL HZ SECONDS   this tone for so long in one piece: frequency within 0.1 %, phase
                               without a step, so that not one sample is missing or double
melody FILE CHANNEL HZ...      these tones one after the other, each for 0.3 s or more
digits FILE CHANNEL KEYS       these keys' two tones, one after the other
without FILE CHANNEL HZ        this tone nowhere
length FILE SECONDS SECONDS    lasts at least, at most so long

CHANNEL is 0 (the caller, or the only one) or 1. Prints what it found; exit code 1 if it is not so.
"""
import cmath
import math
import struct
import sys

HOP = 160  # 20 ms at 8 kHz
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")


def fail(text):
    print(f"measure: {' '.join(sys.argv[1:])}: {text}")
    sys.exit(1)


def decode_g711(code, law):
    """One sample of G.711."""
    if law == 7:
        code = ~code & 0xFF
        magnitude = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
        return -magnitude if code & 0x80 else magnitude
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, (code & 15) << 4
    magnitude = mantissa + 8 if exponent == 0 else mantissa + 264 << exponent - 1
    return magnitude if code & 0x80 else -magnitude


def read(path, channel):
    """Samples of a channel and the rate. Reads linear 16 bits and G.711, which wave does not."""
    with open(path, "rb") as file:
        data = file.read()
    place, form = 12, None
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if name == b"fmt ":
            law, channels, rate = struct.unpack_from("<HHI", data, place + 8)
            if law == 0xFFFE:
                law = struct.unpack_from("<H", data, place + 32)[0]
            form = (law, channels, rate)
        if name == b"data":
            break
        place += 8 + size + (size & 1)
    else:
        fail("no sound in it")
    law, channels, rate = form
    if channel >= channels:
        fail(f"it has {channels} channel(s)")
    body = data[place + 8 : place + 8 + size]
    if law == 1:
        samples = struct.unpack(f"<{len(body) // 2}h", body[: len(body) // 2 * 2])
    else:
        table = [decode_g711(code, law) for code in range(256)]
        samples = [table[code] for code in body]
    return samples[channel::channels], rate


def blocks(samples, rate, hz):
    """For each 20 ms: the tone's share of the power (0 where it is quiet) and its phase against a
    clock of this frequency."""
    found = []
    for start in range(0, len(samples) - HOP + 1, HOP):
        total, power = 0j, 0
        for i in range(start, start + HOP):
            total += samples[i] * cmath.exp(-2j * math.pi * hz * i / rate)
            power += samples[i] * samples[i]
        loud = power / HOP > 100 * 100
        found.append((2 * abs(total) ** 2 / (HOP * power) if loud else 0.0, cmath.phase(total)))
    return found


def longest(flags):
    """Start and length of the longest run."""
    best, start = (0, 0), None
    for i, flag in enumerate(list(flags) + [False]):
        if flag and start is None:
            start = i
        if not flag and start is not None:
            best, start = max(best, (i - start, start)), None
    return best[1], best[0]


def turn(angle):
    return (angle + math.pi) % (2 * math.pi) - math.pi


def check_tone(path, channel, hz, seconds):
    samples, rate = read(path, channel)
    found = blocks(samples, rate, hz)
    start, count = longest(share > 0.9 for share, _ in found)
    if count < 3:
        fail(f"{hz} Hz is not there at all")
    # Clean in phase too: between blocks it turns by a constant, small angle.
    steps = [turn(found[i + 1][1] - found[i][1]) for i in range(start, start + count - 1)]
    drift = sorted(steps)[len(steps) // 2]
    limit = 2 * math.pi * hz / rate / 3
    first, clean = longest(abs(turn(step - drift)) < limit for step in steps)
    length = (clean + 1) * HOP / rate
    exact = hz + drift / (2 * math.pi) * rate / HOP
    text = f"{exact:.3f} Hz for {length:.2f} s in one piece from {(start + first) * HOP / rate:.2f} s"
    if length < seconds or abs(exact - hz) > hz / 1000:
        fail(text)
    print(text)


def check_melody(path, channel, wanted):
    samples, rate = read(path, channel)
    place = 0
    for hz in wanted:
        found = blocks(samples[place * HOP :], rate, hz)
        run = 0
        for i, (share, _) in enumerate(found):
            run = run + 1 if share > 0.8 else 0
            if run * HOP >= 0.3 * rate:
                place += i + 1
                break
        else:
            fail(f"no {hz} Hz after {place * HOP / rate:.2f} s")
    print(f"heard in order: {wanted}")


def check_digits(path, channel, keys):
    samples, rate = read(path, channel)
    shares = {hz: [share for share, _ in blocks(samples, rate, hz)] for hz in LOW + HIGH}
    heard, before = "", None
    for i in range(len(shares[697])):
        low, high = (max(group, key=lambda hz: shares[hz][i]) for group in (LOW, HIGH))
        key = None
        if shares[low][i] > 0.25 and shares[high][i] > 0.25 and shares[low][i] + shares[high][i] > 0.8:
            key = KEYS[LOW.index(low)][HIGH.index(high)]
        if key and key != before:
            heard += key
        before = key
    if keys not in heard:
        fail(f"heard '{heard}'")
    print(f"heard '{heard}'")


def check_without(path, channel, hz):
    samples, rate = read(path, channel)
    _, count = longest(share > 0.5 for share, _ in blocks(samples, rate, hz))
    if count >= 3:
        fail(f"{hz} Hz is there for {count * HOP / rate:.2f} s")
    print(f"no {hz} Hz")


def check_length(path, least, most):
    samples, rate = read(path, 0)
    length = len(samples) / rate
    if not least <= length <= most:
        fail(f"lasts {length:.2f} s")
    print(f"lasts {length:.2f} s")


def main():
    verb, path, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    if verb == "tone":
        check_tone(path, int(rest[0]), float(rest[1]), float(rest[2]))
    elif verb == "melody":
        check_melody(path, int(rest[0]), [float(hz) for hz in rest[1:]])
    elif verb == "digits":
        check_digits(path, int(rest[0]), rest[1])
    elif verb == "without":
        check_without(path, int(rest[0]), float(rest[1]))
    elif verb == "length":
        check_length(path, float(rest[0]), float(rest[1]))
    else:
        fail("unknown verb")


main()
